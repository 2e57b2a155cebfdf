/**
 * For tests: a source with up to three VP8 layers, and a bridge that projects it for one subscriber and keeps what it sends. Time is the
 * caller's; a payload names the packet it belongs to, so that what comes out can be checked against what went in.
 */

import { RtpPacket, readUint32, writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { describePayload } from '../../protocol/rtp/payload.ts';
import { EXT_ID_AUDIO_LEVEL, PT_OPUS, PT_VP8 } from '../../protocol/rtp/table.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { EXTENDED_START } from '../../protocol/sequence.ts';
import { SLOT_BYTES } from '../arena.ts';
import { MediaPacket } from '../media-packet.ts';
import { PacketHistory } from './packet-history.ts';
import { Projection } from './projection.ts';
import type { ProjectionLayer, ProjectionOptions } from './projection-options.ts';
import { type SubscriberFormat, subscriberFormat } from './subscriber-format.ts';
import type { SenderReportPoint } from './timeline.ts';

export const SSRC = 0x11111111;
export const RTX_SSRC = 0x22222222;

/** Mulberry32: 0 to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  };
}

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

/** One packet on its way to the bridge. */
export interface SimulatedPacket {
  layer: number;
  generation: number;
  frame: number;
  index: number;
  /** Extended. */
  sequence: number;
  bytes: Uint8Array;
}

export interface FrameShape {
  layer: number;
  packets: number;
  isKeyFrame?: boolean;
  temporalLayer?: number;
  isLayerSync?: boolean;
  timestamp: number;
}

/** Counters of one layer's sender. */
export class SimulatedLayer {
  sequence: number;
  pictureId: number;
  tl0PicIdx: number;
  timestampBase: number;
  generation = 0;
  frame = 0;

  constructor(random: () => number) {
    this.sequence = EXTENDED_START + Math.floor(random() * 0x10000);
    this.pictureId = Math.floor(random() * 0x8000);
    this.tl0PicIdx = Math.floor(random() * 0x100);
    this.timestampBase = Math.floor(random() * 0x100000000);
  }

  /** Packets of the next frame. */
  encode(shape: FrameShape): SimulatedPacket[] {
    const packets: SimulatedPacket[] = [];
    const temporalLayer = shape.temporalLayer ?? 0;
    this.pictureId = (this.pictureId + 1) & 0x7fff;
    if (temporalLayer === 0) this.tl0PicIdx = (this.tl0PicIdx + 1) & 0xff;
    this.frame++;
    for (let index = 0; index < shape.packets; index++) {
      const descriptor = new Vp8Descriptor();
      descriptor.startsPartition = index === 0;
      descriptor.pictureIdBits = 15;
      descriptor.pictureId = this.pictureId;
      descriptor.tl0PicIdxOffset = 0;
      descriptor.tl0PicIdx = this.tl0PicIdx;
      descriptor.hasTemporalLayer = true;
      descriptor.temporalLayer = temporalLayer;
      descriptor.isLayerSync = shape.isLayerSync ?? false;
      descriptor.hasKeyIndex = true;
      const bytes = new Uint8Array(64);
      writeHeader(bytes, PT_VP8, index === shape.packets - 1, this.sequence, shape.timestamp);
      let position = descriptor.encode(bytes, 12);
      bytes[position++] = shape.isKeyFrame ? 0 : 1;
      bytes[position++] = shape.layer;
      bytes[position++] = this.generation;
      writeUint32(bytes, position, this.frame);
      bytes[position + 4] = index;
      packets.push({
        layer: shape.layer,
        generation: this.generation,
        frame: this.frame,
        index,
        sequence: this.sequence,
        bytes: bytes.subarray(0, position + 5),
      });
      this.sequence++;
    }
    return packets;
  }
}

/** An Opus packet of `payload`, with an audio level. */
export function opusPacket(
  sequence: number,
  timestamp: number,
  payload: Uint8Array,
  payloadType = PT_OPUS,
): SimulatedPacket {
  const bytes = new Uint8Array(20 + payload.length);
  writeHeader(bytes, payloadType, false, sequence, timestamp);
  bytes[0] = 0x90;
  bytes.set([0xbe, 0xde, 0, 1, EXT_ID_AUDIO_LEVEL << 4, 0x80 | 42, 0, 0], 12);
  bytes.set(payload, 20);
  return { layer: 0, generation: 0, frame: 0, index: 0, sequence, bytes };
}

function writeHeader(bytes: Uint8Array, payloadType: number, marker: boolean, sequence: number, timestamp: number) {
  bytes[0] = 0x80;
  bytes[1] = payloadType | (marker ? 0x80 : 0);
  writeUint16(bytes, 2, sequence & 0xffff);
  writeUint32(bytes, 4, timestamp >>> 0);
}

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
    const length = this.projection.project(nowMs, packet, this.layers, this.out, 8);
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
