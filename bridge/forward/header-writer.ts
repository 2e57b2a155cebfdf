import { RTP_HEADER_BYTES, type RtpPacket, writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { EXT_ID_AUDIO_LEVEL, EXT_ID_VIDEO_ORIENTATION } from '../../protocol/rtp/table.ts';
import type { SubscriberFormat } from './subscriber-format.ts';

const ONE_BYTE_PROFILE = 0xbede;
const TWO_BYTE_PROFILE = 0x1000;
/** 15 is reserved in the one-byte form (RFC 8285 section 4.2). */
const ONE_BYTE_ID_MAX = 14;
/** What the one-byte form can carry, and the longest mid that a control document may name. */
const MID_BYTES_MAX = 16;

/** Writes RTP headers as one subscriber numbers them: only what it asked for, nothing that belonged to another hop. */
export class HeaderWriter {
  private format: SubscriberFormat;
  private readonly mid: Uint8Array;
  private usesTwoByteForm = false;

  constructor(format: SubscriberFormat, mid: string) {
    this.mid = Buffer.from(mid, 'utf8').subarray(0, MID_BYTES_MAX);
    this.format = format;
    this.setFormat(format);
  }

  setFormat(format: SubscriberFormat): void {
    this.format = format;
    this.usesTwoByteForm =
      Math.max(format.audioLevelExtensionId, format.videoOrientationExtensionId, format.midExtensionId) >
      ONE_BYTE_ID_MAX;
  }

  /**
   * Writes the header for `rtp`, a normalised packet, at `offset`; returns where its payload belongs: 12 to 40 bytes on. Of sequence and
   * timestamp the low 16 and 32 bits are written.
   */
  write(
    out: Uint8Array,
    offset: number,
    rtp: RtpPacket,
    ssrc: number,
    payloadType: number,
    marker: boolean,
    sequence: number,
    timestamp: number,
    withMid: boolean,
  ): number {
    const first = offset + RTP_HEADER_BYTES + 4;
    let position = first;
    if (rtp.extensionProfile !== 0) {
      position = this.copyElement(out, position, rtp, EXT_ID_AUDIO_LEVEL, this.format.audioLevelExtensionId);
      position = this.copyElement(
        out,
        position,
        rtp,
        EXT_ID_VIDEO_ORIENTATION,
        this.format.videoOrientationExtensionId,
      );
    }
    if (withMid && this.format.midExtensionId !== 0) position = this.writeMid(out, position);

    const hasExtensions = position > first;
    out[offset] = hasExtensions ? 0x90 : 0x80;
    out[offset + 1] = marker ? 0x80 | payloadType : payloadType;
    writeUint16(out, offset + 2, sequence & 0xffff);
    writeUint32(out, offset + 4, timestamp);
    writeUint32(out, offset + 8, ssrc);
    if (!hasExtensions) return offset + RTP_HEADER_BYTES;

    while (((position - first) & 3) !== 0) out[position++] = 0;
    writeUint16(out, offset + RTP_HEADER_BYTES, this.usesTwoByteForm ? TWO_BYTE_PROFILE : ONE_BYTE_PROFILE);
    writeUint16(out, offset + RTP_HEADER_BYTES + 2, (position - first) >> 2);
    return position;
  }

  /** The extensions that travel with a packet are one byte of data each (RFC 6464 section 3, 3GPP TS 26.114 section 7.4.5). */
  private copyElement(out: Uint8Array, position: number, rtp: RtpPacket, tableId: number, id: number): number {
    if (id === 0 || !rtp.findExtension(tableId) || rtp.elementLength !== 1) return position;
    const data = this.writeElementHead(out, position, id, 1);
    out[data] = rtp.bytes[rtp.elementOffset];
    return data + 1;
  }

  private writeMid(out: Uint8Array, position: number): number {
    const mid = this.mid;
    if (mid.length === 0) return position;
    const data = this.writeElementHead(out, position, this.format.midExtensionId, mid.length);
    for (let i = 0; i < mid.length; i++) out[data + i] = mid[i];
    return data + mid.length;
  }

  private writeElementHead(out: Uint8Array, position: number, id: number, length: number): number {
    if (!this.usesTwoByteForm) {
      out[position] = (id << 4) | (length - 1);
      return position + 1;
    }
    out[position] = id;
    out[position + 1] = length;
    return position + 2;
  }
}
