/**
 * What a load generator sent and what came of it, packet by packet, as columns: kept while it plays, looked at afterwards. All times are ms of the wall
 * clock, so that those of several processes compare.
 */
import type { PacketObserver } from '../forward/packet-observer.ts';
import { sourceOfTag, streamTag } from '../forward/payload.ts';
import type { ReceivedStream } from '../forward/received-stream.ts';

/** One per packet published. `bytes` are those of the RTP packet without extensions. */
export interface SentColumns {
  readonly tag: number[];
  readonly number: number[];
  readonly frame: number[];
  readonly isKeyFrame: boolean[];
  readonly isAsked: boolean[];
  readonly bytes: number[];
  readonly atMs: number[];
}

/** One per packet received, repeats included. `subscriber`: the endpoint's index in its generator. */
export interface ReceivedColumns {
  readonly subscriber: number[];
  readonly tag: number[];
  readonly number: number[];
  readonly sentAtMs: number[];
  readonly atMs: number[];
}

export interface Ledger {
  readonly sent: SentColumns;
  readonly received: ReceivedColumns;
}

/** Memory for two minutes of what the cases play; what comes after is left out and shows as lost. */
const PACKETS_MAX = 2_000_000;

/** Fills a ledger. `timeOriginMs`: the wall clock when the generator's clock was 0. */
export class LedgerKeeper implements PacketObserver {
  readonly #timeOriginMs: number;
  #ledger = emptyLedger();

  constructor(timeOriginMs: number) {
    this.#timeOriginMs = timeOriginMs;
  }

  sent(
    tag: number,
    number: number,
    frame: number,
    isKeyFrame: boolean,
    isAsked: boolean,
    bytes: number,
    sentUs: number,
  ): void {
    const { sent } = this.#ledger;
    if (sent.tag.length >= PACKETS_MAX) return;
    sent.tag.push(tag);
    sent.number.push(number);
    sent.frame.push(frame);
    sent.isKeyFrame.push(isKeyFrame);
    sent.isAsked.push(isAsked);
    sent.bytes.push(bytes);
    sent.atMs.push(this.#wallMs(sentUs));
  }

  received({ endpoint }: ReceivedStream, tag: number, number: number, sentUs: number, receivedUs: number): void {
    const { received } = this.#ledger;
    if (received.tag.length >= PACKETS_MAX) return;
    received.subscriber.push(endpoint.index);
    received.tag.push(tag);
    received.number.push(number);
    received.sentAtMs.push(this.#wallMs(sentUs));
    received.atMs.push(this.#wallMs(receivedUs));
  }

  /** What was kept, and an empty ledger from now on. */
  take(): Ledger {
    const taken = this.#ledger;
    this.#ledger = emptyLedger();
    return taken;
  }

  #wallMs(us: number): number {
    return this.#timeOriginMs + us / 1_000;
  }
}

export function emptyLedger(): Ledger {
  return {
    sent: { tag: [], number: [], frame: [], isKeyFrame: [], isAsked: [], bytes: [], atMs: [] },
    received: { subscriber: [], tag: [], number: [], sentAtMs: [], atMs: [] },
  };
}

/** A published source and somebody who watches it: `publisher` and `subscriber` are endpoints' indexes in the generator. */
export interface Flow {
  readonly publisher: number;
  readonly sourceId: number;
  readonly subscriber: number;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A packet of one layer, and when it first came; undefined: never. */
export interface PacketFate {
  readonly number: number;
  readonly frame: number;
  readonly isKeyFrame: boolean;
  readonly sentAtMs: number;
  readonly arrivedAtMs: number | undefined;
}

/** What became of the packets of one layer that were sent within `span`, in the order they were sent. */
export function fatesOf(ledger: Ledger, flow: Flow, layer: number, span: Span = ALWAYS): PacketFate[] {
  const tag = streamTag(flow.publisher, flow.sourceId, layer);
  const arrivals = arrivalsOf(ledger, flow.subscriber, tag);
  const { sent } = ledger;
  const fates: PacketFate[] = [];
  for (let index = 0; index < sent.tag.length; index++) {
    const sentAtMs = sent.atMs[index];
    if (sent.tag[index] !== tag || sentAtMs < span.fromMs || sentAtMs >= span.toMs) continue;
    const number = sent.number[index];
    fates.push({
      number,
      frame: sent.frame[index],
      isKeyFrame: sent.isKeyFrame[index],
      sentAtMs,
      arrivedAtMs: arrivals.get(number),
    });
  }
  return fates;
}

const ALWAYS: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

/** Share of packets that never came. 0 of nothing. */
export function lostShare(fates: readonly PacketFate[]): number {
  return fates.length === 0 ? 0 : lostCount(fates) / fates.length;
}

export function lostCount(fates: readonly PacketFate[]): number {
  return fates.filter(({ arrivedAtMs }) => arrivedAtMs === undefined).length;
}

/** ms from sending to arrival, of those that came. */
export function delaysOf(fates: readonly PacketFate[]): number[] {
  return fates.flatMap(({ sentAtMs, arrivedAtMs }) => (arrivedAtMs === undefined ? [] : [arrivedAtMs - sentAtMs]));
}

/** A frame that came whole. */
export interface DecodableFrame {
  readonly frame: number;
  readonly sentAtMs: number;
  /** When its last packet came, or that of an earlier frame which it builds on. */
  readonly readyAtMs: number;
}

/** The frames that a decoder could show: whole, and a key frame or the next after one that it could show. */
export function decodableFrames(fates: readonly PacketFate[]): DecodableFrame[] {
  const frames: DecodableFrame[] = [];
  let last: DecodableFrame | undefined;
  for (const packets of framesOf(fates)) {
    const [{ frame, isKeyFrame, sentAtMs }] = packets;
    const isWhole = packets.every(({ arrivedAtMs }) => arrivedAtMs !== undefined);
    const before = isKeyFrame ? Number.NEGATIVE_INFINITY : last?.frame === frame - 1 ? last.readyAtMs : undefined;
    if (!isWhole || before === undefined) continue;
    last = { frame, sentAtMs, readyAtMs: Math.max(before, ...packets.map(({ arrivedAtMs }) => arrivedAtMs!)) };
    frames.push(last);
  }
  return frames;
}

/** Packets that came to `flow.subscriber` of a source within `span`, by layer, over its length in s. */
export function packetsPerSecond(ledger: Ledger, flow: Flow, span: Span): number[] {
  const { received } = ledger;
  const source = sourceOfTag(streamTag(flow.publisher, flow.sourceId, 0));
  const counts = [0, 0, 0];
  for (let index = 0; index < received.tag.length; index++) {
    const atMs = received.atMs[index];
    const isIt = received.subscriber[index] === flow.subscriber && sourceOfTag(received.tag[index]) === source;
    if (isIt && atMs >= span.fromMs && atMs < span.toMs) counts[received.tag[index] & 3]++;
  }
  return counts.map(count => (count * 1_000) / (span.toMs - span.fromMs));
}

function* framesOf(fates: readonly PacketFate[]): Generator<PacketFate[]> {
  let packets: PacketFate[] = [];
  for (const fate of fates) {
    if (packets.length > 0 && packets[0].frame !== fate.frame) {
      yield packets;
      packets = [];
    }
    packets.push(fate);
  }
  if (packets.length > 0) yield packets;
}

function arrivalsOf({ received }: Ledger, subscriber: number, tag: number): ReadonlyMap<number, number> {
  const arrivals = new Map<number, number>();
  for (let index = 0; index < received.tag.length; index++) {
    if (received.tag[index] !== tag || received.subscriber[index] !== subscriber) continue;
    const number = received.number[index];
    const before = arrivals.get(number);
    if (before === undefined || received.atMs[index] < before) arrivals.set(number, received.atMs[index]);
  }
  return arrivals;
}
