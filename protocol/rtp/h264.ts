/**
 * H.264 payload (RFC 6184), as far as forwarding has to look into it: where frames and key frames begin. Packetization-mode 1.
 *
 *  0 1 2 3 4 5 6 7
 * |F|NRI|  type   |   1-23 one NAL unit, 24 STAP-A (sections 5.6, 5.7.1), 28 FU-A (section 5.8)
 * STAP-A: { size (16) | NAL unit } ...
 * FU-A:   |S|E|R| type | fragment
 */
import { DecodeError } from '../errors.ts';

const NAL_SLICE = 1;
const NAL_IDR = 5;
const NAL_SPS = 7;
const NAL_SINGLE_MAX = 23;
const NAL_STAP_A = 24;
const NAL_FU_A = 28;

/** The packet holds the first slice of a picture, or parameter sets. */
export const H264_STARTS_FRAME = 1;
/** The packet holds a sequence parameter set, or the first slice of an IDR picture: decoding can begin here. */
export const H264_STARTS_KEY_FRAME = 2;

/**
 * What begins in this payload, as a sum of the H264_STARTS_ bits. A key frame whose parameter sets travel in a packet of their own is
 * reported at both: the format does not say more without the packet before. Throws DecodeError for other packetization modes and wrong lengths.
 */
export function inspectH264(bytes: Uint8Array, offset: number, length: number): number {
  if (length < 1) throw new DecodeError('h264-short');
  const type = bytes[offset] & 0x1f;
  if (type >= 1 && type <= NAL_SINGLE_MAX) return inspectNal(type, length > 1 ? bytes[offset + 1] : 0);
  if (type === NAL_FU_A) return inspectFragment(bytes, offset, length);
  if (type === NAL_STAP_A) return inspectAggregate(bytes, offset, length);
  throw new DecodeError('h264-type');
}

function inspectFragment(bytes: Uint8Array, offset: number, length: number): number {
  if (length < 3) throw new DecodeError('h264-short');
  const header = bytes[offset + 1];
  const isFirst = (header & 0x80) !== 0;
  return isFirst ? inspectNal(header & 0x1f, bytes[offset + 2]) : 0;
}

function inspectAggregate(bytes: Uint8Array, offset: number, length: number): number {
  const end = offset + length;
  let position = offset + 1;
  let found = 0;
  while (position < end) {
    if (position + 3 > end) throw new DecodeError('h264-aggregate');
    const size = (bytes[position] << 8) | bytes[position + 1];
    position += 2;
    if (size === 0 || position + size > end) throw new DecodeError('h264-aggregate');
    found |= inspectNal(bytes[position] & 0x1f, size > 1 ? bytes[position + 1] : 0);
    position += size;
  }
  return found;
}

/** `next` is the byte after the NAL header. A slice's header opens with first_mb_in_slice as ue(v): a leading 1 bit is macroblock 0. */
function inspectNal(type: number, next: number): number {
  if (type === NAL_SPS) return H264_STARTS_FRAME | H264_STARTS_KEY_FRAME;
  if (next < 0x80) return 0;
  if (type === NAL_IDR) return H264_STARTS_FRAME | H264_STARTS_KEY_FRAME;
  return type === NAL_SLICE ? H264_STARTS_FRAME : 0;
}
