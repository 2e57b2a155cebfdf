/**
 * VP8 payload descriptor (RFC 7741 section 4.2), decoded to offsets so that its counters can be rewritten in a copy.
 *
 *       0 1 2 3 4 5 6 7
 *      |X|R|N|S|R| PID |   always
 *   X: |I|L|T|K|  RSV  |
 *   I: |M|  PictureID  |   7 bits, or 15 with the next byte when M is set
 *      |   PictureID   |
 *   L: |   TL0PICIDX   |
 * T|K: |TID|Y| KEYIDX  |
 *      | payload ...      its first byte ends in P: 0 is a key frame (section 4.3)
 */
import { DecodeError } from '../errors.ts';

/** The descriptor of one packet. `decode` fills it; offsets are relative to the payload's first byte and -1 for an absent field. */
export class Vp8Descriptor {
  /** Bytes of the descriptor. */
  length = 0;
  /** S: a VP8 partition begins here. */
  startsPartition = false;
  /** PID, 0-7. A frame begins where partition 0 does. */
  partition = 0;
  /** N: no other frame refers to this one. */
  isNonReference = false;
  pictureIdOffset = -1;
  /** 0 (absent), 7 or 15. */
  pictureIdBits = 0;
  pictureId = 0;
  tl0PicIdxOffset = -1;
  tl0PicIdx = 0;
  /** Of the byte that TID, Y and KEYIDX share. */
  layerOffset = -1;
  hasTemporalLayer = false;
  /** TID, 0-3; 0 when absent. */
  temporalLayer = 0;
  /** Y: this frame refers to the base layer only, so its layer may be switched up to here. */
  isLayerSync = false;
  hasKeyIndex = false;
  /** KEYIDX, 0-31. */
  keyIndex = 0;
  /** First packet of a frame. */
  startsFrame = false;
  /** First packet of a key frame. Other packets of one are not told apart. */
  startsKeyFrame = false;

  /** Reads the payload of one RTP packet. Throws DecodeError when it ends inside the descriptor or right after it. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    if (length < 2) throw new DecodeError('vp8-short');
    const first = bytes[offset];
    let position = 1;
    let present = 0;
    if ((first & 0x80) !== 0) present = bytes[offset + position++];
    this.startsPartition = (first & 0x10) !== 0;
    this.partition = first & 0x07;
    this.isNonReference = (first & 0x20) !== 0;

    this.pictureIdOffset = -1;
    this.pictureIdBits = 0;
    this.pictureId = 0;
    if ((present & 0x80) !== 0) {
      if (position >= length) throw new DecodeError('vp8-short');
      this.pictureIdOffset = position;
      const high = bytes[offset + position++];
      if (high < 0x80) {
        this.pictureIdBits = 7;
        this.pictureId = high;
      } else {
        if (position >= length) throw new DecodeError('vp8-short');
        this.pictureIdBits = 15;
        this.pictureId = ((high & 0x7f) << 8) | bytes[offset + position++];
      }
    }
    this.tl0PicIdxOffset = -1;
    this.tl0PicIdx = 0;
    if ((present & 0x40) !== 0) {
      if (position >= length) throw new DecodeError('vp8-short');
      this.tl0PicIdxOffset = position;
      this.tl0PicIdx = bytes[offset + position++];
    }
    this.layerOffset = -1;
    this.hasTemporalLayer = (present & 0x20) !== 0;
    this.hasKeyIndex = (present & 0x10) !== 0;
    this.temporalLayer = 0;
    this.isLayerSync = false;
    this.keyIndex = 0;
    if ((present & 0x30) !== 0) {
      if (position >= length) throw new DecodeError('vp8-short');
      this.layerOffset = position;
      const layer = bytes[offset + position++];
      if (this.hasTemporalLayer) {
        this.temporalLayer = layer >> 6;
        this.isLayerSync = (layer & 0x20) !== 0;
      }
      if (this.hasKeyIndex) this.keyIndex = layer & 0x1f;
    }
    if (position >= length) throw new DecodeError('vp8-empty');
    this.length = position;
    this.startsFrame = this.startsPartition && this.partition === 0;
    this.startsKeyFrame = this.startsFrame && (bytes[offset + position] & 0x01) === 0;
  }

  /**
   * Writes this descriptor (fields as `decode` leaves them, `pictureIdBits` and the `has` flags say what is present, TL0PICIDX is present when
   * its offset is not -1) at `offset` and returns the offset after it: at most 6 bytes.
   */
  encode(bytes: Uint8Array, offset: number): number {
    const hasLayer = this.hasTemporalLayer || this.hasKeyIndex;
    let present = 0;
    if (this.pictureIdBits !== 0) present |= 0x80;
    if (this.tl0PicIdxOffset !== -1) present |= 0x40;
    if (this.hasTemporalLayer) present |= 0x20;
    if (this.hasKeyIndex) present |= 0x10;
    let first = this.partition & 0x07;
    if (present !== 0) first |= 0x80;
    if (this.isNonReference) first |= 0x20;
    if (this.startsPartition) first |= 0x10;

    let position = offset;
    bytes[position++] = first;
    if (present !== 0) bytes[position++] = present;
    if (this.pictureIdBits !== 0) {
      writeVp8PictureId(bytes, position, this.pictureIdBits, this.pictureId);
      position += this.pictureIdBits === 15 ? 2 : 1;
    }
    if (this.tl0PicIdxOffset !== -1) bytes[position++] = this.tl0PicIdx & 0xff;
    if (hasLayer) {
      let layer = 0;
      if (this.hasTemporalLayer) layer = (this.temporalLayer << 6) | (this.isLayerSync ? 0x20 : 0);
      if (this.hasKeyIndex) layer |= this.keyIndex & 0x1f;
      bytes[position++] = layer;
    }
    return position;
  }
}

/** Overwrites a picture id in place: `bits` is 7 or 15 and stays what it was, `pictureId` is cut to it. */
export function writeVp8PictureId(bytes: Uint8Array, offset: number, bits: number, pictureId: number): void {
  if (bits === 15) {
    bytes[offset] = 0x80 | ((pictureId >> 8) & 0x7f);
    bytes[offset + 1] = pictureId & 0xff;
  } else {
    bytes[offset] = pictureId & 0x7f;
  }
}
