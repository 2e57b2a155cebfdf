/** Datagrams as a client of {@link endpointSpec} sends them. */
import { writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';

export interface OpusPacket {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp?: number;
  readonly mid?: string;
  /** RFC 6464, 0 is loudest. */
  readonly level?: number;
  /** Transport-wide sequence number. */
  readonly transportSequence?: number;
  readonly payload?: string;
}

export function opusPacket(packet: OpusPacket): Buffer {
  const elements: number[] = [];
  if (packet.mid !== undefined) elements.push((4 << 4) | (packet.mid.length - 1), ...Buffer.from(packet.mid));
  if (packet.level !== undefined) elements.push(1 << 4, 0x80 | packet.level);
  const transportSequence = packet.transportSequence;
  if (transportSequence !== undefined) elements.push((3 << 4) | 1, transportSequence >> 8, transportSequence & 0xff);
  return rtpPacket(
    109,
    packet.ssrc,
    packet.sequence,
    packet.timestamp ?? packet.sequence * 960,
    elements,
    Buffer.from(packet.payload ?? 'opus'),
  );
}

/** RED (RFC 2198) with one redundant block before the primary one, both naming Opus by the client's number. */
export function redPacket(ssrc: number, sequence: number, mid: string): Buffer {
  const block = Buffer.from([0x80 | 109, 0, (960 >> 6) << 2, 4]);
  const payload = Buffer.concat([block, Buffer.from([109]), Buffer.from('past'), Buffer.from('primary')]);
  const elements = [(4 << 4) | (mid.length - 1), ...Buffer.from(mid)];
  return rtpPacket(63, ssrc, sequence, sequence * 960, elements, payload);
}

export interface Vp8Packet {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp?: number;
  readonly isKeyFrame?: boolean;
  readonly mid?: string;
  readonly rid?: string;
  readonly payload?: string;
}

/** One packet that is a whole frame. */
export function vp8Packet(packet: Vp8Packet): Buffer {
  const elements: number[] = [];
  if (packet.mid !== undefined) elements.push((4 << 4) | (packet.mid.length - 1), ...Buffer.from(packet.mid));
  if (packet.rid !== undefined) elements.push((10 << 4) | (packet.rid.length - 1), ...Buffer.from(packet.rid));
  // X and S set, I with a picture id of 15 bits, then the frame's first byte: bit 0 clear is a key frame.
  const descriptor = Buffer.from([0x90, 0x80, 0x80 | ((packet.sequence >> 8) & 0x7f), packet.sequence & 0xff]);
  const frame = Buffer.from([packet.isKeyFrame === true ? 0x10 : 0x11]);
  const payload = Buffer.concat([descriptor, frame, Buffer.from(packet.payload ?? 'vp8')]);
  return rtpPacket(
    120,
    packet.ssrc,
    packet.sequence,
    packet.timestamp ?? packet.sequence * 3_000,
    elements,
    payload,
    true,
  );
}

function rtpPacket(
  payloadType: number,
  ssrc: number,
  sequence: number,
  timestamp: number,
  elements: readonly number[],
  payload: Buffer,
  marker = false,
): Buffer {
  const words = Math.ceil(elements.length / 4);
  const header = Buffer.alloc(12 + (words > 0 ? 4 + words * 4 : 0));
  header[0] = words > 0 ? 0x90 : 0x80;
  header[1] = (marker ? 0x80 : 0) | payloadType;
  writeUint16(header, 2, sequence);
  writeUint32(header, 4, timestamp >>> 0);
  writeUint32(header, 8, ssrc);
  if (words > 0) {
    writeUint32(header, 12, 0xbede0000 | words);
    Buffer.from(elements).copy(header, 16);
  }
  return Buffer.concat([header, payload]);
}
