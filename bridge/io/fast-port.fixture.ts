/** For tests: the kernel's side of a fast port's sending. It takes what a test lets it take, and remembers it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { DatagramPort, Peer, PortOptions } from './datagram-port.ts';
import { FastPort, type PortCalls } from './fast-port.ts';
import type { NativeMemory } from './native/native-memory.ts';
import { MESSAGE_BYTES_MAX, SEGMENTS_MAX, SendBatch } from './native/send-batch.ts';
import { readName } from './native/socket-name.ts';

export const EPERM = 1;
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EINVAL = 22;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;

interface Piece {
  readonly memory: NativeMemory;
  readonly offset: number;
  readonly length: number;
}

interface Message {
  /** `address:port`. */
  readonly to: string;
  readonly pieces: Piece[];
  /** 0 for a message that is not cut. */
  segmentBytes: number;
}

/** What a batch holds: {@link SendBatch} itself only tells the real kernel. */
const contents = new WeakMap<SendBatch, Message[]>();

const { begin, add, segment, clear } = SendBatch.prototype;
const original: Partial<SendBatch> = { begin, add, segment, clear };
const watched: Partial<SendBatch> & ThisType<SendBatch> = {
  begin(names, nameOffset, nameLength) {
    begin.call(this, names, nameOffset, nameLength);
    const { address, port } = readName(names.words, nameOffset / 4);
    const messages = contents.get(this) ?? [];
    contents.set(this, messages);
    messages.push({ to: `${address}:${port}`, pieces: [], segmentBytes: 0 });
  },
  add(memory, offset, length) {
    add.call(this, memory, offset, length);
    contents.get(this)?.at(-1)?.pieces.push({ memory, offset, length });
  },
  segment(segmentBytes) {
    segment.call(this, segmentBytes);
    const message = contents.get(this)?.at(-1);
    if (message !== undefined) message.segmentBytes = segmentBytes;
  },
  clear() {
    clear.call(this);
    contents.delete(this);
  },
};

let ports = 0;

export interface Datagram {
  readonly to: string;
  readonly bytes: Buffer;
}

/** How many of the offered messages the kernel takes (each: datagrams in it, and to whom), or a negative errno about the first. */
export type Verdict = (offered: readonly { readonly to: string; readonly datagrams: number }[]) => number;

export const TAKES_ALL: Verdict = offered => offered.length;

export class FakeKernel implements PortCalls {
  verdict: Verdict = TAKES_ALL;
  /** In the order they left. */
  readonly datagrams: Datagram[] = [];
  /** Datagrams in each message taken. */
  readonly runs: number[] = [];
  /** Every call's result. */
  readonly results: number[] = [];

  send(batch: SendBatch, _socket: unknown, first: number): number {
    const messages = contents.get(batch)?.slice(first) ?? [];
    assert.ok(messages.length > 0, 'a call for nothing');
    const result = this.verdict(messages.map(({ to, pieces }) => ({ to, datagrams: pieces.length })));
    assert.notEqual(result, 0, 'sendmmsg takes something or says why not');
    for (const message of messages.slice(0, Math.max(0, result))) this.#take(message);
    this.results.push(result);
    return result;
  }

  readonly receive: PortCalls['receive'] = (batch, socket) => batch.receive(socket);

  /** What went to this address, as text. */
  textsTo(to: string): string[] {
    return this.datagrams.filter(datagram => datagram.to === to).map(({ bytes }) => textOf(bytes));
  }

  #take({ to, pieces, segmentBytes }: Message): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    assert.ok(
      pieces.length <= SEGMENTS_MAX && bytes <= MESSAGE_BYTES_MAX,
      `${pieces.length} datagrams, ${bytes} bytes`,
    );
    assert.equal(segmentBytes > 0, pieces.length > 1, 'exactly what is more than one datagram is cut');
    for (const [index, { memory, offset, length }] of pieces.entries()) {
      const isLast = index === pieces.length - 1;
      assert.ok(segmentBytes === 0 || length === segmentBytes || (isLast && length > 0 && length < segmentBytes));
      this.datagrams.push({ to, bytes: Buffer.from(memory.bytes.subarray(offset, offset + length)) });
    }
    this.runs.push(pieces.length);
  }
}

/** A port on loopback whose sending goes to a fake kernel; closed when the test ends. */
export async function openFakePort(
  context: TestContext,
  options: Partial<PortOptions<string>> = {},
): Promise<{ port: FastPort<string>; kernel: FakeKernel }> {
  const kernel = new FakeKernel();
  const port = await FastPort.open<string>({ ...SMALL, ...options }, kernel);
  if (ports++ === 0) Object.assign(SendBatch.prototype, watched);
  context.after(async () => {
    kernel.verdict = TAKES_ALL;
    await port.close();
    if (--ports === 0) Object.assign(SendBatch.prototype, original);
  });
  return { port, kernel };
}

/** A port on the real kernel; closed when the test ends. On loopback a datagram is in the receiver's socket when the sender's flush returns. */
export async function openRealPort(
  context: TestContext,
  options: Partial<PortOptions<string>> = {},
): Promise<FastPort<string>> {
  const port = await FastPort.open<string>({ ...SMALL, ...options });
  context.after(() => port.close());
  return port;
}

const SMALL: PortOptions<string> = { address: '127.0.0.1', port: 0, handler: () => {}, arenaSlots: 512 };

/** The event loop's turns until `isDone`; a limit, so that a test which waits in vain says so. */
export async function turnsUntil(isDone: () => boolean): Promise<void> {
  for (let turns = 0; !isDone(); turns++) {
    assert.ok(turns < 10_000, 'it does not happen');
    await turn();
  }
}

/** Slots that are neither reserved nor queued. */
export function freeSlots(port: FastPort<string>): number {
  const slots: number[] = [];
  for (let slot = port.reserve(); slot >= 0; slot = port.reserve()) slots.push(slot);
  port.counters.sendDropped--;
  for (const slot of slots) port.cancel(slot);
  return slots.length;
}

/** Queues a datagram of `bytes` (at least the text's length) that begins with `text`; false when there is no slot. */
export function post(port: DatagramPort<string>, to: Peer<string>, text: string, bytes = text.length): boolean {
  const slot = port.reserve();
  if (slot < 0) return false;
  port.outgoing.fill(0, slot, slot + bytes);
  port.outgoing.write(text, slot, 'latin1');
  port.commit(slot, bytes, to);
  return true;
}

export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
