/** For tests: a bridge that projects a source for one subscriber and keeps what it sends. Time is the caller's. */

import { RtpPacket, readUint32, writeUint32 } from '../../protocol/rtp/packet.ts';
import { describePayload } from '../../protocol/rtp/payload.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { SLOT_BYTES } from '../arena.ts';
import { MediaPacket } from '../media-packet.ts';
import { PacketHistory } from './packet-history.ts';
import { Projection } from './projection.ts';
import type { ProjectionLayer, ProjectionOptions } from './projection-options.ts';
import { SimulatedLayer, type SimulatedPacket, seededRandom } from './simulated-source.ts';
import { type SubscriberFormat, subscriberFormat } from './subscriber-format.ts';
import type { SenderReportPoint } from './timeline.ts';

export const SSRC = 0x11111111;
export const RTX_SSRC = 0x22222222;

/** Numbers unlike the table's, so that a forgotten mapping shows. */
export const CLIENT_FORMAT: SubscriberFormat = subscriberFormat(
  [
    { codec: 'opus', payloadType: 109, rtxPayloadType: null },
    { codec: 'red', payloadType: 64, rtxPayloadType: null },
    { codec: 'vp8', payloadType: 120, rtxPayloadType: 121 },
    { codec: 'h264', payloadType: 126, rtxPayloadType: 127 },
  ],
  [
    { id: 7, uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level' },
    { id: 8, uri: 'urn:3gpp:video-orientation' },
  ],
);

/** A packet as the subscriber got it. */
export interface SentPacket {
  atMs: number;
  sequence: number;
  timestamp: number;
  marker: boolean;
  payloadType: number;
  bytes: Uint8Array;
  /** Undefined for an empty packet. */
  video: SentVideo | undefined;
}

export interface SentVideo {
  layer: number;
  generation: number;
  frame: number;
  index: number;
  pictureId: number;
  tl0PicIdx: number;
  temporalLayer: number;
  startsKeyFrame: boolean;
}

export interface TestLayer extends ProjectionLayer {
  senderReport: SenderReportPoint | undefined;
  flows: boolean;
}

/** The bridge's part between ingress and egress for one source and one subscriber. */
export class ProjectionBench {
  readonly layers: TestLayer[];
  readonly projection: Projection;
  readonly sent: SentPacket[] = [];
  readonly out = new Uint8Array(SLOT_BYTES);
  private readonly packet = new MediaPacket();

  constructor(kind: 'audio' | 'video', layers: number, options: Partial<ProjectionOptions> = {}) {
    const random = seededRandom(99);
    this.layers = Array.from({ length: layers }, () => ({
      history: new PacketHistory(kind),
      senderReport: undefined,
      flows: true,
      isWithheld: false,
      isFlowing(): boolean {
        return this.flows;
      },
    }));
    this.projection = new Projection({
      kind,
      ssrc: SSRC,
      rtxSsrc: kind === 'video' ? RTX_SSRC : null,
      mid: '4',
      format: CLIENT_FORMAT,
      randomUint32: () => Math.floor(random() * 0x100000000),
      ...options,
    });
    this.projection.configure({ enabled: true, layerMax: layers - 1, temporalMax: 3 });
    this.projection.chooseLayer(0, this.layers);
  }

  /** A packet arrives; returns what was sent for it. */
  receive(nowMs: number, from: SimulatedPacket): SentPacket | undefined {
    const { history } = this.layers[from.layer];
    const offset = history.offsetFor(from.sequence);
    if (offset < 0) return undefined;
    history.bytes.set(from.bytes, offset);
    history.commit(from.sequence, from.bytes.length, nowMs);
    const packet = this.packet;
    packet.rtp.decode(history.bytes, offset, from.bytes.length);
    packet.layer = from.layer;
    packet.sequence = from.sequence;
    packet.arrivedMs = nowMs;
    const { payloadType, payloadOffset, payloadLength } = packet.rtp;
    describePayload(payloadType, history.bytes, payloadOffset, payloadLength, packet);
    const length = this.projection.project(packet, this.layers, this.out, 8);
    if (length === 0) return undefined;
    const sent = readSent(nowMs, this.out.slice(8, 8 + length));
    this.sent.push(sent);
    return sent;
  }

  /** A NACK for one packet; its RTX answer is unwrapped and counts as sent. */
  nack(nowMs: number, sequence: number): void {
    const bytes = this.resend(nowMs, sequence, 0);
    if (bytes !== undefined) this.sent.push(readSent(nowMs, unwrapRtx(bytes)));
  }

  /** The answer to a NACK for one packet, or undefined. */
  resend(nowMs: number, sequence: number, rttMs: number): Uint8Array | undefined {
    const length = this.projection.retransmit(nowMs, sequence, rttMs, this.layers, this.out, 8);
    return length === 0 ? undefined : this.out.slice(8, 8 + length);
  }
}

/** RFC 4588 section 4, for packets without header extensions. */
export function unwrapRtx(bytes: Uint8Array): Uint8Array {
  const original = new Uint8Array(bytes.length - 2);
  original.set(bytes.subarray(0, 12));
  original.set(bytes.subarray(14), 12);
  original[1] = (bytes[1] & 0x80) | 120;
  original.set(bytes.subarray(12, 14), 2);
  writeUint32(original, 8, SSRC);
  return original;
}

/** Reads what a subscriber got, with its own numbers. */
export function readSent(atMs: number, bytes: Uint8Array): SentPacket {
  const rtp = new RtpPacket();
  rtp.decode(bytes, 0, bytes.length);
  const { sequence, timestamp, marker, payloadType } = rtp;
  const isVideo = payloadType === 120 && rtp.payloadLength > 0;
  return { atMs, sequence, timestamp, marker, payloadType, bytes, video: isVideo ? readVideo(rtp) : undefined };
}

function readVideo(rtp: RtpPacket): SentVideo {
  const descriptor = new Vp8Descriptor();
  descriptor.decode(rtp.bytes, rtp.payloadOffset, rtp.payloadLength);
  const { pictureId, tl0PicIdx, temporalLayer, startsKeyFrame } = descriptor;
  const at = rtp.payloadOffset + descriptor.length + 1;
  const [layer, generation] = rtp.bytes.subarray(at, at + 2);
  const frame = readUint32(rtp.bytes, at + 2);
  return {
    layer,
    generation,
    frame,
    index: rtp.bytes[at + 6],
    pictureId,
    tl0PicIdx,
    temporalLayer,
    startsKeyFrame,
  };
}

/** A camera whose frames are made and delivered one by one, at 30 a second. */
export class Camera {
  readonly bench: ProjectionBench;
  readonly layers: SimulatedLayer[];
  nowMs = 10_000;

  constructor(bench: ProjectionBench) {
    const random = seededRandom(4);
    this.bench = bench;
    this.layers = bench.layers.map(() => new SimulatedLayer(random));
  }

  frame(
    layer: number,
    shape: { isKeyFrame?: boolean; packets?: number; temporalLayer?: number; isLayerSync?: boolean } = {},
  ) {
    const sender = this.layers[layer];
    const timestamp = (sender.timestampBase + Math.round(this.nowMs * 90)) >>> 0;
    return sender.encode({ layer, packets: 1, timestamp, ...shape });
  }

  /** One frame on each of `layers`; what came out. */
  send(layers: readonly number[], shape: Parameters<Camera['frame']>[1] = {}): SentPacket[] {
    this.nowMs += 1000 / 30;
    return layers.flatMap(layer => this.deliver(this.frame(layer, shape)));
  }

  deliver(packets: readonly SimulatedPacket[]): SentPacket[] {
    return packets.flatMap(packet => this.bench.receive(this.nowMs, packet) ?? []);
  }
}
