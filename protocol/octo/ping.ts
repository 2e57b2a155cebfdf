/**
 * Keep-alive and measurement. Clocks are microseconds since a start of the sender's choosing, below 2^53.
 *
 * Ping (frame type 8):
 * |                  incarnation of the sender                    |
 * |                          ping number                          |
 * |             sender's clock, microseconds, 64 bits             |
 * |  frames of this session the peer sent, as far as is known     |
 * |  how many of them did not arrive at the first try             |
 * |  how many runs of consecutive numbers these are               |
 *
 * Pong (frame type 9):
 * |                          ping number                          |
 * |       clock when the ping arrived, microseconds, 64 bits      |
 * |       clock when the pong left, microseconds, 64 bits         |
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';

export const PING_BYTES = 28;
export const PONG_BYTES = 20;

export interface Ping {
  readonly incarnation: number;
  readonly number: number;
  readonly sentMicros: number;
  readonly expected: number;
  readonly lost: number;
  /** Lost frames with consecutive numbers are one burst. */
  readonly bursts: number;
}

export interface Pong {
  readonly number: number;
  readonly receivedMicros: number;
  readonly sentMicros: number;
}

/** Throws DecodeError. */
export function decodePing(bytes: Uint8Array, offset: number, length: number): Ping {
  if (length !== PING_BYTES) throw new DecodeError('octo-ping-length');
  return {
    incarnation: readUint32(bytes, offset),
    number: readUint32(bytes, offset + 4),
    sentMicros: readMicros(bytes, offset + 8),
    expected: readUint32(bytes, offset + 16),
    lost: readUint32(bytes, offset + 20),
    bursts: readUint32(bytes, offset + 24),
  };
}

/** Writes the payload at `offset`; returns its length. */
export function writePing(bytes: Uint8Array, offset: number, ping: Ping): number {
  writeUint32(bytes, offset, ping.incarnation);
  writeUint32(bytes, offset + 4, ping.number);
  writeMicros(bytes, offset + 8, ping.sentMicros);
  writeUint32(bytes, offset + 16, ping.expected);
  writeUint32(bytes, offset + 20, ping.lost);
  writeUint32(bytes, offset + 24, ping.bursts);
  return PING_BYTES;
}

/** Throws DecodeError. */
export function decodePong(bytes: Uint8Array, offset: number, length: number): Pong {
  if (length !== PONG_BYTES) throw new DecodeError('octo-pong-length');
  return {
    number: readUint32(bytes, offset),
    receivedMicros: readMicros(bytes, offset + 4),
    sentMicros: readMicros(bytes, offset + 12),
  };
}

/** Writes the payload at `offset`; returns its length. */
export function writePong(bytes: Uint8Array, offset: number, pong: Pong): number {
  writeUint32(bytes, offset, pong.number);
  writeMicros(bytes, offset + 4, pong.receivedMicros);
  writeMicros(bytes, offset + 12, pong.sentMicros);
  return PONG_BYTES;
}

function readMicros(bytes: Uint8Array, offset: number): number {
  const high = readUint32(bytes, offset);
  if (high >= 0x200000) throw new DecodeError('octo-clock');
  return high * 0x100000000 + readUint32(bytes, offset + 4);
}

function writeMicros(bytes: Uint8Array, offset: number, micros: number): void {
  const low = micros % 0x100000000;
  writeUint32(bytes, offset, (micros - low) / 0x100000000);
  writeUint32(bytes, offset + 4, low);
}
