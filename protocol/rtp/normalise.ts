/**
 * The normalised form of a media packet: what histories keep, projections read and Octo links carry (`protocol/octo/README.md`). Payload type and
 * extension ids are the project's (table.ts); CSRCs, padding and the header extensions that belong to one hop are gone.
 */
import { RTP_HEADER_BYTES, type RtpPacket, writeUint16, writeUint32 } from './packet.ts';
import { EXT_ID_AUDIO_LEVEL, EXT_ID_VIDEO_ORIENTATION } from './table.ts';

/** Most that {@link normalise} adds to a payload, in bytes: header and one extension block of one word. */
export const NORMALISED_HEADER_BYTES_MAX = RTP_HEADER_BYTES + 8;

/**
 * Writes `packet` in normalised form at `out[offset..]` and returns its length. `audioLevelId` and `videoOrientationId` are the sender's extension ids,
 * 0 when it has none. The caller sees to it that payload length + {@link NORMALISED_HEADER_BYTES_MAX} bytes fit.
 */
export function normalise(
  packet: RtpPacket,
  payloadType: number,
  audioLevelId: number,
  videoOrientationId: number,
  out: Buffer,
  offset: number,
): number {
  const bytes = packet.bytes;
  const audioLevel = packet.findExtension(audioLevelId) ? bytes[packet.elementOffset] : -1;
  const orientation = packet.findExtension(videoOrientationId) ? bytes[packet.elementOffset] : -1;
  const hasExtensions = audioLevel >= 0 || orientation >= 0;

  out[offset] = hasExtensions ? 0x90 : 0x80;
  out[offset + 1] = (packet.marker ? 0x80 : 0) | payloadType;
  writeUint16(out, offset + 2, packet.sequence);
  writeUint32(out, offset + 4, packet.timestamp);
  writeUint32(out, offset + 8, packet.ssrc);
  let position = offset + RTP_HEADER_BYTES;
  if (hasExtensions) {
    writeUint32(out, position, 0xbede0001);
    // One word: two one-byte elements of one byte each; an absent one is padding.
    out[position + 4] = audioLevel >= 0 ? EXT_ID_AUDIO_LEVEL << 4 : 0;
    out[position + 5] = Math.max(audioLevel, 0);
    out[position + 6] = orientation >= 0 ? EXT_ID_VIDEO_ORIENTATION << 4 : 0;
    out[position + 7] = Math.max(orientation, 0);
    position += 8;
  }
  const payloadEnd = packet.payloadOffset + packet.payloadLength;
  (bytes as Buffer).copy(out, position, packet.payloadOffset, payloadEnd);
  return position - offset + packet.payloadLength;
}
