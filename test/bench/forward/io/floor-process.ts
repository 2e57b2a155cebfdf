/**
 * The process of the floor: the packets that a bridge sends for a case, of the same sizes to as many destinations at the same pace, by nothing but `sendmmsg`; and
 * nothing but the encryption of them. What a bridge costs above this is its own.
 */
import { type ContextKind, sharedEvp } from '../../../../bridge/io/native/evp.ts';
import { NativeMemory } from '../../../../bridge/io/native/native-memory.ts';
import { NativeSlots } from '../../../../bridge/io/native/native-slots.ts';
import { NativeSocket } from '../../../../bridge/io/native/native-socket.ts';
import { SendBatch } from '../../../../bridge/io/native/send-batch.ts';
import { NAME_BYTES, nameBytes, writeName } from '../../../../bridge/io/native/socket-name.ts';
import { CASES } from '../cases.ts';
import { type Burst, burstsOf } from '../floor-lap.ts';
import { serve } from './child.ts';

export type FloorMode = 'send' | 'segmented' | 'crypto';

export interface FloorResult {
  /** While it was measured. */
  readonly packets: number;
  /** With the lap before it. */
  readonly sent: number;
  readonly userUs: number;
  readonly systemUs: number;
}

/** Messages handed over with one system call. */
const MESSAGES_MAX = 512;
/** Segments of one message: 64 are allowed, and 64 KiB. */
const SEGMENTS_MAX = 40;
const SLOT_BYTES = 2048;
/** Written to in turn, as a bridge's arena is: what is sent lies in the processor's cache, but not in the same lines each time. */
const SLOTS = 1024;
/** An RTP header with two words of extensions stays in the clear. */
const CLEAR_BYTES = 24;
const SLEEP_MS_MIN = 0.3;

/** Some packets' worth of work. */
interface Step {
  readonly packets: number;
  run(): void;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const prepared = new Map<string, readonly Step[]>();
let socket: NativeSocket | undefined;

const handlers = {
  /** Sends (or encrypts) a case's packets for `seconds`, at `packetsPerSecond`. */
  run: ({
    caseName,
    mode,
    seconds,
    packetsPerSecond,
    sinks,
  }: {
    caseName: string;
    mode: FloorMode;
    seconds: number;
    packetsPerSecond: number;
    sinks: readonly { address: string; port: number }[];
  }): FloorResult => {
    const key = `${caseName} ${mode}`;
    let steps = prepared.get(key);
    let lap = 0;
    if (steps === undefined) {
      steps = prepare(caseName, mode, sinks);
      prepared.set(key, steps);
      // Once around before it counts: code is compiled, pages are there.
      for (const step of steps) {
        step.run();
        lap += step.packets;
      }
    }
    const result = pace(steps, seconds, packetsPerSecond);
    return { ...result, sent: mode === 'crypto' ? 0 : lap + result.packets };
  },
};

export type FloorHandlers = typeof handlers;

serve(handlers, async () => socket?.close());

function prepare(caseName: string, mode: FloorMode, sinks: readonly { address: string; port: number }[]): Step[] {
  const found = CASES.find(({ name }) => name === caseName);
  if (found === undefined) throw new Error(`no case "${caseName}"`);
  const lap = burstsOf(found.plan());
  return mode === 'crypto' ? encryptions(lap, found.srtp) : sends(lap, mode === 'segmented', sinks);
}

function pace(steps: readonly Step[], seconds: number, packetsPerSecond: number): Omit<FloorResult, 'sent'> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  let packets = 0;
  for (let index = 0; performance.now() - startedMs < seconds * 1_000; index = (index + 1) % steps.length) {
    const earlyMs = (packets / packetsPerSecond) * 1_000 - (performance.now() - startedMs);
    if (earlyMs > SLEEP_MS_MIN) Atomics.wait(sleeper, 0, 0, earlyMs);
    steps[index].run();
    packets += steps[index].packets;
  }
  const { user, system } = process.cpuUsage(before);
  return { packets, userUs: user, systemUs: system };
}

function sends(
  lap: readonly Burst[],
  isSegmented: boolean,
  sinks: readonly { address: string; port: number }[],
): Step[] {
  socket ??= NativeSocket.open('127.0.0.1', 0);
  socket.setOption('sendBufferBytes', 4 * 1024 * 1024);
  const open = socket;
  const names = new NativeMemory(sinks.length * NAME_BYTES);
  for (const [index, sink] of sinks.entries())
    writeName(names.words, (index * NAME_BYTES) / 4, { ...sink, family: 'IPv4' });
  const slots = new NativeMemory(SLOTS * SLOT_BYTES);
  slots.bytes.fill(0xff);
  const steps: Step[] = [];
  for (const burst of lap) {
    for (const messages of isSegmented ? segmentedMessages(burst) : singleMessages(burst)) {
      const batch = fill(messages, names, slots);
      steps.push({
        packets: messages.reduce((sum, { lengths }) => sum + lengths.length, 0),
        run: () => {
          for (let first = 0; first < batch.count; ) first += Math.max(1, batch.send(open, first));
        },
      });
    }
  }
  return steps;
}

interface Message {
  readonly sink: number;
  readonly lengths: readonly number[];
}

/** A message per packet and destination, as they come: a packet to all, then the next. */
function singleMessages({ lengths, sinks }: Burst): Message[][] {
  const messages = lengths.flatMap(length => sinks.map(sink => ({ sink, lengths: [length] })));
  return chunks(messages, MESSAGES_MAX);
}

/** A message per destination, the burst's packets as its segments: all as long as the longest, as they would have to be made. */
function segmentedMessages({ lengths, sinks }: Burst): Message[][] {
  const equal = lengths.map(() => Math.max(...lengths));
  const runs = chunks(equal, SEGMENTS_MAX);
  const messages = sinks.flatMap(sink => runs.map(run => ({ sink, lengths: run })));
  return chunks(messages, Math.max(1, Math.floor(MESSAGES_MAX / Math.min(SEGMENTS_MAX, lengths.length))));
}

function fill(messages: readonly Message[], names: NativeMemory, slots: NativeMemory): SendBatch {
  const pieces = messages.reduce((sum, { lengths }) => sum + lengths.length, 0);
  const batch = new SendBatch({ messages: messages.length, pieces });
  let slot = 0;
  for (const { sink, lengths } of messages) {
    batch.begin(names, sink * NAME_BYTES, nameBytes('IPv4'));
    for (const length of lengths) batch.add(slots, (slot++ % SLOTS) * SLOT_BYTES, length);
    if (lengths.length > 1) batch.segment(lengths[0]);
  }
  return batch;
}

function encryptions(lap: readonly Burst[], srtp: 'gcm' | 'cm'): Step[] {
  const evp = sharedEvp();
  const destinations = Math.max(...lap.flatMap(({ sinks }) => sinks)) + 1;
  const open = (kind: ContextKind, keyBytes: number) =>
    Array.from({ length: destinations }, (_, index) => evp.openContext(kind, Buffer.alloc(keyBytes, index)));
  const ciphers = open(srtp === 'gcm' ? 'gcm-seal' : 'ctr', 16);
  const macs = srtp === 'gcm' ? [] : open('hmac-sha1', 20);
  const slots = new NativeSlots(SLOTS);
  let slot = 0;
  let sequence = 0;
  return lap.map(({ lengths, sinks }) => ({
    packets: lengths.length * sinks.length,
    run: () => {
      for (const length of lengths) {
        evp.nonce[10] = sequence >> 8;
        evp.nonce[11] = sequence++;
        for (const sink of sinks) {
          const from = slot * SLOT_BYTES;
          slot = (slot + 1) % SLOTS;
          if (srtp === 'gcm') {
            evp.seal(ciphers[sink], slots.bytes, from + CLEAR_BYTES, from + length - 16, CLEAR_BYTES);
          } else {
            evp.crypt(ciphers[sink], slots.bytes, from + CLEAR_BYTES, from + length - 10);
            evp.authenticate(macs[sink], slots.bytes, from, from + length - 10, true);
          }
        }
      }
    },
  }));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const found: T[][] = [];
  for (let index = 0; index < items.length; index += size) found.push(items.slice(index, index + size));
  return found;
}
