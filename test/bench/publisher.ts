/** What a client sends while its camera and microphone are on, 20 ms at a time: Opus, and VP8 in three layers of together 1.7 Mbit/s. */
import { writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';

/** Bits per second of the layers: what libwebrtc gives 720p in three encodings. */
const LAYER_BPS = [150_000, 450_000, 1_100_000];
const RIDS = ['q', 'h', 'f'];
const FRAMES_PER_SECOND = 25;
const PACKET_BYTES = 1_100;
const KEY_FRAME_EVERY = 50;
const OPUS_BYTES = 100;
/** As `endpointSpec` numbers them: opus, vp8; mid, rid, transport-wide sequence, audio level. */
const [PT_OPUS, PT_VP8, ID_MID, ID_RID, ID_TRANSPORT, ID_LEVEL] = [109, 120, 4, 10, 3, 1];

/** Where its packets go: a bridge, or what encrypts them first. */
export interface PublisherSink {
  /** `packet` is the publisher's again after the call. */
  receive(id: number, packet: Buffer): void;
}

export class Publisher {
  readonly id: number;
  readonly #sink: PublisherSink;
  readonly #bytes = Buffer.alloc(1_500);
  readonly #sequences = [0, 0, 0, 0];
  #transportSequence = 0;
  #turns = 0;

  constructor(sink: PublisherSink, id: number) {
    this.#sink = sink;
    this.id = id;
  }

  /** Sends what is due in the next 20 ms: one audio packet, and every other time a frame of each layer. */
  send(): void {
    const turn = this.#turns++;
    this.#sendPacket(0, PT_OPUS, turn * 960, '0', '', 0x80 | 30, OPUS_BYTES, undefined, true);
    if (turn % 2 === 1) return;
    const frame = turn / 2;
    const isKeyFrame = frame % KEY_FRAME_EVERY === 0;
    for (const [layer, bps] of LAYER_BPS.entries()) {
      let left = Math.round(bps / 8 / FRAMES_PER_SECOND) * (isKeyFrame ? 4 : 1);
      for (let first = true; left > 0; first = false) {
        const bytes = Math.min(left, PACKET_BYTES);
        left -= bytes;
        const descriptor = descriptorOf(frame, first, isKeyFrame);
        this.#sendPacket(layer + 1, PT_VP8, frame * 3_600, '1', RIDS[layer], -1, bytes, descriptor, left <= 0);
      }
    }
  }

  #sendPacket(
    stream: number,
    payloadType: number,
    timestamp: number,
    mid: string,
    rid: string,
    level: number,
    payloadBytes: number,
    payload: readonly number[] | undefined,
    marker: boolean,
  ): void {
    const bytes = this.#bytes;
    const transport = this.#transportSequence++;
    let position = 16;
    bytes[position++] = (ID_TRANSPORT << 4) | 1;
    writeUint16(bytes, position, transport & 0xffff);
    position += 2;
    bytes[position++] = ID_MID << 4;
    bytes[position++] = mid.charCodeAt(0);
    if (rid !== '') {
      bytes[position++] = ID_RID << 4;
      bytes[position++] = rid.charCodeAt(0);
    }
    if (level >= 0) {
      bytes[position++] = ID_LEVEL << 4;
      bytes[position++] = level;
    }
    while (position % 4 !== 0) bytes[position++] = 0;
    bytes[0] = 0x90;
    bytes[1] = (marker ? 0x80 : 0) | payloadType;
    writeUint16(bytes, 2, ++this.#sequences[stream] & 0xffff);
    writeUint32(bytes, 4, timestamp >>> 0);
    writeUint32(bytes, 8, this.id * 8 + stream + 1);
    writeUint32(bytes, 12, 0xbede0000 | ((position - 16) / 4));
    if (payload !== undefined) for (const [index, byte] of payload.entries()) bytes[position + index] = byte;
    this.#sink.receive(this.id, bytes.subarray(0, position + payloadBytes));
  }
}

/** X and S; I with a picture id of 15 bits; T: every other frame is of the upper temporal layer; then the frame's first byte, whose bit 0 is clear in a key frame. */
function descriptorOf(frame: number, first: boolean, isKeyFrame: boolean): readonly number[] {
  const temporalLayer = frame % 2;
  const start = first ? 0x90 : 0x80;
  return [start, 0xa0, 0x80 | ((frame >> 8) & 0x7f), frame & 0xff, temporalLayer << 6, isKeyFrame ? 0x10 : 0x11];
}
