/**
 * Data Channel Establishment Protocol (RFC 8832): how one side opens a channel on an SCTP stream.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |  type 0x03    | channel type  |           priority            |
 * |                     reliability parameter                     |
 * |         label length          |        protocol length        |
 * |                 label, then protocol, UTF-8                   |
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';

/** Payload protocol identifiers of WebRTC (RFC 8831 section 8). */
export const PPID_DCEP = 50;
export const PPID_STRING = 51;
export const PPID_BINARY = 53;
export const PPID_BINARY_EMPTY = 57;

const DATA_CHANNEL_ACK = 0x02;
const DATA_CHANNEL_OPEN = 0x03;
const OPEN_HEADER_BYTES = 12;
const LABEL_BYTES_MAX = 256;

export type ChannelReliability =
  | { readonly kind: 'reliable' }
  | { readonly kind: 'retransmits'; readonly max: number }
  | { readonly kind: 'lifetime'; readonly maxMs: number };

export interface ChannelOpen {
  readonly label: string;
  readonly protocol: string;
  readonly isOrdered: boolean;
  readonly reliability: ChannelReliability;
}

/** Reads a DCEP message: an opening, or 'ack' for its answer. Throws DecodeError. */
export function decodeDcep(bytes: Uint8Array): ChannelOpen | 'ack' {
  if (bytes.length === 1 && bytes[0] === DATA_CHANNEL_ACK) return 'ack';
  if (bytes.length < OPEN_HEADER_BYTES || bytes[0] !== DATA_CHANNEL_OPEN) throw new DecodeError('dcep-type');
  const labelLength = readUint16(bytes, 8);
  const protocolLength = readUint16(bytes, 10);
  if (OPEN_HEADER_BYTES + labelLength + protocolLength !== bytes.length) throw new DecodeError('dcep-length');
  if (labelLength > LABEL_BYTES_MAX || protocolLength > LABEL_BYTES_MAX) throw new DecodeError('dcep-long');
  const text = (from: number, length: number) =>
    Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('utf8');
  return {
    label: text(OPEN_HEADER_BYTES, labelLength),
    protocol: text(OPEN_HEADER_BYTES + labelLength, protocolLength),
    isOrdered: (bytes[1] & 0x80) === 0,
    reliability: reliabilityOf(bytes[1] & 0x7f, readUint32(bytes, 4)),
  };
}

export function encodeDcepAck(): Buffer {
  return Buffer.of(DATA_CHANNEL_ACK);
}

/** An opening; label and protocol of at most 256 bytes each. */
export function encodeDcepOpen(open: ChannelOpen): Buffer {
  const label = Buffer.from(open.label, 'utf8');
  const protocol = Buffer.from(open.protocol, 'utf8');
  const head = Buffer.alloc(OPEN_HEADER_BYTES);
  head[0] = DATA_CHANNEL_OPEN;
  head[1] = (open.isOrdered ? 0 : 0x80) | typeOf(open.reliability);
  writeUint32(head, 4, parameterOf(open.reliability));
  writeUint16(head, 8, label.length);
  writeUint16(head, 10, protocol.length);
  return Buffer.concat([head, label, protocol]);
}

function reliabilityOf(type: number, parameter: number): ChannelReliability {
  if (type === 0) return { kind: 'reliable' };
  if (type === 1) return { kind: 'retransmits', max: parameter };
  if (type === 2) return { kind: 'lifetime', maxMs: parameter };
  throw new DecodeError('dcep-channel-type');
}

function typeOf(reliability: ChannelReliability): number {
  return reliability.kind === 'reliable' ? 0 : reliability.kind === 'retransmits' ? 1 : 2;
}

function parameterOf(reliability: ChannelReliability): number {
  if (reliability.kind === 'retransmits') return reliability.max;
  return reliability.kind === 'lifetime' ? reliability.maxMs : 0;
}
