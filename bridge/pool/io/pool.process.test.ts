/** A pool as an operator runs it: real processes, real ports, and a focus that takes their reports. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BridgeReport } from '../../../protocol/control/events.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

interface LogLine {
  readonly msg: string;
  readonly bridge?: string;
  readonly pid?: number;
  readonly restarts?: number;
}

/** What a test waits for, in whatever order it comes. */
class Sightings<T> {
  readonly all: T[] = [];
  #waiting: (() => void)[] = [];

  add(one: T): void {
    this.all.push(one);
    for (const look of this.#waiting.splice(0)) look();
  }

  /** The first that matches, seen already or still to come. */
  async first(matches: (one: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.all.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
  }
}

async function startFocus(t: TestContext) {
  const reports = new Sightings<BridgeReport>();
  const server = createServer(async (request, response) => {
    reports.add(JSON.parse(await text(request)) as BridgeReport);
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reports };
}

interface Ports {
  readonly media: number;
  readonly octo: number;
  readonly control: number;
}

function startPool(t: TestContext, bridges: number, focusUrl: string, { media, octo, control }: Ports) {
  const pool = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, '--bridges', String(bridges)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      CAUSEWAY_BRIDGE_ID: 'fra',
      CAUSEWAY_HOST: 'metal-7',
      CAUSEWAY_DEVELOPMENT: 'true',
      CAUSEWAY_FOCUS_URLS: focusUrl,
      CAUSEWAY_RTC_UDP_PORT: String(media),
      CAUSEWAY_RTC_BIND_ADDRESS: '127.0.0.1',
      CAUSEWAY_OCTO_PORT: String(octo),
      CAUSEWAY_OCTO_BIND_ADDRESS: '127.0.0.1',
      CAUSEWAY_CONTROL_PORT: String(control),
    },
  });
  const log = new Sightings<LogLine>();
  const lines = createInterface(pool.stdout).on('line', line => log.add(JSON.parse(line) as LogLine));
  // The pool's bridges write to the same pipe: it ends when the last process that has it does.
  const allEnded = once(lines, 'close');
  t.after(async () => {
    pool.kill('SIGKILL');
    await allEnded;
  });
  return { pool, log, allEnded, errors: text(pool.stderr) };
}

const isUp = (bridge: string, restarts: number) => (line: LogLine) =>
  line.msg === 'bridge process is up' && line.bridge === bridge && line.restarts === restarts;
const isFrom = (bridgeId: string, before?: BridgeReport) => (report: BridgeReport) =>
  report.peer.bridgeId === bridgeId && report.bootId !== before?.bootId;

/** As an operator's Prometheus sees it. */
async function restartsOf({ controlUrl }: BridgeReport): Promise<string | undefined> {
  const metrics = await (await fetch(`${controlUrl}/metrics`)).text();
  return /^causeway_bridge_restarts_total\{.*\} (\d+)$/m.exec(metrics)?.[1];
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? (await once(child, 'exit'))[0];
}

/** First of two ports in a row that nobody has, for UDP (twice: media and Octo) and TCP. */
async function freePorts(): Promise<Ports> {
  const [media, octo, control] = [await freePair(bindUdp), await freePair(bindUdp), await freePair(bindTcp)];
  return media === octo || Math.abs(media - octo) === 1 ? freePorts() : { media, octo, control };
}

interface Bound {
  readonly port: number;
  close(): Promise<unknown>;
}

async function freePair(bind: (port: number) => Promise<Bound | undefined>): Promise<number> {
  const first = (await bind(0))!;
  const second = first.port < 65_535 ? await bind(first.port + 1) : undefined;
  await Promise.all([first.close(), second?.close()]);
  return second === undefined ? freePair(bind) : first.port;
}

async function bindUdp(port: number): Promise<Bound | undefined> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  const isBound = await once(socket, 'listening').then(
    () => true,
    () => false,
  );
  return isBound ? { port: socket.address().port, close: () => closed(socket) } : undefined;
}

async function bindTcp(port: number): Promise<Bound | undefined> {
  const server = createTcpServer().listen(port, '127.0.0.1');
  const isBound = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  return isBound ? { port: (server.address() as AddressInfo).port, close: () => closed(server) } : undefined;
}

function closed(socket: { close(done: () => void): unknown }): Promise<void> {
  return new Promise(resolve => socket.close(resolve));
}

describe('a pool of real processes', { timeout: 60_000 }, () => {
  test('a bridge that is killed comes back as itself, on its ports, and the other one never notices; both stop with the pool', async t => {
    const ports = await freePorts();
    const focus = await startFocus(t);
    const { pool, log, allEnded, errors } = startPool(t, 2, focus.url, ports);
    const [first, second] = await Promise.all(['fra-0', 'fra-1'].map(name => focus.reports.first(isFrom(name))));
    for (const [index, report] of [first!, second!].entries()) {
      assert.equal(report.peer.octo.port, ports.octo + index);
      assert.equal(report.controlUrl, `http://127.0.0.1:${ports.control + index}`);
      assert.equal(report.host, 'metal-7');
    }

    const { pid } = await log.first(isUp('fra-1', 0));
    process.kill(pid!, 'SIGKILL');
    const again = await focus.reports.first(isFrom('fra-1', second));
    const { pid: nextPid } = await log.first(isUp('fra-1', 1));
    assert.notEqual(nextPid, pid);
    assert.deepEqual([again.peer.octo, again.controlUrl], [second!.peer.octo, second!.controlUrl]);
    assert.equal(focus.reports.all.find(isFrom('fra-0', first)), undefined, 'the other has still its first boot');
    assert.deepEqual(
      log.all
        .filter(line => line.msg === 'bridge process is up')
        .map(({ bridge }) => bridge)
        .toSorted(),
      ['fra-0', 'fra-1', 'fra-1'],
    );

    assert.deepEqual(await Promise.all([first!, again].map(restartsOf)), ['0', '1']);

    pool.kill('SIGTERM');
    assert.equal(await exitOf(pool), 0);
    await allEnded;
    assert.equal(await errors, '');
  });

  test('a bridge whose pool is killed ends itself', async t => {
    const focus = await startFocus(t);
    const { pool, log, allEnded } = startPool(t, 1, focus.url, await freePorts());
    await log.first(isUp('fra-0', 0));
    pool.kill('SIGKILL');
    await allEnded;
  });

  test('a port that stays taken ends the pool with exit code 1 and one line that names the bridge and the key', async t => {
    const ports = await freePorts();
    const busy = createSocket('udp4').bind(ports.media, '127.0.0.1');
    await once(busy, 'listening');
    t.after(() => busy.close());
    const { pool, allEnded, errors } = startPool(t, 1, 'http://127.0.0.1:9', ports);
    assert.equal(await exitOf(pool), 1);
    assert.equal(
      await errors,
      `bridge: bridge fra-0 cannot be started: port ${ports.media} is in use: bridge fra-0 needs it for clients; the key rtc.udp_port moves it\n`,
    );
    await allEnded;
  });
});
