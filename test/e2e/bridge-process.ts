/** Bridges in processes of their own, and a focus in this one, for tests of what becomes of a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { readFocusConfig } from '../../focus/config.ts';
import { type RunningFocus, startFocus } from '../../focus/service.ts';
import { signServiceToken } from '../../protocol/control/service-token.ts';

const SECRET = 'a control secret of more than 32 characters';
const MAIN = fileURLToPath(new URL('../../bridge/main.ts', import.meta.url));

export interface BridgeProcess {
  readonly name: string;
  readonly process: ChildProcess;
  /** All that it logged. */
  readonly output: () => string;
  /** Settles with its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  kill(signal: NodeJS.Signals): void;
}

/** Of an API that its own tests check. */
// biome-ignore lint/suspicious/noExplicitAny: each caller knows what it asked for.
export type Answer = any;

export interface LogLine {
  readonly atMs: number;
  readonly msg: string;
  readonly bridge?: string;
  readonly health?: string;
  readonly rule?: string;
}

export class ProcessNetwork {
  readonly lines: LogLine[] = [];
  readonly #bridges: BridgeProcess[] = [];
  readonly #flags: Readonly<Record<string, unknown>>;
  #focus: RunningFocus | undefined;

  constructor(flags: Readonly<Record<string, unknown>> = {}) {
    this.#flags = flags;
  }

  get focus(): RunningFocus {
    return this.#focus!;
  }

  async start(): Promise<void> {
    const stream = new Writable({
      write: (chunk, _encoding, done) => {
        for (const line of String(chunk).trimEnd().split('\n')) {
          this.lines.push({ ...JSON.parse(line), atMs: performance.now() });
        }
        done();
      },
    });
    const flags = { port: 0, bind_addresses: ['127.0.0.1'], development: true, region: 'eu', 'control.secret': SECRET };
    this.#focus = await startFocus(readFocusConfig({ env: {}, flags: { ...flags, ...this.#flags } }), pino(stream));
  }

  startBridge(name: string, region = 'eu', env: Readonly<Record<string, string>> = {}): BridgeProcess {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        CAUSEWAY_BRIDGE_ID: name,
        CAUSEWAY_REGION: region,
        CAUSEWAY_DEVELOPMENT: 'true',
        CAUSEWAY_DATAPATH: 'portable',
        CAUSEWAY_RTC_UDP_PORT: '0',
        CAUSEWAY_OCTO_PORT: '0',
        CAUSEWAY_OCTO_BIND_ADDRESS: '127.0.0.1',
        CAUSEWAY_OCTO_ADDRESS: '127.0.0.1',
        CAUSEWAY_CONTROL_PORT: '0',
        CAUSEWAY_CONTROL_SECRET: SECRET,
        CAUSEWAY_FOCUS_URLS: this.focus.url,
        ...env,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk));
    const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string);
    const bridge = {
      name,
      process: child,
      output: () => output,
      ended,
      kill: (signal: NodeJS.Signals) => void child.kill(signal),
    };
    this.#bridges.push(bridge);
    return bridge;
  }

  /** Of this focus's admin API, or a bridge's control API. */
  async ask(method: string, url: string, body?: unknown): Promise<{ status: number; body: Answer }> {
    const response = await fetch(new URL(url, this.focus.url), {
      method,
      headers: {
        authorization: `Bearer ${await signServiceToken(SECRET, 'test')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  async bridges(): Promise<Answer[]> {
    return (await this.ask('GET', '/v1/bridges')).body.bridges;
  }

  /** A conference that spans these bridges, with nobody in it: they have links. */
  async linkAll(version: number): Promise<void> {
    const known = await this.bridges();
    const reports = await Promise.all(
      known.map(async ({ controlUrl }) => (await this.ask('GET', `${controlUrl}/v1/bridge`)).body),
    );
    const spec = { version, bridges: reports.map(({ peer }) => peer), endpoints: [] };
    await Promise.all(known.map(({ controlUrl }) => this.ask('PUT', `${controlUrl}/v1/conferences/00000001`, spec)));
  }

  async close(): Promise<void> {
    for (const bridge of this.#bridges) {
      bridge.kill('SIGKILL');
      await bridge.ended;
    }
    await this.#focus?.close();
  }
}
