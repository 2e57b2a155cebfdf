/** One RTP stream that an endpoint of the load generator is sent: counted by its headers, and verified by content as often as asked. */
import { DecodeError } from '../../../protocol/errors.ts';
import { RtpPacket, readUint16 } from '../../../protocol/rtp/packet.ts';
import { Vp8Descriptor } from '../../../protocol/rtp/vp8.ts';
import type { GeneratorEndpoint } from './generator-endpoint.ts';
import { OUTGOING_BYTES } from './io/generator-socket.ts';
import type { LatencyHistogram } from './latency-histogram.ts';
import type { PacketObserver } from './packet-observer.ts';
import { type PayloadFault, PayloadReader, sourceOfTag } from './payload.ts';
import { SequenceCount } from './sequence-count.ts';

/** What verification found, over all streams. */
export class Verification {
  verified = 0;
  /** Not authentic, not whole, or somebody else's: by what was wrong. */
  readonly faults = new Map<PayloadFault | 'srtp' | 'rtp' | 'source', number>();
  readonly latency: LatencyHistogram;
  readonly observer: PacketObserver | undefined;
  /** Packets sent earlier are late by more than their way: they were lost at the end of a load, and repaired in the next. */
  sinceUs = 0;

  constructor(latency: LatencyHistogram, observer?: PacketObserver) {
    this.latency = latency;
    this.observer = observer;
  }

  fault(name: PayloadFault | 'srtp' | 'rtp' | 'source'): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  /** Counts anew, from `nowUs` on. */
  reset(nowUs: number): void {
    this.sinceUs = nowUs;
    this.verified = 0;
    this.faults.clear();
    this.latency.reset();
  }
}

/** Scratch of all streams: one packet is looked at at a time. */
const plain = Buffer.alloc(OUTGOING_BYTES);
const rtp = new RtpPacket();
const descriptor = new Vp8Descriptor();
const payload = new PayloadReader();

export class ReceivedStream {
  readonly endpoint: GeneratorEndpoint;
  readonly ssrc: number;
  readonly kind: 'audio' | 'video';
  readonly count = new SequenceCount();
  /** Middle bits of the last sender report's time and when it came, for receiver reports. */
  lastReport = 0;
  lastReportMs = 0;
  /** When a key frame was last asked for. */
  askedKeyFrameMs = Number.NEGATIVE_INFINITY;
  /** Where the last key frame begins, extended; -1 before the first. */
  keyFrameSequence = -1;
  readonly #source: number;
  readonly #verification: Verification;
  /** The first packet of all is always looked at: SRTP counts wraps from there. */
  #untilSample = 0;

  /** `tag` of any layer of the source that is expected. */
  constructor(
    endpoint: GeneratorEndpoint,
    ssrc: number,
    kind: 'audio' | 'video',
    tag: number,
    verification: Verification,
  ) {
    this.endpoint = endpoint;
    this.ssrc = ssrc;
    this.kind = kind;
    this.#source = sourceOfTag(tag);
    this.#verification = verification;
  }

  /** Counts anew. `phase` (1 or more) packets from now one is looked at: streams take turns, so that short loads have samples too. */
  begin(phase: number): void {
    this.count.reset();
    if (this.count.highest >= 0) this.#untilSample = phase;
  }

  /** A packet of the stream's own SSRC; one in `sampleEvery` is decrypted and verified. */
  handle(bytes: Buffer, offset: number, length: number, receivedUs: number, sampleEvery: number): void {
    this.count.handle(readUint16(bytes, offset + 2), receivedUs / 1_000);
    if (--this.#untilSample > 0) return;
    this.#untilSample = sampleEvery;
    if (!this.#open(bytes, offset, length)) return;
    const verification = this.#verification;
    if (!this.#verify(rtp.payloadOffset, rtp.payloadLength)) return;
    this.#noteKeyFrame(readUint16(bytes, offset + 2));
    verification.observer?.received(this, payload.tag, payload.number, payload.sentUs, receivedUs);
    if (payload.sentUs < verification.sinceUs) return;
    verification.latency.add(receivedUs - payload.sentUs);
  }

  /** A packet of its RTX stream: always verified, for what it repairs is inside. */
  handleRtx(bytes: Buffer, offset: number, length: number, receivedUs: number): void {
    if (!this.#open(bytes, offset, length) || rtp.payloadLength < 2) return;
    this.count.recover(readUint16(plain, rtp.payloadOffset));
    if (!this.#verify(rtp.payloadOffset + 2, rtp.payloadLength - 2)) return;
    this.#verification.observer?.received(this, payload.tag, payload.number, payload.sentUs, receivedUs);
  }

  /** Since when a decoder has been waiting for a packet: what is missing before the last key frame it does not miss. Undefined: it is not. */
  get stuckSinceMs(): number | undefined {
    return this.kind === 'video' ? this.count.missingSinceMs(this.keyFrameSequence) : undefined;
  }

  /** Of the packet that was verified last. */
  #noteKeyFrame(sequence16: number): void {
    if (this.kind !== 'video' || !descriptor.startsKeyFrame) return;
    this.keyFrameSequence = Math.max(this.keyFrameSequence, this.count.extend(sequence16));
  }

  /** Leaves the plain packet in {@link rtp}; false when it is not authentic. */
  #open(bytes: Buffer, offset: number, length: number): boolean {
    bytes.copy(plain, 0, offset, offset + length);
    const plainLength = this.endpoint.srtp?.unprotectRtp(plain, 0, length) ?? -1;
    if (plainLength < 0) {
      this.#verification.fault('srtp');
      return false;
    }
    rtp.decode(plain, 0, plainLength);
    return true;
  }

  #verify(offset: number, length: number): boolean {
    // A bridge sends empty packets in the place of ones it decided against.
    if (length === 0) return false;
    let fault: PayloadFault | 'rtp' | 'source' | undefined;
    try {
      const skip = this.kind === 'video' ? this.#descriptorLength(offset, length) : 0;
      fault = payload.read(plain, offset + skip, length - skip);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      fault = 'rtp';
    }
    if (fault === undefined && sourceOfTag(payload.tag) !== this.#source) fault = 'source';
    if (fault === undefined) this.#verification.verified++;
    else this.#verification.fault(fault);
    return fault === undefined;
  }

  #descriptorLength(offset: number, length: number): number {
    descriptor.decode(plain, offset, length);
    return descriptor.length;
  }
}
