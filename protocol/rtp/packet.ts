/**
 * RTP fixed header (RFC 3550 section 5.1) and header extensions (RFC 8285), decoded to offsets.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 * |                           timestamp                           |
 * |                             SSRC                              |
 * |                      CSRC (0 to 15 words)                     |
 * |  0xbede or 0x100x             |  extension length in words    |
 */
import { DecodeError } from '../errors.ts';

export const RTP_HEADER_BYTES = 12;
const ONE_BYTE_PROFILE = 0xbede;
const TWO_BYTE_PROFILE = 0x1000;

/**
 * A cursor over one RTP packet in somebody else's bytes: `decode` fills it, nothing is copied or allocated. It holds until
 * the bytes change or `decode` is called again, so keep numbers, never the cursor.
 */
export class RtpPacket {
  bytes: Uint8Array = new Uint8Array(0);
  /** First byte of the packet in `bytes`; all other offsets are absolute in `bytes` too. */
  offset = 0;
  /** Whole packet with header and padding, in bytes. */
  length = 0;
  marker = false;
  payloadType = 0;
  /** 16 bits, not extended. */
  sequence = 0;
  timestamp = 0;
  ssrc = 0;
  /** First byte after fixed header, CSRCs and extensions. */
  payloadOffset = 0;
  /** Without padding; 0 for a padding-only packet. */
  payloadLength = 0;
  paddingLength = 0;
  /** 0xbede, 0x1000 (two-byte headers), or 0 when there is none. */
  extensionProfile = 0;
  extensionOffset = 0;
  extensionLength = 0;
  /** Set by {@link findExtension}. */
  elementOffset = 0;
  elementLength = 0;

  /** Reads the packet at `offset`. Throws DecodeError when a length does not hold. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    if (length < RTP_HEADER_BYTES) throw new DecodeError('rtp-short');
    const first = bytes[offset];
    if (first >> 6 !== 2) throw new DecodeError('rtp-version');
    const end = offset + length;
    const second = bytes[offset + 1];
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.marker = second >= 0x80;
    this.payloadType = second & 0x7f;
    this.sequence = (bytes[offset + 2] << 8) | bytes[offset + 3];
    this.timestamp = readUint32(bytes, offset + 4);
    this.ssrc = readUint32(bytes, offset + 8);
    this.extensionProfile = 0;
    this.extensionOffset = 0;
    this.extensionLength = 0;

    let position = offset + RTP_HEADER_BYTES + (first & 0x0f) * 4;
    if (position > end) throw new DecodeError('rtp-csrc');
    if ((first & 0x10) !== 0) {
      if (position + 4 > end) throw new DecodeError('rtp-extension');
      const profile = (bytes[position] << 8) | bytes[position + 1];
      const words = (bytes[position + 2] << 8) | bytes[position + 3];
      position += 4;
      if (position + words * 4 > end) throw new DecodeError('rtp-extension');
      if (profile === ONE_BYTE_PROFILE) this.extensionProfile = ONE_BYTE_PROFILE;
      else if ((profile & 0xfff0) === TWO_BYTE_PROFILE) this.extensionProfile = TWO_BYTE_PROFILE;
      this.extensionOffset = position;
      this.extensionLength = words * 4;
      position += words * 4;
    }
    this.payloadOffset = position;
    this.paddingLength = 0;
    if ((first & 0x20) !== 0) {
      if (position === end) throw new DecodeError('rtp-padding');
      this.paddingLength = bytes[end - 1];
      if (this.paddingLength === 0 || position + this.paddingLength > end) throw new DecodeError('rtp-padding');
    }
    this.payloadLength = end - position - this.paddingLength;
  }

  /** Looks for extension `id` (1-255); on true its data is at `elementOffset`, `elementLength` bytes. Damaged elements end the search. */
  findExtension(id: number): boolean {
    if (this.extensionProfile === 0 || id === 0) return false;
    const bytes = this.bytes;
    const end = this.extensionOffset + this.extensionLength;
    const isOneByte = this.extensionProfile === ONE_BYTE_PROFILE;
    let position = this.extensionOffset;
    while (position < end) {
      const head = bytes[position];
      if (head === 0) {
        position++;
        continue;
      }
      let elementId = head;
      let elementLength: number;
      if (isOneByte) {
        elementId = head >> 4;
        // RFC 8285 section 4.2: 15 is reserved, and an ID of 0 with a length is an error; both end the whole extension.
        if (elementId === 15 || elementId === 0) return false;
        elementLength = (head & 0x0f) + 1;
        position += 1;
      } else {
        if (position + 2 > end) return false;
        elementLength = bytes[position + 1];
        position += 2;
      }
      if (position + elementLength > end) return false;
      if (elementId === id) {
        this.elementOffset = position;
        this.elementLength = elementLength;
        return true;
      }
      position += elementLength;
    }
    return false;
  }
}

/** Big-endian uint32 without a DataView: the JIT keeps it in registers. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = (value >>> 16) & 0xff;
  bytes[offset + 2] = (value >>> 8) & 0xff;
  bytes[offset + 3] = value & 0xff;
}

export function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >>> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

export function readUint16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}
