import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { out: '', err: '' };
  child.stdout.on('data', text => {
    output.out += text;
  });
  child.stderr.on('data', text => {
    output.err += text;
  });
  return { child, output, closed: once(child, 'close') };
}

test('SIGINT ends a run with its table and exit code 0', async () => {
  const { child, output, closed } = start(['--path', '127.0.0.1:0=127.0.0.1:9', '--duration', '20s']);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  assert.deepEqual(await closed, [0, null], output.err);
  assert.match(output.out, /^path 1: 127\.0\.0\.1:\d+ to 127\.0\.0\.1:9\n/);
  assert.match(output.out, /datagrams +path 1 forth +path 1 back\noffered +0 +0\n/);
});

test('a mesh says which bridges each path is between, and what they announce', async () => {
  const mesh = '127.0.0.1:0=127.0.0.1:9,127.0.0.1:0=127.0.0.1:10,127.0.0.1:0=127.0.0.1:11';
  const { output, closed } = start(['--mesh', mesh, '--duration', '1']);
  assert.deepEqual(await closed, [0, null], output.err);
  assert.match(output.out, /^path 1: 127\.0\.0\.1:9 \(announced as 127\.0\.0\.1:\d+\) to 127\.0\.0\.1:10 /);
  assert.match(output.out, /\npath 3: 127\.0\.0\.1:10 .* to 127\.0\.0\.1:11 /);
  assert.match(output.out, /path 3 forth +path 3 back\noffered/);
});

test('a bad flag is told on stderr, with exit code 2', async () => {
  const { output, closed } = start(['--path', '127.0.0.1:0=127.0.0.1:9', '--loss', 'much']);
  assert.deepEqual(await closed, [2, null]);
  assert.match(output.err, /^--loss is "much"; allowed: a share such as 2% or 0\.02\n/);
  assert.equal(output.out, '');
});
