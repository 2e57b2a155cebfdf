/** What clients of a simulated world send: Opus and VP8 whose payload names the packet, so that what comes out can be checked against what went in. */
import { readUint16, readUint32, writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';

export const OPUS = 109;
export const VP8 = 120;
export const VP8_RTX = 121;
export const AUDIO_LEVEL_ID = 1;

const RTP_HEADER_BYTES = 12;
const AUDIO_LEVEL_BYTES = 8;
const DESCRIPTOR_BYTES = 6;
const NAME_BYTES = 15;
const KEY_FRAME = 0x10;
const DELTA_FRAME = 0x11;

/** Which packet it is. */
export interface PacketName {
  /** Of the publication: another one each time a source is published. */
  uid: number;
  layer: number;
  /** Counts per layer of a publication. */
  frame: number;
  /** The frame it is decoded from; its own number for a key frame and for audio. */
  reference: number;
  /** Place among the packets of the frame. */
  index: number;
  count: number;
}

export interface VideoPacket extends PacketName {
  ssrc: number;
  sequence: number;
  timestamp: number;
  pictureId: number;
  tl0PicIdx: number;
  temporalLayer: number;
  bytes: number;
}

/** Writes it and returns its length: `packet.bytes`, or as much as it takes. */
export function writeVideo(out: Buffer, packet: VideoPacket): number {
  const isLast = packet.index === packet.count - 1;
  writeRtp(out, VP8, isLast, false, packet.sequence, packet.timestamp, packet.ssrc);
  let at = RTP_HEADER_BYTES;
  out[at] = packet.index === 0 ? 0x90 : 0x80;
  out[at + 1] = 0xe0;
  out[at + 2] = 0x80 | (packet.pictureId >> 8);
  out[at + 3] = packet.pictureId & 0xff;
  out[at + 4] = packet.tl0PicIdx;
  out[at + 5] = (packet.temporalLayer << 6) | (packet.temporalLayer > 0 ? 0x20 : 0);
  at += DESCRIPTOR_BYTES;
  out[at++] = packet.reference === packet.frame && packet.index === 0 ? KEY_FRAME : DELTA_FRAME;
  writeName(out, at, packet);
  const length = Math.max(at + NAME_BYTES, packet.bytes);
  out.fill(packet.frame & 0xff, at + NAME_BYTES, length);
  return length;
}

/** The same for audio, with an audio level. */
export function writeAudio(out: Buffer, ssrc: number, sequence: number, timestamp: number, name: PacketName): number {
  writeRtp(out, OPUS, false, true, sequence, timestamp, ssrc);
  writeUint32(out, RTP_HEADER_BYTES, 0xbede0001);
  writeUint32(out, RTP_HEADER_BYTES + 4, ((AUDIO_LEVEL_ID << 4) << 24) | ((0x80 | 30) << 16));
  const at = RTP_HEADER_BYTES + AUDIO_LEVEL_BYTES;
  writeName(out, at, name);
  return at + NAME_BYTES;
}

const descriptor = new Vp8Descriptor();

/** Reads the name in a payload that a subscriber was sent. For video also its picture id; -1 for audio. */
export function readName(
  bytes: Uint8Array,
  offset: number,
  length: number,
  isVideo: boolean,
  into: PacketName,
): number {
  let at = offset;
  if (isVideo) {
    descriptor.decode(bytes, offset, length);
    at += descriptor.length + 1;
  }
  into.uid = readUint32(bytes, at);
  into.frame = readUint32(bytes, at + 4);
  into.reference = readUint32(bytes, at + 8);
  into.layer = bytes[at + 12];
  into.index = bytes[at + 13];
  into.count = bytes[at + 14];
  return isVideo ? descriptor.pictureId : -1;
}

/** RFC 4588: the original sequence number is the payload's first two bytes. */
export function originalSequence(bytes: Uint8Array, payloadOffset: number): number {
  return readUint16(bytes, payloadOffset);
}

export function newName(): PacketName {
  return { uid: 0, layer: 0, frame: 0, reference: 0, index: 0, count: 1 };
}

function writeName(out: Buffer, at: number, name: PacketName): void {
  writeUint32(out, at, name.uid);
  writeUint32(out, at + 4, name.frame);
  writeUint32(out, at + 8, name.reference);
  out[at + 12] = name.layer;
  out[at + 13] = name.index;
  out[at + 14] = name.count;
}

function writeRtp(
  out: Buffer,
  payloadType: number,
  isMarked: boolean,
  hasExtensions: boolean,
  sequence: number,
  timestamp: number,
  ssrc: number,
): void {
  out[0] = hasExtensions ? 0x90 : 0x80;
  out[1] = (isMarked ? 0x80 : 0) | payloadType;
  writeUint16(out, 2, sequence & 0xffff);
  writeUint32(out, 4, timestamp >>> 0);
  writeUint32(out, 8, ssrc);
}
