/** A process of a benchmark, and calls to it: one request, one answer, over the channel that node:child_process opens. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Place, placement } from './cores.ts';

/** What a child process answers to, by name. Arguments and results are what structured clone can carry. */
// biome-ignore lint/suspicious/noExplicitAny: each handler has its own arguments, and Child.call's caller names them by the same type
export type Handlers = Readonly<Record<string, (argument: any) => unknown>>;

interface Request {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

type Answer =
  | { readonly kind: 'progress'; readonly line: string }
  | { readonly kind: 'result'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly message: string };

const FLAGS = ['--expose-gc', '--disable-warning=ExperimentalWarning'];
const END_MS_MAX = 5_000;

/** A forked process that runs {@link serve} with handlers of type `H`. */
export class Child<H extends Handlers> {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #nextId = 1;

  /** `file` is the module to run, on `place`. Output of the child goes to stderr. */
  constructor(
    name: string,
    file: string,
    place: Place,
    progress: (line: string) => void,
    env: Record<string, string> = {},
  ) {
    this.name = name;
    const [execPath, ...execArgv] = [...placement(place), process.execPath, ...FLAGS];
    this.#process = fork(file, [], {
      execPath,
      execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
      env: { ...process.env, ...env },
    });
    this.#process.on('message', (answer: Answer) => {
      if (answer.kind === 'progress') return progress(answer.line);
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.kind === 'result') waiting?.resolve(answer.result);
      else waiting?.reject(new Error(`${name}: ${answer.message}`));
    });
    this.#process.on('exit', (code, signal) => {
      const error = new Error(`the ${name} process has ended (${signal ?? `exit code ${code}`})`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** Rejects with the child's error, or when the child ends. */
  call<M extends keyof H & string>(method: M, argument: Parameters<H[M]>[0]): Promise<Awaited<ReturnType<H[M]>>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      const request: Request = { id, method, argument };
      this.#process.send(request, error => {
        if (error !== null) reject(error);
      });
    });
  }

  /** Ends the process as a crash would: nothing is said to anybody. */
  async kill(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  /** Ends the process: asks first. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), END_MS_MAX);
    if (this.#process.connected) this.#process.disconnect();
    await ended;
    clearTimeout(late);
  }
}

/** Answers calls until the parent goes away; then `close` is called and the process ends. */
export function serve(handlers: Handlers, close: () => Promise<void>): void {
  process.on('message', async ({ id, method, argument }: Request) => {
    try {
      answer({ kind: 'result', id, result: await handlers[method](argument) });
    } catch (error) {
      answer({ kind: 'error', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on('disconnect', () => {
    void close().finally(() => process.exit());
  });
}

/** A line for people who wait. */
export function tellProgress(line: string): void {
  answer({ kind: 'progress', line });
}

function answer(message: Answer): void {
  if (process.connected) process.send?.(message);
}
