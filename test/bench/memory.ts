/**
 * Bytes that a bridge holds per endpoint and per further subscription: heap and array buffers of its process; the clients are in another one. Endpoints are
 * whole: they have joined by ICE and DTLS, one after the other, have their SRTP keys and two data channels, and publish audio and three layers of video,
 * together 1.7 Mbit/s. A subscription is measured twice: as it is on a good path, and with every table filled that losses and dropped temporal layers fill.
 * Run: `npm run bench -- memory`.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { writeNack } from '../../protocol/rtcp/feedback.ts';
import { createSrtpSession, SRTP_AEAD_AES_128_GCM } from '../../protocol/srtp/profiles.ts';
import { MemoryBridge } from './memory-bridge.ts';
import type { Datagram } from './memory-clients.ts';
import type { BenchmarkOptions } from './registry.ts';

const PUBLISHERS = 30;
const WARM_UP_PUBLISHERS = 10;
/** Longer than any packet is handed out (packet-history.ts). */
const SILENCE_SECONDS = 20;
/** What is compiled anew as it runs is nobody's in particular. */
const CODE_SPACES = ['code_space', 'code_large_object_space', 'trusted_space', 'trusted_large_object_space'];
/** Longer than SCTP waits with an acknowledgement; the channel to the clients forgets its last message too. */
const SETTLE_MS = 300;

export interface MemoryFigures {
  /** The sum of its parts. */
  readonly publishingEndpointKb: number;
  readonly parts: {
    /** The endpoint itself: sources, layers, deadlines, codecs, ICE credentials, what the focus said. */
    readonly endpointKb: number;
    readonly iceAndDtlsKb: number;
    readonly srtpKb: number;
    readonly sctpAndChannelsKb: number;
    /** Histories of packets, statistics, SRTP's windows. */
    readonly mediaKb: number;
  };
  /** Connected, before any media. */
  readonly silentEndpointKb: number;
  /** The publishing one after its camera and microphone have been off for a while. */
  readonly quietEndpointKb: number;
  readonly subscriptionKb: number;
  readonly subscriptionWithLossKb: number;
}

export async function runMemory({ quick, progress }: BenchmarkOptions): Promise<MemoryFigures> {
  const seconds = quick ? 4 : 12;
  // Once with few, for what is made once: the code of all that runs lies in the same heap.
  progress(`warming up with ${WARM_UP_PUBLISHERS} endpoints`);
  await measure(WARM_UP_PUBLISHERS, seconds, () => {});
  return measure(PUBLISHERS, seconds, progress);
}

async function measure(count: number, seconds: number, progress: (line: string) => void): Promise<MemoryFigures> {
  const srtpKb = kbOfSessions(count);
  const bridge = await MemoryBridge.open();
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const subscriptions = count * (count - 1) * 2;
  await settle();
  const heldAtFirst = bytesHeld();
  let heldBefore = heldAtFirst;
  try {
    for (const id of ids) bridge.put(id, 1, []);
    const put = await grown(`${count} endpoints`);
    for (const id of ids) await bridge.join(id);
    const joined = await grown('their ICE, DTLS and SRTP keys');
    for (const id of ids) await bridge.openChannels(id);
    const channels = await grown('their data channels');
    await bridge.publish(seconds);
    const media = await grown('their media');
    for (const id of ids) bridge.put(id, 2, othersOf(id));
    await bridge.publish(seconds);
    const subscribed = await grown(`${subscriptions} subscriptions`);
    for (const id of ids) bridge.put(id, 3, othersOf(id), 0);
    for (let second = 0; second < seconds; second++) {
      await bridge.report(ids.flatMap(id => lossesOf(bridge, id)));
      await bridge.publish(1);
    }
    const lossy = await grown('their losses');
    bridge.beSilent(SILENCE_SECONDS);
    const silenced = await grown(`${SILENCE_SECONDS} s of silence`);
    const silent = put + joined + channels;
    return {
      publishingEndpointKb: (silent + media) / count,
      parts: {
        endpointKb: put / count,
        iceAndDtlsKb: joined / count - srtpKb,
        srtpKb,
        sctpAndChannelsKb: channels / count,
        mediaKb: media / count,
      },
      silentEndpointKb: silent / count,
      quietEndpointKb: (silent + media + silenced) / count,
      subscriptionKb: subscribed / subscriptions,
      subscriptionWithLossKb: (subscribed + lossy) / subscriptions,
    };
  } finally {
    bridge.close();
  }

  function othersOf(id: number): number[] {
    return ids.filter(other => other !== id);
  }

  /** kB since the last call. */
  async function grown(what: string): Promise<number> {
    await settle();
    const held = bytesHeld();
    const kb = (held - heldBefore) / 1_000;
    heldBefore = held;
    progress(`${what}: ${kb.toFixed(0)} kB, ${((held - heldAtFirst) / 1_000).toFixed(0)} in all`);
    return kb;
  }
}

/** Of one SRTP session that has had no packet: the handshake ends with it, so it is measured by itself. */
function kbOfSessions(count: number): number {
  const before = bytesHeld();
  const sessions = Array.from({ length: count }, () => {
    const [localKey, localSalt, remoteKey, remoteSalt] = [16, 12, 16, 12].map(bytes => randomBytes(bytes));
    return createSrtpSession(SRTP_AEAD_AES_128_GCM, { localKey, localSalt, remoteKey, remoteSalt });
  });
  const kb = (bytesHeld() - before) / 1_000 / count;
  for (const session of sessions) session.close();
  return kb;
}

async function settle(): Promise<void> {
  await sleep(SETTLE_MS);
}

const collect = garbageCollector();

function bytesHeld(): number {
  // Several times: what one collection finds, finalisers and sweepers give back only by the next.
  for (let times = 0; times < 5; times++) collect();
  let bytes = process.memoryUsage().external;
  for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
    if (!CODE_SPACES.includes(space_name)) bytes += space_used_size;
  }
  return bytes;
}

/** The endpoint asks again for the newest second of all it was sent. */
function lossesOf(bridge: MemoryBridge, id: number): Datagram[] {
  const lost = new Uint16Array(128);
  return Array.from(bridge.quiet.endpoint(id).subscriptions.values(), ({ projection }) => {
    const newest = projection.runStart + projection.counters.packetsSent;
    for (let index = 0; index < lost.length; index++) lost[index] = (newest - lost.length + index) & 0xffff;
    const bytes = new Uint8Array(1_200);
    return { id, bytes: bytes.slice(0, writeNack(bytes, 0, 1, projection.ssrc, lost, lost.length)) };
  });
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  // Else functions that have run once and not since are forgotten in the midst of it, some megabytes of them.
  setFlagsFromString('--no-flush-bytecode');
  return runInNewContext('gc');
}
