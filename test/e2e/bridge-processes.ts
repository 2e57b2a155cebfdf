/** A focus in this process, and bridges in processes of their own, to be killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { readFocusConfig } from '../../focus/config.ts';
import { type RunningFocus, startFocus } from '../../focus/service.ts';
import { API_KEY, API_SECRET } from './client.ts';
import { eventually } from './eventually.ts';

const SECRET = 'a control secret of more than 32 characters';

export interface BridgeProcesses {
  readonly focus: RunningFocus;
  /** Where SDKs connect. */
  readonly url: string;
  /** Ends a bridge's process as a power cut would; resolves when it has ended. */
  kill(bridgeId: string): Promise<void>;
  close(): Promise<void>;
}

/** Each bridge takes one participant, so that all of them are somewhere else; the one that is left over is where one can go. */
export async function startBridgeProcesses(names: readonly string[]): Promise<BridgeProcesses> {
  const flags = {
    port: 0,
    bind_addresses: ['127.0.0.1'],
    development: true,
    keys: { [API_KEY]: API_SECRET },
    region: 'eu',
    'control.secret': SECRET,
    'placement.participants_per_bridge_max': 1,
  };
  const focus = await startFocus(readFocusConfig({ env: {}, flags }), pino({ level: 'silent' }));
  const folder = mkdtempSync(join(tmpdir(), 'causeway-'));
  const children = new Map<string, { readonly child: ChildProcess; output: string }>();
  const main = fileURLToPath(new URL('../../bridge/main.ts', import.meta.url));
  for (const name of names) {
    const config = join(folder, `${name}.yaml`);
    writeFileSync(config, yamlOf(name, focus.url));
    const child = spawn(process.execPath, [main, '--config', config], { env: { PATH: process.env['PATH'] } });
    const running = { child, output: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (running.output += chunk));
    children.set(name, running);
  }
  const end = async (name: string) => {
    const running = children.get(name);
    if (running === undefined || running.child.exitCode !== null || running.child.signalCode !== null) return;
    const exited = new Promise(resolve => running.child.once('exit', resolve));
    running.child.kill('SIGKILL');
    await exited;
  };
  const close = async () => {
    await Promise.all(names.map(end));
    await focus.close();
    rmSync(folder, { recursive: true });
  };
  try {
    await eventually(
      'all bridges are known',
      40_000,
      async () => (await bridgesOf(focus.url)) === names.length,
      () => [...children].map(([name, { output }]) => [name, output.slice(-500)]),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { focus, url: focus.url.replace('http', 'ws'), kill: end, close };
}

function yamlOf(name: string, focusUrl: string): string {
  return [
    `bridge_id: ${name}`,
    'region: eu',
    'rtc: { udp_port: 0 }',
    'octo: { port: 0, bind_address: 127.0.0.1, address: 127.0.0.1 }',
    `control: { port: 0, bind_address: 127.0.0.1, secret: "${SECRET}" }`,
    `focus: { urls: ["${focusUrl}"] }`,
    // All share a machine with the clients: none is to be full.
    'limits: { cpu: 8, event_loop_delay_ms: 10000 }',
  ].join('\n');
}

async function bridgesOf(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  const states = (await response.text()).matchAll(/^causeway_focus_bridges\{.*state="running".*\} (\d+)$/gm);
  return [...states].reduce((sum, [, count]) => sum + Number(count), 0);
}
