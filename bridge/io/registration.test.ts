import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { BridgeReport } from '../../protocol/control/events.ts';
import { verifyServiceToken } from '../../protocol/control/service-token.ts';
import type { Clock } from './clock.ts';
import { Registration } from './registration.ts';

const SECRET = 'a secret that only tests know, 32+';

/** A clock that moves only to the next timer. */
class HandClock implements Clock {
  now = 5_000;
  calledOff = 0;
  #timer: { readonly atMs: number; readonly run: () => void } | undefined;
  #armed = Promise.withResolvers<void>();

  nowMs(): number {
    return this.now;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#timer = { atMs: this.now + delayMs, run };
    this.#armed.resolve();
    return () => this.calledOff++;
  }

  /** Waits for the attempt under way to end; then starts the next and returns how long it had to wait. */
  async next(): Promise<number> {
    await this.#armed.promise;
    this.#armed = Promise.withResolvers();
    const { atMs, run } = this.#timer!;
    const waitedMs = atMs - this.now;
    this.now = atMs;
    run();
    return waitedMs;
  }

  /** Waits for the attempt under way to end. */
  async settled(): Promise<void> {
    await this.#armed.promise;
  }
}

interface Line {
  readonly level: 'info' | 'warn';
  readonly text: string;
  readonly fields: Record<string, unknown>;
}

interface Focus {
  readonly url: string;
  readonly requests: IncomingMessage[];
  /** What it answers with; 0 breaks the connection instead. */
  status: number;
}

async function startFocus(t: TestContext, status: number): Promise<Focus> {
  const server: Server = createServer((request, response) => {
    focus.requests.push(request);
    if (focus.status === 0) request.socket.destroy();
    else response.writeHead(focus.status).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const focus: Focus = { url: `http://127.0.0.1:${port}`, requests: [], status };
  return focus;
}

function register(t: TestContext, url: string) {
  const clock = new HandClock();
  const lines: Line[] = [];
  const write = (level: Line['level']) => (fields: object, text: string) =>
    lines.push({ level, text, fields: fields as Line['fields'] });
  const registration = new Registration({
    bridgeId: 'bridge-1',
    focusUrls: [url],
    secret: SECRET,
    report: () => ({ bootId: 'boot-1' }) as BridgeReport,
    log: { info: write('info'), warn: write('warn') } as never,
    clock,
  });
  t.after(() => registration.close());
  return { clock, lines, registration };
}

test('a focus is told every 2 s, with a token for this bridge, also when its URL ends in a slash', async t => {
  const focus = await startFocus(t, 204);
  const { clock, lines, registration } = register(t, `${focus.url}/`);
  assert.equal(registration.registeredWith, 0);
  assert.equal(await clock.next(), 2_000);
  assert.equal(await clock.next(), 2_000);
  await clock.settled();
  assert.equal(registration.registeredWith, 1);
  assert.deepEqual(
    focus.requests.map(({ method, url }) => `${method} ${url}`),
    Array(3).fill('PUT /v1/bridges/bridge-1'),
  );
  assert.equal(await verifyServiceToken(SECRET, focus.requests[0]!.headers.authorization), 'bridge-1');
  assert.deepEqual(lines, [{ level: 'info', text: 'registered with focus', fields: { focus: `${focus.url}/` } }]);
});

test('a focus that never took a report is asked quickly for 3 s, then warned of once, and once more when it takes one', async t => {
  const focus = await startFocus(t, 401);
  const { clock, lines, registration } = register(t, focus.url);
  for (let waitedMs = 200; waitedMs < 3_000; waitedMs += 200) assert.equal(await clock.next(), 200);
  assert.equal(await clock.next(), 200);
  assert.deepEqual(lines, [], 'both may start in any order');
  assert.equal(await clock.next(), 2_000);
  assert.equal(await clock.next(), 2_000);
  await clock.settled();
  assert.deepEqual(lines, [
    {
      level: 'warn',
      text: 'focus has never taken a report of this bridge',
      fields: { focus: focus.url, status: 401, hint: 'control.secret must be the same on focus and bridge' },
    },
  ]);
  assert.deepEqual(
    registration.focuses.map(({ url, isRegistered }) => ({ url, isRegistered })),
    [{ url: focus.url, isRegistered: false }],
  );
  focus.status = 204;
  await clock.next();
  await clock.settled();
  assert.equal(registration.focuses[0]!.isRegistered, true);
  assert.deepEqual(
    lines.slice(1).map(({ level, text }) => `${level} ${text}`),
    ['info registered with focus'],
  );
});

test('a lost focus is warned of once, with the error and without the token, and asked every 2 s', async t => {
  const focus = await startFocus(t, 204);
  const { clock, lines, registration } = register(t, focus.url);
  await clock.settled();
  focus.status = 0;
  for (let attempt = 0; attempt < 3; attempt++) assert.equal(await clock.next(), 2_000);
  await clock.settled();
  assert.equal(registration.registeredWith, 0);
  const warnings = lines.filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]!.text, 'focus takes no reports any more');
  assert.match(String(warnings[0]!.fields.error), /closed|ECONNRESET/);
  assert.doesNotMatch(JSON.stringify(lines), /eyJ/);
  focus.status = 204;
  await clock.next();
  await clock.settled();
  assert.equal(lines.at(-1)!.text, 'registered with focus');
});

test('nobody is asked after close', async t => {
  const focus = await startFocus(t, 204);
  const { clock, registration } = register(t, focus.url);
  await clock.settled();
  registration.close();
  assert.equal(clock.calledOff, 1);
});
