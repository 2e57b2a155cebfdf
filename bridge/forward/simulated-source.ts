/** For tests: what a source sends, in normalised form. A payload names the packet it belongs to, so that what comes out can be checked against what went in. */
import { writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { EXT_ID_AUDIO_LEVEL, PT_OPUS, PT_VP8 } from '../../protocol/rtp/table.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { EXTENDED_START } from '../../protocol/sequence.ts';

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
