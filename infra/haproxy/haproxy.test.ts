/** haproxy.cfg with a real HAProxy, in front of two focuses. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { eventually, type FocusUnderTest, startFocusUnderTest } from '../../focus/io/focus.fixture.ts';
import { accessToken, signalUrl } from '../../focus/io/signal-client.fixture.ts';
import { UPGRADE } from '../../focus/io/upgrade.fixture.ts';

/** Who connects from here is in us; from anywhere else, in eu. */
const US_ADDRESS = '127.0.0.3';
const EU_ADDRESS = '127.0.0.2';

/** The way to a focus, which can be frozen, and say that the focus is not ready. */
class Front {
  isReady = true;
  #isFrozen = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(target: URL) {
    this.#server = createServer(near => {
      near.once('data', first => {
        if (!this.isReady && first.includes('GET /readyz')) {
          near.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
          return;
        }
        const far = connect(Number(target.port), target.hostname);
        far.write(first);
        near.on('data', data => this.#isFrozen || far.write(data));
        far.on('data', data => this.#isFrozen || near.write(data));
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const) {
          one.on('error', () => {});
          one.once('close', () => other.destroy());
        }
      });
      near.on('error', () => {});
      this.#sockets.add(near);
      near.once('close', () => this.#sockets.delete(near));
      if (this.#isFrozen) near.pause();
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As a process that is stopped: connections are taken, and nothing is answered. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe('HAProxy before two focuses', () => {
  let proxy: ChildProcess;
  let url: string;
  const folder = mkdtempSync(join(tmpdir(), 'causeway-haproxy-'));
  const focuses: Record<string, FocusUnderTest> = {};
  const fronts: Record<string, Front> = {};
  const sockets: Socket[] = [];

  before(async () => {
    for (const region of ['eu', 'us']) {
      // What comes from the proxy's own address is believed, and from clients' addresses is not.
      const flags = { region, trusted_proxies: ['127.0.0.1/32'], focus_id: `focus-${region}` };
      focuses[region] = await startFocusUnderTest(flags);
      fronts[region] = new Front(new URL(focuses[region].focus.url));
    }
    const map = join(folder, 'regions.map');
    writeFileSync(map, `${US_ADDRESS}/32 us\n`);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    proxy = spawn('haproxy', ['-db', '-f', join(import.meta.dirname, 'haproxy.cfg')], {
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        LISTEN: `127.0.0.1:${port}`,
        REGION_MAP: map,
        FOCUS_EU: await fronts['eu'].open(),
        FOCUS_US: await fronts['us'].open(),
      },
    });
    const missing = once(proxy, 'error').then(() => {
      throw new Error('haproxy is missing: install it (Debian: apt-get install haproxy), so that it is in PATH');
    });
    const ready = eventually(() =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    await Promise.race([missing, ready]);
    missing.catch(() => {});
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    const gone = once(proxy, 'exit');
    proxy.kill('SIGKILL');
    await gone;
    for (const front of Object.values(fronts)) front.close();
    for (const world of Object.values(focuses)) await world.close().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a signalling socket from an address; the focus's answer where it does not become one. */
  async function open(identity: string, localAddress: string, headers = {}): Promise<Socket | string> {
    // On a slow machine what the bridges said is too old before long.
    for (const { bridge, focus } of Object.values(focuses)) await bridge.register(focus.url).catch(() => {});
    const target = signalUrl(url, await accessToken({ identity }));
    const request = get(target, { localAddress, headers: { ...UPGRADE, ...headers }, agent: false });
    return new Promise((resolve, reject) => {
      request.once('upgrade', (_response, socket: Socket) => {
        sockets.push(socket);
        resolve(socket);
      });
      request.once('response', response => text(response).then(resolve, reject));
      request.once('error', reject);
    });
  }

  const participant = (region: string, identity: string) =>
    focuses[region].focus.host.room('talk')?.participants.get(identity);

  test('a client is served by the focus of its region, and is in the region that the map has for its address', async () => {
    await open('ann', EU_ADDRESS);
    await open('uma', US_ADDRESS);
    await eventually(() => participant('eu', 'ann') !== undefined && participant('us', 'uma') !== undefined);
    assert.deepEqual([participant('eu', 'ann')?.region, participant('us', 'uma')?.region], ['eu', 'us']);
  });

  test('what a client says about its region is not believed', async () => {
    await open('eve', EU_ADDRESS, { 'x-region': 'us' });
    await eventually(() => participant('eu', 'eve') !== undefined);
    assert.equal(participant('eu', 'eve')?.region, 'eu');
  });

  test('a refusal of the focus comes through as it is', async () => {
    const target = signalUrl(url, 'no token');
    const response = await fetch(new URL(`${target.pathname}/validate${target.search}`, url));
    assert.deepEqual([response.status, await response.text()], [401, 'invalid authorization token']);
  });

  test('when no focus is ready, as when the store is away, nobody is cut off and joins go on', async () => {
    const socket = await open('ada', EU_ADDRESS);
    assert.ok(typeof socket !== 'string');
    socket.resume();
    for (const front of Object.values(fronts)) front.isReady = false;
    await eventually(async () => !(await fetch(`${url}/readyz`)).ok);
    // Two bad answers, a second apart, and some more.
    await new Promise(resolve => setTimeout(resolve, 3_000));
    assert.ok(typeof (await open('eda', EU_ADDRESS)) !== 'string');
    await eventually(() => participant('eu', 'eda') !== undefined);
    assert.ok(!socket.destroyed);
  });

  test('a focus that is not ready is passed over while another one is, and keeps the clients it has', async () => {
    fronts['eu'].isReady = false;
    fronts['us'].isReady = true;
    await eventually(async () => {
      await open('ida', EU_ADDRESS);
      return participant('us', 'ida') !== undefined;
    });
    assert.equal(participant('us', 'ida')?.region, 'eu');
    assert.ok(participant('eu', 'ada') !== undefined);
    fronts['eu'].isReady = true;
  });

  test('a focus that does not answer any more loses its clients within seconds, and they are served by the other one', async () => {
    const socket = await open('isa', US_ADDRESS);
    assert.ok(typeof socket !== 'string');
    const closed = once(socket, 'close');
    socket.resume();
    fronts['us'].freeze();
    await closed;
    assert.ok(typeof (await open('isa', US_ADDRESS)) !== 'string');
    assert.equal(participant('eu', 'isa')?.region, 'us');
    fronts['us'].thaw();
    await eventually(async () => {
      await open('ora', US_ADDRESS);
      return participant('us', 'ora') !== undefined;
    });
  });

  test('when a focus is gone its clients are cut off, and served by the other one in their own region', async () => {
    const socket = await open('una', US_ADDRESS);
    assert.ok(typeof socket !== 'string');
    const closed = once(socket, 'close');
    socket.resume();
    await focuses['us'].focus.close();
    fronts['us'].close();
    await closed;
    await eventually(async () => {
      await open('una', US_ADDRESS).catch(() => undefined);
      return participant('eu', 'una') !== undefined;
    });
    assert.equal(participant('eu', 'una')?.region, 'us');
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
