/** `npm test`: everything that says whether this tree works, in stages. The exit code is that of the first stage that failed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptCommands, canInstall, findPart, installHint, SYSTEM_PARTS } from './system-parts.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const UNIT_TIMEOUT_MS = 120_000;
/** Bounded by their number, not by the clock: only worlds that hang take this long. */
const WORLDS_TIMEOUT_MS = 900_000;
/** Real clients, real media, a shared machine: a test that takes longer hangs. */
const END_TO_END_TIMEOUT_MS = 300_000;

/** Networks of real processes, one after the other: each test has a limit of its own below this. */
const SCENARIOS_TIMEOUT_MS = 120_000;

/** libwebrtc's threads keep a test process alive after its last client has gone; what must not leak is asserted by the tests themselves. */
const FORCE_EXIT = '--test-force-exit';

/** A process per file would spend more time on starting than on testing. */
const ONE_PROCESS = '--test-isolation=none';

/** What runs on the datapath that the machine has, and once more on the portable one. */
const BOTH_DATAPATHS: readonly string[] = [
  'bridge/io/endpoint-transport.test.ts',
  'bridge/io/endpoint-transport.interop.test.ts',
  'bridge/io/endpoint-transport.leaks.test.ts',
  'bridge/io/octo-dtls.test.ts',
  'bridge/service.test.ts',
];

interface Stage {
  readonly title: string;
  /** What cannot be trusted when this fails is not tried. */
  readonly needs: readonly string[];
  /** The exit code. */
  run(): number | Promise<number>;
}

const STAGES: readonly Stage[] = [
  { title: 'system parts', needs: [], run: checkSystemParts },
  { title: 'types', needs: [], run: () => runTool('tsc', ['--noEmit']) },
  { title: 'lint', needs: [], run: () => runTool('biome', ['check', '.']) },
  { title: 'unit tests', needs: [], run: runUnitTests },
  {
    title: 'portable datapath',
    needs: ['unit tests'],
    run: () => runTests(BOTH_DATAPATHS, UNIT_TIMEOUT_MS, [ONE_PROCESS], { CAUSEWAY_DATAPATH: 'portable' }),
  },
  {
    title: 'simulated worlds',
    needs: ['unit tests'],
    run: () => runTests(worldTests(), WORLDS_TIMEOUT_MS, [ONE_PROCESS]),
  },
  {
    title: 'end-to-end tests',
    needs: ['system parts', 'types', 'unit tests'],
    run: () => runTests(endToEndTests(), END_TO_END_TIMEOUT_MS, ['--test-concurrency=1', FORCE_EXIT]),
  },
  {
    title: 'failure and change',
    needs: ['system parts', 'types', 'unit tests'],
    run: () => runTests(scenarioTests(), SCENARIOS_TIMEOUT_MS, ['--test-concurrency=1', FORCE_EXIT]),
  },
];

process.exitCode = await runStages(STAGES);

async function runStages(stages: readonly Stage[]): Promise<number> {
  const failed = new Set<string>();
  const summary: string[] = [];
  let exitCode = 0;
  for (const [index, { title, needs, run }] of stages.entries()) {
    const label = `${index + 1}/${stages.length} ${title}`;
    const missing = needs.find(need => failed.has(need));
    if (missing !== undefined) {
      failed.add(title);
      summary.push(`  skipped          ${title} (after ${missing})`);
      continue;
    }
    print(`\n== ${label}`);
    const startedAt = performance.now();
    const code = await run();
    const seconds = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
    print(`== ${label}: ${code === 0 ? 'passed' : `failed with exit code ${code}`} after ${seconds}`);
    summary.push(`  ${code === 0 ? 'passed' : 'FAILED'} ${seconds.padStart(9)} ${title}`);
    if (code !== 0) failed.add(title);
    if (exitCode === 0) exitCode = code;
  }
  print(`\n${exitCode === 0 ? 'All stages passed.' : 'Not all stages passed.'}\n${summary.join('\n')}`);
  return exitCode;
}

function checkSystemParts(): number {
  const missing = SYSTEM_PARTS.filter(part => findPart(part) === undefined);
  for (const part of SYSTEM_PARTS) print(`${part.name}: ${findPart(part) ?? 'missing'}`);
  if (missing.length === 0) return 0;
  if (canInstall()) {
    for (const [command, ...options] of aptCommands(missing)) {
      const code = runProgram(command, options, { DEBIAN_FRONTEND: 'noninteractive' });
      if (code !== 0) return code;
    }
  }
  const still = missing.filter(part => findPart(part) === undefined);
  for (const { name, because } of still) print(`${name} is missing: ${because}.`);
  if (still.length > 0) print(`Install it with: ${installHint(still)}`);
  return still.length === 0 ? 0 : 1;
}

function unitTests(): string[] {
  return testFiles().filter(path => !isEndToEnd(path) && !isWorld(path) && !isScenario(path));
}

/** Two processes: the one that computes leaves the one that waits for servers and timers the time it needs. */
async function runUnitTests(): Promise<number> {
  const waits = (path: string) => /^(focus|geo-proxy|infra)\//.test(path);
  const files = unitTests();
  const aside = runAside(process.execPath, testOptions(files.filter(waits), UNIT_TIMEOUT_MS, [ONE_PROCESS]));
  const code = await runBeside(
    process.execPath,
    testOptions(
      files.filter(path => !waits(path)),
      UNIT_TIMEOUT_MS,
      [ONE_PROCESS],
    ),
  );
  const { code: codeAside, output } = await aside;
  print(output);
  return code === 0 ? codeAside : code;
}

function worldTests(): string[] {
  return testFiles().filter(isWorld);
}

function endToEndTests(): string[] {
  return testFiles().filter(isEndToEnd);
}

function scenarioTests(): string[] {
  return testFiles().filter(isScenario);
}

function isEndToEnd(path: string): boolean {
  return path.startsWith('test/e2e/');
}

function isWorld(path: string): boolean {
  return path.startsWith('test/sim/');
}

function isScenario(path: string): boolean {
  return path.startsWith('test/scenarios/');
}

function testFiles(): string[] {
  return globSync('{protocol,bridge,focus,geo-proxy,infra,test}/**/*.test.ts', { cwd: ROOT })
    .map(path => path.replaceAll('\\', '/'))
    .toSorted();
}

function runTests(
  files: readonly string[],
  timeoutMs: number,
  options: readonly string[],
  environment: Record<string, string> = {},
): number {
  if (files.length === 0) {
    print('there are no test files');
    return 1;
  }
  return runProgram(process.execPath, testOptions(files, timeoutMs, options), environment);
}

function testOptions(files: readonly string[], timeoutMs: number, options: readonly string[]): string[] {
  return ['--test', '--test-reporter=spec', `--test-timeout=${timeoutMs}`, ...options, ...files];
}

/** A program of node_modules. */
function runTool(name: string, options: readonly string[]): number {
  return runProgram(join(ROOT, 'node_modules', '.bin', name), options);
}

/** Runs with our own output; a program that could not be started or was killed counts as failed. */
function runProgram(program: string, options: readonly string[], environment: Record<string, string> = {}): number {
  const { status, signal, error } = spawnSync(program, options, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) print(`${program}: ${error.message}`);
  if (signal !== null) print(`${program} was ended by ${signal}`);
  return status ?? 1;
}

/** Runs with our own output, while others run. */
function runBeside(program: string, options: readonly string[]): Promise<number> {
  return ended(spawn(program, options, { cwd: ROOT, stdio: 'inherit' }));
}

/** Runs while others have our output; its own is the answer. */
async function runAside(
  program: string,
  options: readonly string[],
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(program, options, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
  const code = await ended(child);
  return { code, output: Buffer.concat(parts).toString('utf8') };
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise(resolve => {
    child.on('error', error => {
      print(`${child.spawnfile}: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code, signal) => {
      if (signal !== null) print(`${child.spawnfile} was ended by ${signal}`);
      resolve(code ?? 1);
    });
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
