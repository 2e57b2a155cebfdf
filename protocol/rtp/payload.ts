import { DecodeError } from '../errors.ts';
import { H264_STARTS_FRAME, H264_STARTS_KEY_FRAME, inspectH264 } from './h264.ts';
import { primaryOf } from './red.ts';
import { PT_H264, PT_OPUS, PT_RED, PT_VP8 } from './table.ts';
import { Vp8Descriptor } from './vp8.ts';

/** What forwarding knows of a payload. */
export interface PayloadDescription {
  /** First packet of a frame that can be decoded without any other. Always true for audio. */
  startsKeyFrame: boolean;
  /** First packet of a frame. H.264 says so twice when parameter sets travel apart from their slice. */
  startsFrame: boolean;
  /** VP8 TID, 0-3; 0 when there is none. */
  temporalLayer: number;
  /** VP8 Y: this temporal layer may be switched up to at this frame. */
  isLayerSync: boolean;
}

const vp8 = new Vp8Descriptor();

/**
 * Fills `into` from a payload whose payload type is one of `table.ts`. An empty payload (padding only) starts nothing. Throws DecodeError for
 * a payload type that is not in the table and for a payload that breaks its format: what passes here is safe to rewrite later.
 */
export function describePayload(
  payloadType: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  into: PayloadDescription,
): void {
  into.startsKeyFrame = false;
  into.startsFrame = false;
  into.temporalLayer = 0;
  into.isLayerSync = false;
  const isEmpty = length === 0;
  switch (payloadType) {
    case PT_OPUS:
    case PT_RED:
      if (payloadType === PT_RED && !isEmpty) primaryOf(bytes, offset, length);
      into.startsKeyFrame = !isEmpty;
      into.startsFrame = !isEmpty;
      return;
    case PT_VP8:
      if (isEmpty) return;
      vp8.decode(bytes, offset, length);
      into.startsKeyFrame = vp8.startsKeyFrame;
      into.startsFrame = vp8.startsFrame;
      into.temporalLayer = vp8.temporalLayer;
      into.isLayerSync = vp8.isLayerSync;
      return;
    case PT_H264: {
      if (isEmpty) return;
      const starts = inspectH264(bytes, offset, length);
      into.startsKeyFrame = (starts & H264_STARTS_KEY_FRAME) !== 0;
      into.startsFrame = (starts & H264_STARTS_FRAME) !== 0;
      return;
    }
    default:
      throw new DecodeError('payload-type');
  }
}
