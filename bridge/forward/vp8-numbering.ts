import { type Vp8Descriptor, writeVp8PictureId } from '../../protocol/rtp/vp8.ts';
import { Renumbering } from './renumbering.ts';

/** Extended picture ids start here, so that one from before the first is positive still. */
const PICTURE_START = 0x8000;

/**
 * The counters of VP8's payload descriptor (RFC 7741 section 4.2) over one run of packets of one layer. Picture ids close up where whole
 * frames are dropped: receivers take a hole for a frame that is still to come, and wait. TL0PICIDX and KEYIDX only move by a constant, for base
 * layer frames are never dropped.
 */
export class Vp8Numbering {
  private readonly pictures = new Renumbering();
  /** What the next run's first picture becomes when this one had no picture ids. */
  private pictureOutNext = PICTURE_START;
  private tl0Shift = 0;
  private tl0Newest = 0;
  private keyIndexShift = 0;
  private keyIndexNewest = 0;

  /** Where the counters begin for a subscriber: random, as RFC 7741 asks of the picture id. */
  seed(pictureId: number): void {
    this.pictureOutNext = PICTURE_START + (pictureId & 0x7fff);
  }

  /** Begins a run at a key frame, so that its counters follow on those of the run before (which may be a fresh one with a seed). */
  follow(before: Vp8Numbering, descriptor: Vp8Descriptor): void {
    this.pictureOutNext = before.pictures.start < 0 ? before.pictureOutNext : before.pictures.highestOut + 1;
    if (descriptor.pictureIdBits !== 0) {
      this.pictures.restart(PICTURE_START + descriptor.pictureId, this.pictureOutNext);
    } else {
      this.pictures.start = -1;
    }
    this.tl0Shift = (before.tl0Newest + before.tl0Shift + 1 - descriptor.tl0PicIdx) & 0xff;
    this.tl0Newest = descriptor.tl0PicIdx;
    this.keyIndexShift = (before.keyIndexNewest + before.keyIndexShift + 1 - descriptor.keyIndex) & 0x1f;
    this.keyIndexNewest = descriptor.keyIndex;
  }

  /** True when a picture id follows on all before within `pictures`, or there is none to compare. */
  isNext(descriptor: Vp8Descriptor, pictures: number): boolean {
    if (descriptor.pictureIdBits === 0 || this.pictures.start < 0) return true;
    const ahead = this.extend(descriptor) - this.pictures.highest;
    return ahead > 0 && ahead <= pictures;
  }

  /** Notes a packet newer than all before that is forwarded. */
  keep(descriptor: Vp8Descriptor): void {
    this.note(descriptor);
    if (descriptor.pictureIdBits === 0) return;
    if (this.pictures.start < 0) {
      this.pictures.restart(PICTURE_START + descriptor.pictureId, this.pictureOutNext);
      return;
    }
    const picture = this.extend(descriptor);
    if (picture > this.pictures.highest) this.pictures.keep(picture);
  }

  /** Notes a packet newer than all before that is dropped with its whole frame. */
  remove(descriptor: Vp8Descriptor): void {
    this.note(descriptor);
    if (descriptor.pictureIdBits === 0 || this.pictures.start < 0) return;
    const picture = this.extend(descriptor);
    if (picture > this.pictures.highest) this.pictures.remove(picture);
  }

  /** Extended picture id that the subscriber sees; -1 when its frame was dropped or has been forgotten, or the packet has none. */
  pictureOf(descriptor: Vp8Descriptor): number {
    if (descriptor.pictureIdBits === 0 || this.pictures.start < 0) return -1;
    return this.pictures.outOf(this.extend(descriptor));
  }

  /** Rewrites the counters in a copy of the payload that `descriptor` was decoded from, its first byte at `offset`. */
  rewrite(descriptor: Vp8Descriptor, pictureOut: number, bytes: Uint8Array, offset: number): void {
    if (descriptor.pictureIdBits !== 0) {
      writeVp8PictureId(bytes, offset + descriptor.pictureIdOffset, descriptor.pictureIdBits, pictureOut);
    }
    if (descriptor.tl0PicIdxOffset !== -1) {
      bytes[offset + descriptor.tl0PicIdxOffset] = (descriptor.tl0PicIdx + this.tl0Shift) & 0xff;
    }
    if (descriptor.hasKeyIndex) {
      const at = offset + descriptor.layerOffset;
      bytes[at] = (bytes[at] & 0xe0) | ((descriptor.keyIndex + this.keyIndexShift) & 0x1f);
    }
  }

  /** Every packet names the newest base layer frame and key frame, so a lost one is counted by those after it. */
  private note(descriptor: Vp8Descriptor): void {
    if (descriptor.tl0PicIdxOffset !== -1) {
      const ahead = ((descriptor.tl0PicIdx - this.tl0Newest) << 24) >> 24;
      if (ahead > 0) this.tl0Newest = descriptor.tl0PicIdx;
    }
    if (descriptor.hasKeyIndex) {
      const ahead = ((descriptor.keyIndex - this.keyIndexNewest) << 27) >> 27;
      if (ahead > 0) this.keyIndexNewest = descriptor.keyIndex;
    }
  }

  private extend(descriptor: Vp8Descriptor): number {
    const unused = 32 - descriptor.pictureIdBits;
    return this.pictures.highest + (((descriptor.pictureId - this.pictures.highest) << unused) >> unused);
  }
}
