/**
 * Bytes that a bridge holds per endpoint and per further subscription: heap and array buffers, with SRTP state, without what DTLS and SCTP keep. An
 * endpoint publishes audio and three layers of video, together 1.7 Mbit/s. A subscription is measured twice: as it is on a good path, and with every
 * table filled that losses and dropped temporal layers fill. Run: `npm run bench -- memory`.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { writeNack } from '../../protocol/rtcp/feedback.ts';
import { createSrtpSession, SRTP_AEAD_AES_128_GCM } from '../../protocol/srtp/profiles.ts';
import { Publisher } from './publisher.ts';
import { QuietBridge } from './quiet-bridge.ts';
import type { BenchmarkOptions } from './registry.ts';

const PUBLISHERS = 30;
/** Longer than any packet is handed out (packet-history.ts). */
const SILENCE_SECONDS = 20;
const TURN_MS = 20;
const KEYS = {
  localKey: Buffer.alloc(16, 1),
  localSalt: Buffer.alloc(12, 2),
  remoteKey: Buffer.alloc(16, 3),
  remoteSalt: Buffer.alloc(12, 4),
};

export interface MemoryFigures {
  readonly silentEndpointKb: number;
  readonly publishingEndpointKb: number;
  /** The same one after its camera and microphone have been off for a while. */
  readonly quietEndpointKb: number;
  readonly subscriptionKb: number;
  readonly subscriptionWithLossKb: number;
}

export function runMemory({ quick, progress }: BenchmarkOptions): MemoryFigures {
  // Once to compile what runs, with few: its code lies in the same heap.
  measure(3, 4, () => {});
  return measure(PUBLISHERS, quick ? 4 : 12, progress);
}

function measure(count: number, seconds: number, progress: (line: string) => void): MemoryFigures {
  const quiet = new QuietBridge({ createSession: () => createSrtpSession(SRTP_AEAD_AES_128_GCM, KEYS) });
  const publishers = Array.from({ length: count }, (_, index) => new Publisher(quiet, index + 1));
  const ids = publishers.map(({ id }) => id);
  const subscriptions = count * (count - 1) * 2;
  const heldAtFirst = bytesHeld();
  let heldBefore = heldAtFirst;

  for (const id of ids) quiet.put(id, 1, true, []);
  const silent = grown(`${count} endpoints`);
  run(quiet, publishers, seconds);
  const publishing = grown('their media');
  for (const id of ids) quiet.put(id, 2, true, othersOf(id));
  run(quiet, publishers, seconds);
  const subscribed = grown(`${subscriptions} subscriptions`);
  for (const id of ids) quiet.put(id, 3, true, othersOf(id), 0);
  for (let second = 0; second < seconds; second++) {
    for (const id of ids) loseEverything(quiet, id);
    run(quiet, publishers, 1);
  }
  const lossy = grown('their losses');
  run(quiet, [], SILENCE_SECONDS);
  const silenced = grown(`${SILENCE_SECONDS} s of silence`);
  return {
    silentEndpointKb: silent / count,
    publishingEndpointKb: (silent + publishing) / count,
    quietEndpointKb: (silent + publishing + silenced) / count,
    subscriptionKb: subscribed / subscriptions,
    subscriptionWithLossKb: (subscribed + lossy) / subscriptions,
  };

  function othersOf(id: number): number[] {
    return ids.filter(other => other !== id);
  }

  /** kB since the last call. */
  function grown(what: string): number {
    const held = bytesHeld();
    const kb = (held - heldBefore) / 1_000;
    heldBefore = held;
    progress(`${what}: ${kb.toFixed(0)} kB, ${((held - heldAtFirst) / 1_000).toFixed(0)} in all`);
    return kb;
  }
}

const collect = garbageCollector();

function bytesHeld(): number {
  // Several times: what one collection finds, finalisers and sweepers give back only by the next.
  for (let times = 0; times < 5; times++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function run(quiet: QuietBridge, publishers: readonly Publisher[], seconds: number): void {
  for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs += TURN_MS) {
    for (const publisher of publishers) publisher.send();
    for (let tick = 0; tick < 2; tick++) quiet.tick(TURN_MS / 2);
  }
}

/** The endpoint asks again for the newest second of all it was sent. */
function loseEverything(quiet: QuietBridge, id: number): void {
  const bytes = Buffer.alloc(1_200);
  const lost = new Uint16Array(128);
  for (const { projection } of quiet.endpoint(id).subscriptions.values()) {
    const newest = projection.runStart + projection.counters.packetsSent;
    for (let index = 0; index < lost.length; index++) lost[index] = (newest - lost.length + index) & 0xffff;
    quiet.receive(id, bytes.subarray(0, writeNack(bytes, 0, 1, projection.ssrc, lost, lost.length)));
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
