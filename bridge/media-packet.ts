import { RtpPacket } from '../protocol/rtp/packet.ts';
import { describePayload } from '../protocol/rtp/payload.ts';
import { EXT_ID_AUDIO_LEVEL } from '../protocol/rtp/table.ts';

/**
 * A media packet behind the ingress, in normalised form: no CSRCs, no padding, payload type and extension ids of `protocol/rtp/table.ts`, header
 * extensions of one hop removed. Its bytes lie in the packet history of its layer and are shared by all projections and links: read, never write.
 *
 * One instance is reused for every packet of a bridge. It holds until the handler returns.
 */
export class MediaPacket {
  /** The decoded header; offsets are absolute in `rtp.bytes`. */
  readonly rtp = new RtpPacket();
  /** 0 is the smallest encoding. */
  layer = 0;
  /** Extended sequence number of the layer's stream. */
  sequence = 0;
  /** It was here before, and is no more: it can begin a run, and has its place in no other. */
  isRepeat = false;
  /** When it arrived at this bridge, ms of the bridge's clock. */
  arrivedMs = 0;
  /** RFC 6464 level, 0 (loudest) to 127 (silence); -1 without the extension. */
  audioLevel = -1;
  /** First packet of a frame that can be decoded without any other. Always true for audio. */
  startsKeyFrame = false;
  /** First packet of a frame. */
  startsFrame = false;
  /** VP8 temporal layer, 0 when unknown. */
  temporalLayer = 0;
  /** VP8: this temporal layer may be switched up to at this frame. */
  isLayerSync = false;

  /** Stands on the normalised packet at `bytes[offset]`, and reads what forwarding needs to know. Throws DecodeError for a payload that breaks its format. */
  read(bytes: Uint8Array, offset: number, length: number, layer: number, sequence: number, arrivedMs: number): void {
    const { rtp } = this;
    rtp.decode(bytes, offset, length);
    this.layer = layer;
    this.sequence = sequence;
    this.isRepeat = false;
    this.arrivedMs = arrivedMs;
    this.audioLevel = rtp.findExtension(EXT_ID_AUDIO_LEVEL) ? bytes[rtp.elementOffset] & 0x7f : -1;
    describePayload(rtp.payloadType, bytes, rtp.payloadOffset, rtp.payloadLength, this);
  }
}
