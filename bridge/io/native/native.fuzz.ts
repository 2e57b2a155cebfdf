/**
 * Calls every public method of this folder's classes in random order with random arguments, most of them bad, also from inside callbacks and while an argument
 * is being converted. After each step: no margin of any native memory and no byte outside of what the call was given has changed; nothing but an
 * Error was thrown. A crash is the other thing it looks for: run by native.fuzz.test.ts in a process of its own.
 *
 *   node bridge/io/native/native.fuzz.ts --seed 7 --seconds 60 [--trace]     (trace: each step is written to stderr before it is done)
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SLOT_BYTES } from '../../arena.ts';
import { CLEAR_BYTES_MAX, type ContextKind, Evp } from './evp.ts';
import { loadForeign } from './foreign.ts';
import { NATIVE_MARGIN_BYTES, NativeMemory } from './native-memory.ts';
import { NativeSlots } from './native-slots.ts';
import { NativeSocket, SOCKET_OPTIONS, type SocketOption } from './native-socket.ts';
import { Readiness } from './readiness.ts';
import { ReceiveBatch } from './receive-batch.ts';
import { SendBatch } from './send-batch.ts';
import { NAME_BYTES, NAME_WORDS, readName, writeName } from './socket-name.ts';

const CANARY = 0xc7;
const CANARIES = Buffer.alloc(NATIVE_MARGIN_BYTES, CANARY);
/** Memories looked at after each step, from both ends of the list. */
const OFTEN = 8;
const STEPS_PER_TURN = 40;
/** Objects of each kind that live at once; a new one takes the place of an old one. */
const LIVING_MAX = 5;

/** What is wrong, as opposed to the errors that bad arguments must cause. */
class Failure extends Error {}

/** Thrown on purpose by listeners. */
class ListenerError extends Error {}

/** A buffer that calls may write to, and what it should be. */
interface Watched {
  readonly name: string;
  readonly bytes: Buffer;
  readonly shadow: Buffer;
}

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    trace: { type: 'boolean', default: false },
  },
});
const seed = Number(options.seed ?? Date.now() % 1_000_000);
const random = generator(seed);
const margins: WeakRef<ArrayBuffer>[] = watchMargins();

const watched: Watched[] = [];
const slots = new NativeSlots(4);
const arena = watch('arena', slots.bytes);
const plain = watch('plain', Buffer.alloc(3 * SLOT_BYTES));
const inbox = new NativeMemory(8 * 512);
const inboxWatched = watch('inbox', inbox.bytes);
const structure = new Uint32Array(3 * NAME_WORDS);
const structureWatched = watch('structure', Buffer.from(structure.buffer));
const evp = new Evp();

const memories = [inbox, slots.memory];
/** One name in each, with nothing but zeros around: a name read at a wrong place is none, and nothing leaves the machine. */
const names = Array.from({ length: 4 }, () => new NativeMemory(64));
const sockets: NativeSocket[] = [];
const sends: SendBatch[] = [];
const receives: ReceiveBatch[] = [];
const readinesses: Readiness[] = [];
const contexts: number[] = [];

let steps = 0;
let depth = 0;
let refused = 0;
let heard = 0;
const calls = new Map<string, number>();

const evil = {
  /** Converting an argument calls us back in the middle of a method. */
  valueOf(): number {
    if (depth < 3) step();
    return 0;
  },
};
const BAD: readonly unknown[] = [
  Number.NaN,
  Infinity,
  -Infinity,
  -1,
  -0,
  0.5,
  15.5,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 32 + 4,
  2 ** 53,
  1e300,
  '',
  '4',
  'x',
  null,
  undefined,
  true,
  4n,
  Symbol('bad'),
  {},
  [],
  [4],
  () => 4,
  Object.create(null),
  new Uint8Array(4),
  evil,
  { length: 16 },
  { length: -1 },
  { length: 1e9 },
];

/** Each returns the places that it may have changed. */
const ACTIONS: Readonly<Record<string, () => readonly [Watched, number, number][]>> = {
  memory() {
    replace(memories, new NativeMemory(number(4096)), 4);
    return [];
  },
  pointer() {
    const memory = pick(memories);
    const [offset, length] = [number(memory?.byteLength), number(memory?.byteLength)];
    const pointer = memory.pointer(offset, length);
    check(
      memory.pointer(0, 0) <= pointer && pointer + BigInt(length) <= memory.pointer(memory.byteLength, 0),
      'a pointer outside',
    );
    return [];
  },
  writeAddress() {
    const memory = pick(memories);
    const [offset, length, at] = [number(memory?.byteLength), number(64), number(structure.length)];
    const words = pickOr(structure);
    memory.writeAddress(offset, length, words, at);
    if (words !== structure) return [];
    const address = words[at] + words[at + 1] * 2 ** 32;
    check(address === Number(memory.pointer(offset, 0)), 'an address outside');
    return [[structureWatched, at * 4, at * 4 + 8]];
  },
  readyPointer() {
    const offset = number(slots.bytes.length);
    const length = number(SLOT_BYTES);
    const pointer = slots.readyPointer(offset, length);
    if (pointer === undefined) return [];
    check(isCount(offset) && isCount(length), 'a pointer to what is no place');
    check(
      pointer === slots.memory.pointer(offset, length) && (offset % SLOT_BYTES) + length <= SLOT_BYTES,
      'a pointer out of its slot',
    );
    return [];
  },
  slots() {
    const more = new NativeSlots(number(4));
    check(NativeSlots.of(more.bytes) === more, 'slots are not found');
    more.close();
    check(NativeSlots.of(more.bytes) === undefined, 'closed slots are found');
    NativeSlots.of(value(slots.bytes));
    return [];
  },
  writeName() {
    const at = number(structure.length);
    const name = { address: address(), port: number(0xffff), family: pickOr<'IPv4' | 'IPv6'>('IPv4', 'IPv6') };
    writeName(structure, at, name);
    const { port, family } = readName(structure, at);
    check(port === name.port && (family === 'IPv4') === (name.family === 'IPv4'), 'another name was read');
    return [[structureWatched, at * 4, at * 4 + NAME_BYTES]];
  },
  readName() {
    readName(structure, number(structure.length));
    return [];
  },
  openSocket() {
    const socket = NativeSocket.open(value(pick(['127.0.0.1', '127.0.0.1', '127.0.0.2', '::1'])), value(0));
    replace(sockets, socket, LIVING_MAX)?.close();
    const name = socket.name();
    check(['127.0.0.1', '127.0.0.2', '::1'].includes(name.address), `bound to ${name.address}`);
    writeName(pick(names).words, 0, name);
    return [];
  },
  closeSocket() {
    // Never the last: most of what there is to do needs one.
    if (sockets.length > 1) sockets.splice(Math.floor(random() * sockets.length), 1)[0].close();
    else pick(sockets).close();
    return [];
  },
  setOption() {
    pick(sockets).setOption(pickOr(...(Object.keys(SOCKET_OPTIONS) as SocketOption[])), number(1_000_000));
    return [];
  },
  option() {
    pick(sockets).option(pickOr(...(Object.keys(SOCKET_OPTIONS) as SocketOption[])));
    return [];
  },
  socketName() {
    readName(new Uint32Array(NAME_WORDS), 0);
    pick(sockets).name();
    return [];
  },
  newSend() {
    replace(
      sends,
      new SendBatch({ messages: number(8), pieces: number(32), controlBytes: pickOr(0, 8, 32) }),
      LIVING_MAX,
    );
    return [];
  },
  begin() {
    const memory = pickOr(...names);
    const batch = pick(sends);
    if (chance(0.6)) batch.begin(memory, 0, readName(memory.words, 0).family === 'IPv4' ? 16 : 28);
    else batch.begin(memory, number(64), number(NAME_BYTES));
    check(batch.count <= batch.messagesMax, 'more messages than there is room for');
    return [];
  },
  add() {
    const memory = pickOr(...memories);
    const batch = pick(sends);
    const before = { count: batch?.count, pieces: batch?.pieces };
    const [offset, length] = [number(memory?.byteLength), number(1500)];
    batch.add(memory, offset, length);
    check(isCount(offset) && isCount(length) && offset + length <= memory.byteLength, 'a piece outside');
    check(batch.count === before.count && batch.pieces === before.pieces + 1, 'more or less than a piece');
    check(batch.pieces <= batch.piecesMax, 'more pieces than there is room for');
    return [];
  },
  segment() {
    pick(sends).segment(number(0xffff));
    return [];
  },
  control() {
    const bytes = Buffer.alloc(pick([0, 8, 32, 264]));
    for (let at = 0; at < bytes.length; at++) bytes[at] = random() * 256;
    pick(sends).control(value(bytes));
    return [];
  },
  send() {
    const batch = pick(sends);
    const first = number(batch?.count);
    const sent = batch.send(pickOr(...sockets), first);
    check(isCount(first) && first < batch.count, 'messages were sent that are not there');
    check(
      Number.isInteger(sent) && sent !== 0 && sent <= batch.count - first,
      `${sent} sent of ${batch.count - first}`,
    );
    return [];
  },
  /** What is well made arrives: without it most sockets would have nothing to receive. */
  exchange() {
    const [from, to] = [pick(sockets), pick(sockets)];
    const target = to.name();
    const name = new NativeMemory(64);
    writeName(name.words, 0, target);
    const batch = new SendBatch({ messages: 4, pieces: 12 });
    for (let message = 0; message < 4; message++) {
      batch.begin(name, 0, target.family === 'IPv4' ? 16 : 28);
      for (let piece = Math.floor(random() * 3); piece > 0; piece--)
        batch.add(slots.memory, Math.floor(random() * 1000), Math.floor(random() * 400));
      if (chance(0.3)) batch.segment(1 + Math.floor(random() * 400));
    }
    batch.send(from, 0);
    return [];
  },
  clear() {
    const batch = pick(sends);
    batch.clear();
    check(batch.count === 0 && batch.pieces === 0, 'a batch is not clear');
    return [];
  },
  newReceive() {
    const memory = chance(0.8) ? inbox : pickOr(...memories);
    // What goes to other memory cannot be told from damage.
    if (memory !== inbox) new ReceiveBatch({ messages: number(8), memory, bufferBytes: number(512) });
    else
      replace(
        receives,
        new ReceiveBatch({ messages: number(8), memory, bufferBytes: number(512), controlBytes: pickOr(0, 24, 64) }),
        LIVING_MAX,
      );
    return [];
  },
  receive() {
    const batch = pick(receives);
    const received = batch.receive(pickOr(...sockets));
    check(Number.isInteger(received) && received <= batch.messages, `${received} received`);
    const changed: [Watched, number, number][] = [];
    for (let message = 0; message < received; message++) {
      const length = batch.lengthOf(message);
      check(
        length <= batch.bufferBytes && batch.controlLengthOf(message) <= batch.controlBytes,
        'a message longer than its room',
      );
      const start = message * batch.bufferBytes;
      changed.push([inboxWatched, start, start + length]);
      readName(batch.names, message * NAME_WORDS);
    }
    heard += Math.max(0, received);
    return changed;
  },
  askReceive() {
    const batch = pick(receives);
    const message = number(batch?.messages);
    check(batch.lengthOf(message) <= batch.bufferBytes, 'a length beyond the buffer');
    check(batch.controlLengthOf(message) <= batch.controlBytes, 'control data beyond their room');
    check(batch.segmentBytesOf(message) <= 0xffff, 'segments too long');
    batch.isTruncated(message);
    return [];
  },
  newReadiness() {
    const readiness: Readiness = new Readiness(
      pickOr(...sockets),
      value(() => listen(readiness)),
    );
    replace(readinesses, readiness, LIVING_MAX)?.close();
    return [];
  },
  watch() {
    pick(readinesses).watch(number(3));
    return [];
  },
  closeReadiness() {
    pick(readinesses).close();
    return [];
  },
  openContext() {
    if (contexts.length > 300) return [];
    const kind = pickOr<ContextKind>('gcm-seal', 'gcm-open', 'ctr', 'hmac-sha1');
    contexts.push(evp.openContext(kind, value(new Uint8Array(kind === 'hmac-sha1' ? 20 : 16).fill(random() * 256))));
    return [];
  },
  closeContext() {
    const context = pickOr(...contexts);
    const inUse = evp.contextsInUse;
    evp.closeContext(context);
    check(evp.contextsInUse === inUse - 1, 'a context was closed that was not open');
    for (let index = contexts.indexOf(context); index >= 0; index = contexts.indexOf(context))
      contexts.splice(index, 1);
    return [];
  },
  seal() {
    const { memory, from, end } = range();
    const clearLength = number(CLEAR_BYTES_MAX);
    evp.seal(pickOr(...contexts), memory.bytes, from, end, clearLength);
    check(isCount(clearLength) && clearLength <= CLEAR_BYTES_MAX, 'too much in the clear');
    return [[memory, from, end]];
  },
  open() {
    const { memory, from, end } = range();
    const clearLength = number(CLEAR_BYTES_MAX);
    const isAuthentic = evp.open(pickOr(...contexts), memory.bytes, from, end, clearLength);
    check(isCount(clearLength) && clearLength <= CLEAR_BYTES_MAX, 'too much in the clear');
    return isAuthentic ? [[memory, from, end]] : [];
  },
  crypt() {
    const { memory, from, end } = range();
    evp.crypt(pickOr(...contexts), memory.bytes, from, end);
    return [[memory, from, end]];
  },
  authenticate() {
    const { memory, from, end } = range();
    evp.authenticate(pickOr(...contexts), memory.bytes, from, end, chance(0.5));
    return [];
  },
  /** Bytes that are no Uint8Array: an Error, or some of JavaScript's own conversions, but nothing native. */
  oddBytes() {
    const bytes = pick<unknown>([
      ...BAD,
      new Float64Array(64),
      new DataView(new ArrayBuffer(64)),
      slots.bytes.subarray(8),
    ]) as Uint8Array;
    if (bytes instanceof Uint8Array) return [];
    const context = pickOr(...contexts);
    const [from, end] = [number(32), number(64)];
    pick([
      () => evp.seal(context, bytes, from, end, 0),
      () => evp.open(context, bytes, from, end, 0),
      () => evp.crypt(context, bytes, from, end),
    ])();
    return [];
  },
  trim() {
    evp.trim();
    return [];
  },
  /** Nothing is left of what is dropped here but what native code still points to. */
  forget() {
    pick([sends, receives, memories, readinesses] as unknown[][]).length = 0;
    memories.unshift(inbox, slots.memory);
    memories.length = Math.min(memories.length, LIVING_MAX);
    if (chance(0.05)) globalThis.gc?.();
    return [];
  },
};
const ACTION_NAMES = Object.keys(ACTIONS);

process.on('uncaughtException', error => {
  if (!(error instanceof ListenerError)) fail(error);
});

await main();

async function main(): Promise<void> {
  const until = performance.now() + Number(options.seconds) * 1000;
  try {
    while (performance.now() < until) {
      for (let count = 0; count < STEPS_PER_TURN; count++) step();
      sweepMargins();
      await new Promise(resolve => setImmediate(resolve));
    }
    for (const context of contexts) evp.closeContext(context);
    check(evp.contextsInUse === 0, 'contexts are left');
    for (const socket of sockets) socket.close();
    const missing = ACTION_NAMES.filter(name => !calls.has(name));
    check(missing.length === 0, `no call of ${missing} has succeeded`);
    check(heard > 0, 'nothing was heard');
  } catch (error) {
    fail(error);
  }
  process.stdout.write(`${steps} steps, ${refused} refused, ${heard} datagrams heard, seed ${seed}\n`);
}

function fail(error: unknown): never {
  writeSync(2, `seed ${seed}, step ${steps}: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

/** One random call, and a look at everything it must not have touched. */
function step(): void {
  const name = pick(ACTION_NAMES);
  depth++;
  steps++;
  if (options.trace) writeSync(2, `${steps} ${name}\n`);
  let changed: readonly [Watched, number, number][] = [];
  try {
    changed = ACTIONS[name]();
    calls.set(name, (calls.get(name) ?? 0) + 1);
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error)) fail(error);
    refused++;
  }
  for (const [memory, from, end] of changed) memory.bytes.copy(memory.shadow, from, from, end);
  for (const { name: place, bytes, shadow } of watched)
    check(bytes.equals(shadow), `${name} has written to ${place} outside of what it was given`);
  checkMargins(name);
  depth--;
}

/** A listener does what it likes: calls anything, closes what called it, throws. */
function listen(readiness: Readiness): void {
  for (let count = Math.floor(random() * 3); count > 0; count--) step();
  pick([() => readiness.close(), () => readiness.watch(0), () => {}])();
  if (chance(0.05)) throw new ListenerError('on purpose');
}

function range(): { memory: Watched; from: number; end: number } {
  const memory = chance(0.6) ? arena : plain;
  // Mostly a packet where packets are.
  if (!chance(0.7)) return { memory, from: number(memory.bytes.length), end: number(memory.bytes.length) };
  const from = Math.floor(random() * 3) * SLOT_BYTES + Math.floor(random() * 40);
  return { memory, from, end: from + Math.floor(random() * 1600) };
}

/** An integer from 0 to `max`, its surroundings, or nothing of the kind. */
function number(max = 8): number {
  if (chance(0.12)) return pick(BAD) as number;
  if (chance(0.1)) return max + Math.floor(random() * 3) - 1;
  return Math.floor(random() ** 2 * (max + 1));
}

function isCount(number: number): boolean {
  return Number.isInteger(number) && number >= 0;
}

function value<T>(good: T): T {
  return chance(0.1) ? (pick(BAD) as T) : good;
}

function pickOr<T>(...good: readonly T[]): T {
  return value(pick(good));
}

/** Undefined when there are none: as bad an argument as any. */
function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)];
}

function chance(probability: number): boolean {
  return random() < probability;
}

function address(): string {
  return pickOr('127.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1%1', 'localhost', '1.2.3', '::1%');
}

/** Adds to a bounded list; the one that had to go. */
function replace<T>(list: T[], item: T, max: number): T | undefined {
  list.push(item);
  return list.length > max ? list.shift() : undefined;
}

function watch(name: string, bytes: Buffer): Watched {
  for (let at = 0; at < bytes.length; at++) bytes[at] = random() * 256;
  const one = { name, bytes, shadow: Buffer.from(bytes) };
  watched.push(one);
  return one;
}

/** From now on every native memory has canaries in its margins: its address is asked for once, when it is new. */
function watchMargins(): WeakRef<ArrayBuffer>[] {
  const foreign = loadForeign() as { addressOf(buffer: ArrayBuffer): bigint };
  const { addressOf } = foreign;
  const buffers: WeakRef<ArrayBuffer>[] = [];
  foreign.addressOf = buffer => {
    marginsOf(buffer).forEach(margin => {
      margin.fill(CANARY);
    });
    buffers.push(new WeakRef(buffer));
    return addressOf(buffer);
  };
  return buffers;
}

/** After a step: the memories that are used all the time, and the youngest. */
function checkMargins(name: string): void {
  const { length } = margins;
  for (let at = 0; at < length; at++) {
    if (at === OFTEN && length > 2 * OFTEN) at = length - OFTEN;
    const buffer = margins[at].deref();
    if (buffer !== undefined) checkMarginsOf(buffer, name);
  }
}

/** After a turn: all, of which some have gone. */
function sweepMargins(): void {
  let kept = 0;
  for (const reference of margins) {
    const buffer = reference.deref();
    if (buffer === undefined) continue;
    margins[kept++] = reference;
    checkMarginsOf(buffer, 'one of the last steps');
  }
  margins.length = kept;
}

function checkMarginsOf(buffer: ArrayBuffer, name: string): void {
  for (const margin of marginsOf(buffer))
    check(margin.equals(CANARIES), `${name} has written past a native memory of ${buffer.byteLength}`);
}

function marginsOf(buffer: ArrayBuffer): Buffer[] {
  return [Buffer.from(buffer, 0, NATIVE_MARGIN_BYTES), Buffer.from(buffer, buffer.byteLength - NATIVE_MARGIN_BYTES)];
}

function check(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Failure(otherwise);
}

/** mulberry32. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
