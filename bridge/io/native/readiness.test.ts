import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import { IPV4_NAME_BYTES, memoryOf, namesOf, nextTurn, openNative, receiver, until } from './native.sockets.ts';
import type { NativeSocket } from './native-socket.ts';
import { READABLE, Readiness, WRITABLE } from './readiness.ts';
import { SendBatch } from './send-batch.ts';

/** What the programs below have: a socket, a datagram waiting in it, and its Readiness calling `heard`. */
const PROGRAM_START = `
  const { NativeSocket } = await import('${urlOf('native-socket.ts')}');
  const { READABLE, Readiness, WRITABLE } = await import('${urlOf('readiness.ts')}');
  const { SendBatch } = await import('${urlOf('send-batch.ts')}');
  const { memoryOf, namesOf } = await import('${urlOf('native.sockets.ts')}');
  const say = text => process.stdout.write(text + '\\n');
  const socket = NativeSocket.open('127.0.0.1', 0);
  const batch = new SendBatch({ messages: 1, pieces: 1 });
  batch.begin(namesOf(socket.name().port), 0, 16);
  batch.add(memoryOf('x'), 0, 1);
  batch.send(socket, 0);
`;

describe('readiness', { skip: NOT_HERE }, () => {
  test('a listener that leaves no work behind spares the loop a turn, and one that does not say so does not', async context => {
    const socket = openNative(context);
    let callBack: ((status: number, events: number) => void) | undefined;
    const foreign = {
      ...loadForeign(),
      pollCallback: (callback: typeof callBack) => {
        callBack = callback;
        return 1n;
      },
      releaseCallback: () => {},
      uv_poll_init: () => 0,
      uv_poll_start: () => 0,
      uv_poll_stop: () => 0,
      uv_close: () => 0n,
    };
    let outcome: unknown;
    const readiness = new Readiness(socket, () => outcome, foreign);
    context.after(() => readiness.close());
    const turnsAsked = (returned: unknown) => {
      outcome = returned;
      const before = immediates();
      callBack?.(0, READABLE);
      return immediates() - before;
    };
    assert.equal(turnsAsked(true), 0);
    assert.equal(turnsAsked(undefined), 1);
    assert.equal(turnsAsked(false), 1);
    await nextTurn();
  });

  test('a listener is told of a datagram, again until it is read, and not after', async context => {
    const socket = openNative(context);
    const batch = receiver(1, 64);
    const told: [boolean, boolean][] = [];
    const readiness = new Readiness(socket, (isReadable, isWritable) => {
      told.push([isReadable, isWritable]);
      if (told.length === 3) batch.receive(socket);
    });
    context.after(() => readiness.close());
    await turns(3);
    assert.deepEqual(told, []);
    sendTo(socket);
    await until(() => told.length >= 3);
    await turns(3);
    assert.deepEqual(told, [
      [true, false],
      [true, false],
      [true, false],
    ]);
  });

  test('a listener is told what it asked for: writable, both, or nothing', async context => {
    const socket = openNative(context);
    let last = '';
    const readiness = new Readiness(socket, (isReadable, isWritable) => {
      last = `${isReadable} ${isWritable}`;
    });
    context.after(() => readiness.close());
    sendTo(socket);
    for (const [events, expected] of [
      [WRITABLE, 'false true'],
      [READABLE | WRITABLE, 'true true'],
      [READABLE, 'true false'],
      [0, ''],
    ] as const) {
      readiness.watch(events);
      last = '';
      if (events === 0) await turns(3);
      else await until(() => last !== '');
      assert.equal(last, expected);
    }
  });

  test('closed inside its listener it is not called again, and the descriptor’s next socket is watched', async context => {
    const socket = openNative(context);
    let calls = 0;
    const { promise, resolve } = Promise.withResolvers<string>();
    const readiness = new Readiness(socket, () => {
      calls++;
      readiness.close();
      readiness.close();
      socket.close();
      const next = openNative(context);
      assert.equal(next.descriptor, socket.descriptor);
      const watching = new Readiness(next, () => {
        watching.close();
        resolve('heard');
      });
      sendTo(next);
    });
    sendTo(socket);
    assert.equal(await promise, 'heard');
    await turns(5);
    assert.equal(calls, 1);
    readiness.watch(READABLE);
  });

  test('its callback is released once, when libuv is done with the handle', async context => {
    const released: bigint[] = [];
    const foreign = loadForeign();
    const counting = {
      ...foreign,
      releaseCallback: (pointer: bigint) => {
        released.push(pointer);
        foreign.releaseCallback(pointer);
      },
    };
    const readiness = new Readiness(openNative(context), () => {}, counting);
    readiness.close();
    readiness.close();
    await nextTurn();
    assert.equal(released.length, 0);
    await turns(5);
    assert.equal(released.length, 1);
    assert.throws(
      () => new Readiness(openNative(context), () => {}, { ...counting, uv_poll_init: () => -9 }),
      /uv_poll_init failed with -9/,
    );
    assert.equal(released.length, 2);
  });

  test('a closed socket, one that is watched already and no listener are refused; one that was watched before is not', context => {
    const socket = openNative(context);
    const first = new Readiness(socket, () => {});
    assert.throws(() => new Readiness(socket, () => {}), /watched already/);
    first.close();
    const second = new Readiness(socket, () => {});
    first.close();
    assert.throws(() => new Readiness(socket, () => {}), /watched already/);
    socket.close();
    second.close();
    assert.throws(() => new Readiness(socket, () => {}), /the socket is closed/);
    assert.throws(() => new Readiness(openNative(context), undefined as never), TypeError);
  });

  test('a socket stays free to be watched when the loop refused it', context => {
    const socket = openNative(context);
    const foreign = loadForeign();
    assert.throws(() => new Readiness(socket, () => {}, { ...foreign, uv_poll_init: () => -9 }), /uv_poll_init failed/);
    assert.throws(
      () => new Readiness(socket, () => {}, { ...foreign, uv_poll_start: () => -22 }),
      /uv_poll_start failed with -22/,
    );
    new Readiness(socket, () => {}).close();
  });

  test('events other than readable and writable are refused', context => {
    const readiness = new Readiness(openNative(context), () => {});
    context.after(() => readiness.close());
    for (const bad of [-1, 4, 0.5, Number.NaN, 2 ** 32, '1', undefined])
      assert.throws(() => readiness.watch(bad as number), /allowed: 0 to 3/);
  });

  test('what a listener throws is an uncaught exception like any other', async () => {
    const unhandled = await run(
      `${PROGRAM_START} new Readiness(socket, () => { throw new Error('out of a listener'); });`,
    );
    assert.equal(unhandled.code, 1);
    assert.match(unhandled.errors, /Error: out of a listener/);
    const handled = await run(`${PROGRAM_START}
      process.on('uncaughtException', error => { say('caught ' + error.message); socket.close(); });
      const readiness = new Readiness(socket, () => { throw new Error('out of a listener'); });`);
    assert.deepEqual([handled.code, handled.output.split('\n')[0]], [0, 'caught out of a listener']);
  });

  test('promises and ticks that a listener leaves run before the next timer', async () => {
    const { code, output } = await run(`${PROGRAM_START}
      const readiness = new Readiness(socket, () => {
        setTimeout(() => { say('timer'); socket.close(); }, 0);
        process.nextTick(say, 'tick');
        Promise.resolve('promise').then(say);
        readiness.watch(0);
      });`);
    assert.deepEqual([code, output.trim().split('\n')], [0, ['tick', 'promise', 'timer']]);
  });

  test('closing a socket that is watched does not end the process', async () => {
    const { code, output, errors } = await run(`${PROGRAM_START}
      const readiness = new Readiness(socket, () => {
        socket.close();
        readiness.watch(READABLE | WRITABLE);
        setTimeout(say, 20, 'alive');
      });`);
    assert.deepEqual([code, output.trim()], [0, 'alive'], errors);
  });

  test('a process may exit with sockets watched, inside a listener and outside', async () => {
    for (const [program, expected] of [
      ['new Readiness(socket, () => process.exit(7));', 7],
      ['new Readiness(socket, () => {}); setTimeout(() => process.exit(8), 10);', 8],
      ['const readiness = new Readiness(socket, () => readiness.watch(0));', 0],
    ] as const) {
      const { code, errors } = await run(PROGRAM_START + program);
      assert.equal(code, expected, errors);
    }
  });

  test('a readiness that nobody refers to goes on until it is closed', async () => {
    const { code, output } = await run(
      `${PROGRAM_START}
      let told = 0;
      (() => new Readiness(socket, () => { told++; globalThis.gc(); if (told === 20) socket.close(); }))();
      globalThis.gc();
      process.on('exit', () => say(String(told)));`,
      ['--expose-gc'],
    );
    assert.deepEqual([code, output.trim()], [0, '20']);
  });

  test('a worker is refused: its loop runs once more when there is no JavaScript left to call', async () => {
    const worker = new Worker(`(async () => { ${PROGRAM_START} new Readiness(socket, () => {}); })()`, {
      eval: true,
      execArgv: [],
    });
    const [error] = await once(worker, 'error');
    assert.match(error.message, /main thread only/);
  });
});

function sendTo(socket: NativeSocket): void {
  const batch = new SendBatch({ messages: 1, pieces: 1 });
  batch.begin(namesOf(socket.name().port), 0, IPV4_NAME_BYTES);
  batch.add(memoryOf('x'), 0, 1);
  assert.equal(batch.send(socket, 0), 1);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

function urlOf(name: string): string {
  return new URL(name, import.meta.url).href;
}

/** A program in a process of its own: what can end one must not end the tests. */
async function run(
  program: string,
  options: readonly string[] = [],
): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    ...options,
    '--input-type=module',
    '--eval',
    program,
  ]);
  const [output, errors] = [text(child.stdout), text(child.stderr)];
  const [code] = await once(child, 'close');
  return { code, output: await output, errors: await errors };
}

/** Immediates that wait. */
function immediates(): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'Immediate').length;
}
