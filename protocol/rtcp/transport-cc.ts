/**
 * Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), read.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |      base sequence number     |      packet status count      |   behind the 12 bytes of a feedback header
 * |        reference time, 64 ms (signed)         | feedback count|
 * |      packet chunk (16)        |      packet chunk ...         |
 * |      receive deltas: 8 or signed 16 bits, 250 us ...          |
 *
 * chunks |0| S |       run length (13)   |   S: 0 not received, 1 small delta, 2 large or negative delta
 *        |1|0|   14 symbols of one bit   |
 *        |1|1|   7 symbols of two bits   |
 */
import { DecodeError } from '../errors.ts';
import { readUint16 } from '../rtp/packet.ts';
import { FEEDBACK_HEADER_BYTES, type RtcpPacket } from './packet.ts';

/** Bytes of a feedback packet before its chunks. */
export const TRANSPORT_CC_HEADER_BYTES = FEEDBACK_HEADER_BYTES + 8;
/** Arrival times are counted in ticks of 250 us. */
export const TICKS_PER_MS = 4;
/** The reference time counts 64 ms. */
export const TICKS_PER_REFERENCE = 256;
export const STATUS_NOT_RECEIVED = 0;
export const STATUS_SMALL_DELTA = 1;
export const STATUS_LARGE_DELTA = 2;
export const RUN_LENGTH_MAX = 0x1fff;

/** A cursor over the packet statuses of one feedback packet: `begin`, then `next` until it answers false. */
export class TransportCcStatus {
  /** Of the whole packet, set by `begin`. */
  baseSequence = 0;
  statusCount = 0;
  /** 8 bits, grows by one with each feedback packet. */
  feedbackCount = 0;
  /** Of the current status: 16 bits. */
  sequence = 0;
  isReceived = false;
  /** Ticks since the sender of the feedback began to count, modulo 2^24 * 256; when received only. */
  arrivalTicks = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #chunkOffset = 0;
  #symbolInChunk = 0;
  #deltaOffset = 0;
  #index = 0;

  /** `packet` must stand on transport feedback. Checks all chunks and deltas; throws DecodeError when they do not add up. */
  begin(packet: RtcpPacket): void {
    const { bytes, offset, end } = packet;
    const chunksOffset = offset + TRANSPORT_CC_HEADER_BYTES;
    if (end < chunksOffset) throw new DecodeError('twcc-short');
    this.#bytes = bytes;
    this.baseSequence = readUint16(bytes, offset + 12);
    this.statusCount = readUint16(bytes, offset + 14);
    this.feedbackCount = bytes[offset + 19];
    const reference = (((bytes[offset + 16] << 24) | (bytes[offset + 17] << 16) | (bytes[offset + 18] << 8)) >> 8) | 0;
    this.arrivalTicks = reference * TICKS_PER_REFERENCE;
    this.#chunkOffset = chunksOffset;
    this.#symbolInChunk = 0;
    this.#index = 0;
    if (this.statusCount === 0) throw new DecodeError('twcc-empty');

    let deltaBytes = 0;
    let position = chunksOffset;
    let left = this.statusCount;
    while (left > 0) {
      if (position + 2 > end) throw new DecodeError('twcc-chunks');
      const chunk = readUint16(bytes, position);
      const symbols = Math.min(left, symbolsIn(chunk));
      if (symbols === 0) throw new DecodeError('twcc-chunks');
      if (chunk < 0x8000) deltaBytes += deltaBytesOf(symbolOf(chunk, 0)) * symbols;
      else for (let index = 0; index < symbols; index++) deltaBytes += deltaBytesOf(symbolOf(chunk, index));
      left -= symbols;
      position += 2;
    }
    this.#deltaOffset = position;
    // Up to three zero bytes may fill the last word: some senders do not declare them as padding.
    const fill = end - position - deltaBytes;
    if (fill < 0 || fill > 3) throw new DecodeError('twcc-deltas');
  }

  /** Moves to the next status; false after the last. */
  next(): boolean {
    if (this.#index === this.statusCount) return false;
    const bytes = this.#bytes;
    const chunk = readUint16(bytes, this.#chunkOffset);
    const symbol = symbolOf(chunk, this.#symbolInChunk);
    if (++this.#symbolInChunk === symbolsIn(chunk)) {
      this.#symbolInChunk = 0;
      this.#chunkOffset += 2;
    }
    this.sequence = (this.baseSequence + this.#index) & 0xffff;
    this.#index++;
    this.isReceived = symbol !== STATUS_NOT_RECEIVED;
    if (symbol === STATUS_SMALL_DELTA) {
      this.arrivalTicks += bytes[this.#deltaOffset];
      this.#deltaOffset += 1;
    } else if (symbol === STATUS_LARGE_DELTA) {
      this.arrivalTicks += (readUint16(bytes, this.#deltaOffset) << 16) >> 16;
      this.#deltaOffset += 2;
    }
    return true;
  }
}

function symbolsIn(chunk: number): number {
  if (chunk < 0x8000) return chunk & RUN_LENGTH_MAX;
  return chunk < 0xc000 ? 14 : 7;
}

function symbolOf(chunk: number, index: number): number {
  if (chunk < 0x8000) return chunk >> 13;
  if (chunk < 0xc000) return (chunk >> (13 - index)) & 1;
  return (chunk >> (12 - index * 2)) & 3;
}

function deltaBytesOf(symbol: number): number {
  if (symbol > STATUS_LARGE_DELTA) throw new DecodeError('twcc-symbol');
  return symbol;
}
