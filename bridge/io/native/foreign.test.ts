import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NOT_HERE } from './native.platform.ts';

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

describe('native calls stay in their folder', () => {
  const sources = globSync('{protocol,bridge,focus,geo-proxy,infra,test}/**/*.ts', { cwd: ROOT }).map(path =>
    path.replaceAll('\\', '/'),
  );

  test('one file of the services names node:ffi', () => {
    const importers = sources.filter(path => !path.startsWith('test/') && importsFrom(path, /^node:ffi$/));
    assert.deepEqual(importers, ['bridge/io/native/foreign.ts']);
  });

  test('what it loads is called in bridge/io/native only', () => {
    const outside = sources.filter(
      path => !path.startsWith('bridge/io/native/') && importsFrom(path, /native\/foreign\.ts$/),
    );
    assert.deepEqual(outside, []);
  });

  for (const [property, value, message] of [
    ['platform', 'darwin', 'it needs Linux, this is darwin'],
    ['arch', 'ia32', 'it needs x64 or arm64, little endian; this is ia32, LE'],
    ['getBuiltinModule', () => undefined, `Node ${process.version} has no node:ffi`],
  ] as const) {
    test(`another ${property} is refused with: ${message}`, { skip: NOT_HERE }, async () => {
      const own = Object.getOwnPropertyDescriptor(process, property)!;
      const fresh = await import(new URL(`foreign.ts?${property}`, import.meta.url).href);
      Object.defineProperty(process, property, { ...own, value });
      try {
        assert.throws(() => fresh.loadForeign(), { message });
      } finally {
        Object.defineProperty(process, property, own);
      }
    });
  }
});

function importsFrom(path: string, module: RegExp): boolean {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return [...text.matchAll(/(?:from |import\(|getBuiltinModule\()'([^']+)'/g)].some(([, name]) => module.test(name));
}
