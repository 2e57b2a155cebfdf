/**
 * Source description (RFC 3550 section 6.5) and goodbye (section 6.6).
 *
 * SDES |                          SSRC                                 |   `count` chunks, each padded with zeros to a word
 *      |   item type   |    length     | text ...
 * BYE  |                          SSRC                                 |   `count` of them
 *      |    length     | reason ...                                        optional
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { RTCP_BYE, RTCP_HEADER_BYTES, RTCP_SDES, type RtcpPacket, writeRtcpHeader } from './packet.ts';

export const SDES_CNAME = 1;
const SDES_TEXT_BYTES_MAX = 255;

/** A cursor over the items of an SDES packet: `begin`, then `next` until it answers false. */
export class SdesItem {
  bytes: Uint8Array = new Uint8Array(0);
  ssrc = 0;
  itemType = 0;
  /** The text, UTF-8, lies at `bytes[textOffset, textOffset + textLength)`. */
  textOffset = 0;
  textLength = 0;
  #start = 0;
  #position = 0;
  #end = 0;
  #chunksLeft = 0;
  #inChunk = false;

  /** `packet` must stand on an SDES. */
  begin(packet: RtcpPacket): void {
    this.bytes = packet.bytes;
    this.#start = packet.bodyOffset;
    this.#position = packet.bodyOffset;
    this.#end = packet.end;
    this.#chunksLeft = packet.count;
    this.#inChunk = false;
  }

  /** Moves to the next item; false after the last. Throws DecodeError when a chunk or an item runs over the end. */
  next(): boolean {
    for (;;) {
      if (!this.#inChunk && !this.#openChunk()) return false;
      if (this.#position >= this.#end) throw new DecodeError('rtcp-sdes');
      this.itemType = this.bytes[this.#position];
      if (this.itemType !== 0) break;
      this.#closeChunk();
    }
    if (this.#position + 2 > this.#end) throw new DecodeError('rtcp-sdes');
    this.textOffset = this.#position + 2;
    this.textLength = this.bytes[this.#position + 1];
    this.#position = this.textOffset + this.textLength;
    if (this.#position > this.#end) throw new DecodeError('rtcp-sdes');
    return true;
  }

  #openChunk(): boolean {
    if (this.#chunksLeft === 0) {
      if (this.#position !== this.#end) throw new DecodeError('rtcp-sdes');
      return false;
    }
    if (this.#position + 4 > this.#end) throw new DecodeError('rtcp-sdes');
    this.#chunksLeft--;
    this.ssrc = readUint32(this.bytes, this.#position);
    this.#position += 4;
    this.#inChunk = true;
    return true;
  }

  /** A zero item type ends a chunk; zeros fill it up to the word. */
  #closeChunk(): void {
    const fill = 4 - ((this.#position - this.#start) & 3);
    if (this.#position + fill > this.#end) throw new DecodeError('rtcp-sdes');
    for (let index = 0; index < fill; index++) {
      if (this.bytes[this.#position + index] !== 0) throw new DecodeError('rtcp-sdes');
    }
    this.#position += fill;
    this.#inChunk = false;
  }
}

/** Writes an SDES with one chunk and its CNAME, which is 1-255 ASCII characters. Returns the offset after it. */
export function writeSdesCname(bytes: Uint8Array, offset: number, ssrc: number, cname: string): number {
  if (cname.length > SDES_TEXT_BYTES_MAX) throw new RangeError('a CNAME has at most 255 bytes');
  writeUint32(bytes, offset + 4, ssrc);
  bytes[offset + 8] = SDES_CNAME;
  bytes[offset + 9] = cname.length;
  let position = offset + 10;
  for (let index = 0; index < cname.length; index++) bytes[position++] = cname.charCodeAt(index) & 0x7f;
  do bytes[position++] = 0;
  while ((position - offset) % 4 !== 0);
  writeRtcpHeader(bytes, offset, RTCP_SDES, 1, position - offset);
  return position;
}

/** SSRC number `index`, below the packet's `count`, of a BYE. */
export function byeSsrc(packet: RtcpPacket, index: number): number {
  return readUint32(packet.bytes, packet.bodyOffset + index * 4);
}

/** Writes a BYE of one SSRC without a reason, 8 bytes. */
export function writeBye(bytes: Uint8Array, offset: number, ssrc: number): number {
  writeRtcpHeader(bytes, offset, RTCP_BYE, 1, RTCP_HEADER_BYTES + 4);
  writeUint32(bytes, offset + 4, ssrc);
  return offset + RTCP_HEADER_BYTES + 4;
}
