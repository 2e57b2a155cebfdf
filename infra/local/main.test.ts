import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import { SignalClient } from '../../focus/io/signal-client.fixture.ts';
import { freeBase } from './free-base.fixture.ts';

/** Of a geo-proxy, a focus and three bridges. */
const PORTS = 2 + 3 * 3;
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
type Started = ChildProcessByStdio<null, Readable, Readable>;

function start(...args: string[]): Started {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function outputUntil(process: Started, pattern: RegExp): Promise<string> {
  let output = '';
  for await (const chunk of process.stdout) {
    output += chunk;
    if (pattern.test(output)) return output;
  }
  assert.fail(`ended without ${pattern}: ${output}`);
}

test('the table has every service with region, address and state, and the page works; Ctrl-C tells a client to leave and ends it all within 2 s', async () => {
  const base = await freeBase(PORTS);
  const process = start('--port-base', String(base));
  const errors = text(process.stderr);
  // That the table is there within 3 s is not asserted: it says how busy this machine is with other tests as much as how long a start takes.
  const table = await outputUntil(process, /Ctrl-C.*\n/);
  process.stdout.resume();
  for (const row of [/^geo-proxy +all +\S+ +ready$/m, /^focus +all +\S+ +ready$/m]) assert.match(table, row);
  for (const region of ['eu', 'us', 'ap'])
    assert.match(table, new RegExp(`^bridge ${region}-1 +${region} +http:\\S+ .* ready$`, 'm'));
  assert.match(table, new RegExp(`Meeting page +http://localhost:${base}/`));
  const page = await fetch(`http://127.0.0.1:${base}/`);
  assert.match(await page.text(), /<title>Causeway<\/title>/);
  // Through the geo-proxy, in another region than the default one, as SDKs come.
  const client = await SignalClient.join(`http://127.0.0.1:${base}/region/us/`, 'alice');
  const askedAtMs = performance.now();
  process.kill('SIGINT');
  const [code] = await once(process, 'exit');
  assert.equal(code, 0);
  assert.ok(performance.now() - askedAtMs < 2_000, `took ${performance.now() - askedAtMs} ms`);
  const leave = await client.next('leave');
  assert.deepEqual([leave.action, leave.reason], [LeaveRequest_Action.DISCONNECT, DisconnectReason.SERVER_SHUTDOWN]);
  await client.closed;
  assert.equal(await errors, '');
});

test('a busy port is one line with the port, the service and the option, and exit code 1', async () => {
  const busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const { port } = busy.address() as { port: number };
  const process = start('--port-base', String(port));
  const [errors, [code]] = await Promise.all([text(process.stderr), once(process, 'exit')]);
  assert.equal(code, 1);
  assert.match(
    errors,
    new RegExp(`^causeway: port ${port} is in use: geo-proxy needs it; --port-base N moves all ports\\n$`),
  );
  busy.close();
});

test('an unknown option is one line with its name, and exit code 1', async () => {
  const process = start('--bridges', '2');
  const [errors, [code]] = await Promise.all([text(process.stderr), once(process, 'exit')]);
  assert.equal(code, 1);
  assert.match(errors, /^causeway: .*'--bridges'.*\n$/);
});

test('--help is exit code 0', async () => {
  const process = start('--help');
  const [output, [code]] = await Promise.all([text(process.stdout), once(process, 'exit')]);
  assert.equal(code, 0);
  assert.match(output, /--bridges-per-region N/);
});
