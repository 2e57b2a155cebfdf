/** Fails when an import breaks the direction of the tree or forms a cycle, or when a core does more than decide. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importCycles } from './architecture/cycles.ts';
import { DIRECTIONS, type Package, violations } from './architecture/rules.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const MANIFEST: Package = { dependencies: ['pino', 'jose', '@scope/kept'], devDependencies: ['fast-check'] };

function broken(path: string, source: string): string[] {
  return violations(new Map([[path, source]]), MANIFEST).map(({ line, rule }) => `${line} ${rule}`);
}

test('the tree keeps its directions, its cores are pure and its dependencies declared', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const manifest = { dependencies: Object.keys(dependencies), devDependencies: Object.keys(devDependencies) };
  const found = violations(readTree(), manifest);
  assert.equal(
    found.length,
    0,
    found.map(({ path, line, rule, message }) => `\n${path}:${line} [${rule}] ${message}`).join(''),
  );
});

test('no imports form a cycle', () => {
  const cycles = importCycles(readTree());
  assert.equal(cycles.length, 0, cycles.map(cycle => `\n${cycle.join('\n  -> ')}`).join(''));
});

function readTree(): Map<string, string> {
  const paths = globSync(`{${Object.keys(DIRECTIONS).join(',')}}/**/*.ts`, { cwd: ROOT }).map(path =>
    path.replaceAll('\\', '/'),
  );
  assert.ok(paths.includes('protocol/ids.ts'), 'the tree is where it is looked for');
  return new Map(paths.toSorted().map(path => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

test('a service that imports another is caught', () => {
  assert.deepEqual(broken('bridge/a.ts', "import { a } from '../focus/a.ts';"), ['1 direction']);
  assert.deepEqual(broken('focus/a.ts', "\nimport type { A } from '../geo-proxy/a.ts';"), ['2 direction']);
  assert.deepEqual(broken('focus/x/a.test.ts', "import { a } from '../../bridge/a.ts';"), ['1 direction']);
});

test('what is imported against the direction is caught, whatever the form', () => {
  assert.deepEqual(broken('protocol/a.ts', "export * from '../bridge/b.ts';"), ['1 direction']);
  assert.deepEqual(broken('protocol/a.ts', "const b = await import('../bridge/b.ts');"), ['1 direction']);
  assert.deepEqual(broken('protocol/a.ts', "import '../bridge/b.ts';"), ['1 direction']);
  assert.deepEqual(broken('bridge/a.ts', "import {\n  a,\n  type B,\n} from '../infra/b.ts';"), ['1 direction']);
  assert.deepEqual(broken('infra/a.ts', "import { a } from '../test/b.ts';"), ['1 direction']);
  assert.deepEqual(broken('infra/a.ts', "import { a } from '../focus/service.ts';"), []);
  assert.deepEqual(broken('bridge/x/a.ts', "import { a } from '../../protocol/b.ts';"), []);
});

test('a core that loads io, main or a service is caught; io types are free', () => {
  assert.deepEqual(broken('bridge/a.ts', "import { a } from './io/b.ts';"), ['1 main-io-core']);
  assert.deepEqual(broken('bridge/a.ts', "import type { A } from './io/b.ts';"), []);
  assert.deepEqual(broken('bridge/a.ts', "import { type A, type B } from './io/b.ts';"), []);
  assert.deepEqual(broken('bridge/a.ts', "import { type A, b } from './io/b.ts';"), ['1 main-io-core']);
  assert.deepEqual(broken('bridge/io/a.ts', "import { a } from '../service.ts';"), ['1 main-io-core']);
  assert.deepEqual(broken('bridge/io/a.ts', "import { a } from '../b.ts';"), []);
  assert.deepEqual(broken('bridge/main.ts', "import { a } from './io/b.ts';"), []);
});

test('a core that loads sockets, files, timers or a logger is caught', () => {
  for (const module of [
    'node:dgram',
    'node:net',
    'node:http',
    'node:fs',
    'node:fs/promises',
    'node:timers/promises',
    'pino',
  ]) {
    assert.deepEqual(broken('focus/x/a.ts', `import a from '${module}';`), ['1 pure-core'], module);
    assert.deepEqual(broken('focus/x/a.ts', `import type a from '${module}';`), [], module);
    assert.deepEqual(broken('focus/io/a.ts', `import a from '${module}';`), [], module);
  }
  assert.deepEqual(broken('protocol/a.ts', "import { BlockList, isIP } from 'node:net';"), []);
  assert.deepEqual(broken('protocol/a.ts', "import { connect, isIP } from 'node:net';"), ['1 pure-core']);
});

test('a core that takes time or randomness from the process is caught', () => {
  const calls = [
    'Date.now()',
    'new Date()',
    'Math.random()',
    'performance.now()',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
  ];
  for (const call of [...calls, 'setImmediate(f)', "console.log('x')", 'process.env', 'crypto.getRandomValues(a)']) {
    assert.deepEqual(broken('bridge/a.ts', `const f = 1;\nconst x = ${call};`), ['2 pure-core'], call);
    assert.deepEqual(broken('bridge/a.test.ts', `const x = ${call};`), [], call);
  }
  assert.deepEqual(broken('bridge/a.ts', "import { createHmac, randomBytes } from 'node:crypto';"), ['1 pure-core']);
  assert.deepEqual(broken('bridge/a.ts', "import { createHmac } from 'node:crypto';"), []);
});

test('comments, texts, templates and regular expressions are no code', () => {
  const source = [
    '// Date.now()',
    '/* import { a } from "../focus/a.ts"; Math.random() */',
    "const a = 'it\\'s // Date.now()';",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source under test
    'const b = `Date.now() ${a ? `setTimeout(${a})` : "}"} Math.random()`;',
    'const c = /["\'`]/.test(a) ? 4 / 2 / 1 : /[/"]Date.now()/g;',
    'const d = clock.setTimeout;',
    'interface E { setTimeout: number }',
  ];
  assert.deepEqual(broken('bridge/a.ts', source.join('\n')), []);
  assert.deepEqual(broken('bridge/a.ts', [...source, 'Date.now();'].join('\n')), ['8 pure-core']);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source under test
  assert.deepEqual(broken('bridge/a.ts', 'const b = `x ${Date.now()}`;'), ['1 pure-core']);
});

test('a package that is not declared, or declared for tests only, is caught', () => {
  assert.deepEqual(broken('focus/io/a.ts', "import a from 'left-pad';"), ['1 declared']);
  assert.deepEqual(broken('focus/io/a.ts', "import a from '@scope/other/deep';"), ['1 declared']);
  assert.deepEqual(broken('focus/io/a.ts', "import a from '@scope/kept/deep';"), []);
  assert.deepEqual(broken('focus/io/a.ts', "import fc from 'fast-check';"), ['1 declared']);
  assert.deepEqual(broken('focus/io/a.test.ts', "import fc from 'fast-check';"), []);
});

test('product code that imports what is for tests is caught', () => {
  assert.deepEqual(broken('focus/sdp/a.ts', "import { a } from './fixtures/load.ts';"), ['1 tests-last']);
  assert.deepEqual(broken('focus/sdp/a.test.ts', "import { a } from './fixtures/load.ts';"), []);
});

test('a cycle is found along all its files, and types form none', () => {
  const tree = (back: string) =>
    new Map([
      ['bridge/a.ts', "import { b } from './b.ts';"],
      ['bridge/b.ts', "import { c } from './x/c.ts';"],
      ['bridge/x/c.ts', back],
    ]);
  assert.deepEqual(importCycles(tree("import { a } from '../a.ts';")), [
    ['bridge/a.ts', 'bridge/b.ts', 'bridge/x/c.ts', 'bridge/a.ts'],
  ]);
  assert.deepEqual(importCycles(tree("import type { A } from '../a.ts';")), []);
  assert.deepEqual(importCycles(tree("import './c.ts';")), [['bridge/x/c.ts', 'bridge/x/c.ts']]);
});
