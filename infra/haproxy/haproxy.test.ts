/** haproxy.cfg with a real HAProxy, in front of two focuses. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type Socket } from 'node:net';
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

describe('HAProxy before two focuses', () => {
  let proxy: ChildProcess;
  let url: string;
  const folder = mkdtempSync(join(tmpdir(), 'causeway-haproxy-'));
  const focuses: Record<string, FocusUnderTest> = {};
  const sockets: Socket[] = [];

  before(async () => {
    for (const region of ['eu', 'us']) {
      // What comes from the proxy's own address is believed, and from clients' addresses is not.
      const flags = { region, trusted_proxies: ['127.0.0.1/32'], focus_id: `focus-${region}` };
      focuses[region] = await startFocusUnderTest(flags);
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
        FOCUS_EU: new URL(focuses['eu'].focus.url).host,
        FOCUS_US: new URL(focuses['us'].focus.url).host,
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

  test('when a focus is gone its clients are cut off, and served by the other one in their own region', async () => {
    const socket = await open('una', US_ADDRESS);
    assert.ok(typeof socket !== 'string');
    const closed = once(socket, 'close');
    socket.resume();
    await focuses['us'].focus.close();
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
