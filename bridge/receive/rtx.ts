/**
 * Retransmission payloads (RFC 4588 section 4), turned back into the packet that was lost.
 *
 * | RTP header: the RTX stream's sequence, SSRC and payload type  |
 * |  original sequence number     |  original payload ...         |
 */
import { type RtpPacket, readUint16, writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';

const ORIGINAL_SEQUENCE_BYTES = 2;

/**
 * Rewrites the RTX packet that `packet` stands on into the original, in place, and leaves `packet` on it: the header moves two bytes
 * up over the original sequence number, so `packet.offset` grows by 2 and its length shrinks by 2. False, with nothing changed,
 * when there is no original inside: a padding-only probe.
 */
export function unwrapRtx(packet: RtpPacket, payloadType: number, ssrc: number): boolean {
  if (packet.payloadLength < ORIGINAL_SEQUENCE_BYTES) return false;
  const { bytes, offset, length, payloadOffset } = packet;
  const originalSequence = readUint16(bytes, payloadOffset);
  const originalOffset = offset + ORIGINAL_SEQUENCE_BYTES;
  bytes.copyWithin(originalOffset, offset, payloadOffset);
  bytes[originalOffset + 1] = (bytes[originalOffset + 1] & 0x80) | payloadType;
  writeUint16(bytes, originalOffset + 2, originalSequence);
  writeUint32(bytes, originalOffset + 8, ssrc);
  packet.decode(bytes, originalOffset, length - ORIGINAL_SEQUENCE_BYTES);
  return true;
}
