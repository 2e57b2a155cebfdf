/** One service in a process of its own, as an operator runs it: from a configuration file, with a log, ended by a signal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type ServiceKind = 'focus' | 'bridge';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** A service that has not ended by itself so long after SIGTERM is killed. */
const GOODBYE_MS = 8_000;

/** All that run, so that none outlives a test that fails before it can close anything. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class ServiceProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #script: string;
  readonly #configFile: string;
  #child: ChildProcess | undefined;

  /** Writes the configuration into `folder`, where the log will be too. `root` is a source tree: another one is another version. */
  constructor(kind: ServiceKind, name: string, config: object, folder: string, root = ROOT) {
    this.name = name;
    this.#script = join(root, kind, 'main.ts');
    this.#configFile = join(folder, `${name}.yaml`);
    this.logFile = join(folder, `${name}.log`);
    // YAML reads JSON.
    writeFileSync(this.#configFile, JSON.stringify(config));
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Undefined while it runs, and when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child?.exitCode ?? undefined;
  }

  /** What it has logged, of all its lives. */
  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  start(): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, 'a');
    const args = ['--disable-warning=ExperimentalWarning', this.#script, '--config', this.#configFile];
    const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.once('error', () => running.delete(child));
    this.#child = child;
  }

  /** At once, without a word to anybody. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** There, and deaf: the kernel still accepts for it. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** As a service manager ends it: SIGTERM, and SIGKILL for one that does not go. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), GOODBYE_MS);
    try {
      await this.#end('SIGTERM');
    } finally {
      clearTimeout(timer);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    // Whoever is frozen takes no SIGTERM.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    await gone;
  }
}
