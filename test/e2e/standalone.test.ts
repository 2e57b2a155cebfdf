/** The services as an operator runs them: one process each, production settings, YAML files and environment variables. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AccessToken } from 'livekit-server-sdk';
import { Client } from './client.ts';
import { eventually } from './eventually.ts';

const SECRET = 'a control secret of more than 32 characters';
const KEY = { key: 'operator', secret: 'an API secret of more than 32 characters' };
const ROOM = 'standalone';

interface Service {
  readonly process: ChildProcess;
  output: string;
}

describe('services in processes of their own', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-'));
  const services = new Map<string, Service>();
  const clients: Client[] = [];
  let geoProxyUrl: string;

  before(async () => {
    const [focus, geoProxy, ...controls] = await freePorts(5);
    const focusUrl = `http://127.0.0.1:${focus}`;
    geoProxyUrl = `ws://127.0.0.1:${geoProxy}`;
    start('focus', {
      yaml: [
        `port: ${focus}`,
        'bind_addresses: [127.0.0.1]',
        `keys: { ${KEY.key}: ${KEY.secret} }`,
        'region: eu',
        // One participant per bridge, so that two of them make a mesh.
        'placement: { participants_per_bridge_max: 1 }',
      ],
      env: { CAUSEWAY_CONTROL_SECRET: SECRET },
    });
    for (const [index, control] of controls.entries()) {
      start('bridge', {
        name: `bridge-${index}`,
        yaml: [
          `bridge_id: bridge-${index}`,
          'region: eu',
          'rtc: { udp_port: 0 }',
          'octo: { port: 0, bind_address: 127.0.0.1, address: 127.0.0.1 }',
          `control: { port: ${control}, secret: "${SECRET}" }`,
        ],
        env: { CAUSEWAY_FOCUS_URLS: focusUrl },
      });
    }
    start('geo-proxy', {
      yaml: [
        `port: ${geoProxy}`,
        'bind_addresses: [127.0.0.1]',
        `regions: [{ name: eu, focus: "${focusUrl}", lat: 50.1, lon: 8.7 }]`,
      ],
      env: {},
    });
    await eventually(
      'all bridges are registered',
      15_000,
      async () => (await runningBridges(focusUrl)) === 3,
      () => [...services].map(([name, { output }]) => [name, output.slice(-500)]),
    );
  });

  after(async () => {
    for (const client of clients) await client.close();
    for (const { process } of services.values()) process.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  function start(
    script: string,
    options: { name?: string; yaml: readonly string[]; env: Record<string, string> },
  ): void {
    const name = options.name ?? script;
    const config = join(folder, `${name}.yaml`);
    writeFileSync(config, options.yaml.join('\n'));
    const main = fileURLToPath(new URL(`../../${script}/main.ts`, import.meta.url));
    const child = spawn(process.execPath, [main, '--config', config], {
      env: { PATH: process.env.PATH, ...options.env },
    });
    const service: Service = { process: child, output: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (service.output += chunk));
    services.set(name, service);
  }

  async function joined(identity: string, index: number): Promise<Client> {
    const client = new Client(identity, index, other => (other === 'ada' ? 0 : 1));
    clients.push(client);
    const token = new AccessToken(KEY.key, KEY.secret, { identity, ttl: 600 });
    token.addGrant({ roomJoin: true, room: ROOM });
    await client.room.connect(geoProxyUrl, await token.toJwt(), { autoSubscribe: true, dynacast: false });
    await client.publishMicrophone();
    await client.publishCamera();
    return client;
  }

  test('two clients meet over bridges in two processes', async () => {
    const ada = await joined('ada', 0);
    const bob = await joined('bob', 1);
    for (const [viewer, publisher] of [
      [ada, 'bob'],
      [bob, 'ada'],
    ] as const) {
      await eventually(
        `${viewer.identity} sees and hears ${publisher}`,
        10_000,
        () => (viewer.seen.get(publisher)?.frames ?? 0) > 10 && (viewer.heard.get(publisher) ?? 0) > 20,
      );
    }
    assert.notEqual(ada.attributesOf('bob')['causeway.bridge'], bob.attributesOf('ada')['causeway.bridge']);
  });

  test('no secret is in any log', () => {
    for (const [name, { output }] of services) {
      assert.ok(output.length > 0, `${name} says that it is up`);
      assert.ok(
        !output.includes(SECRET) && !output.includes(KEY.secret) && !output.includes('eyJ'),
        `${name} keeps secrets`,
      );
    }
  });

  test('who was on a bridge that is killed comes back on another, and is seen again', async () => {
    const [ada, bob] = clients;
    const killed = ada.attributesOf('bob')['causeway.bridge'];
    services.get(killed)!.process.kill('SIGKILL');
    services.delete(killed);
    await eventually(
      'ada sees bob on another bridge',
      20_000,
      () => ![undefined, killed].includes(ada.attributesOf('bob')['causeway.bridge']),
      () => ada.attributesOf('bob'),
    );
    const frames = ada.seen.get('bob')!.frames;
    await eventually('ada sees bob move', 10_000, () => ada.seen.get('bob')!.frames > frames + 10);
    await eventually('bob sees ada', 10_000, () => performance.now() - bob.seen.get('ada')!.lastFrameAtMs < 300);
  });

  test('a service that is told to stop exits with 0 within 2 s', async () => {
    for (const name of services.keys()) {
      const { process: child } = services.get(name)!;
      const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
      const startedAt = performance.now();
      child.kill('SIGTERM');
      assert.equal(await exited, 0, name);
      assert.ok(performance.now() - startedAt < 2_000, `${name} took ${(performance.now() - startedAt).toFixed(0)} ms`);
    }
  });
});

/** As the focus's metrics tell; 0 while it does not answer. */
async function runningBridges(focusUrl: string): Promise<number> {
  const response = await fetch(`${focusUrl}/metrics`).catch(() => undefined);
  const text = (await response?.text()) ?? '';
  return Number(/causeway_focus_bridges\{[^}]*state="running"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>(resolve => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map(server => (server.address() as { port: number }).port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
}
