/** One RTP stream that a load generator publishes: frames become packets, NACKs are answered by RTX, a PLI by a key frame. */

import { writeSenderReport } from '../../../protocol/rtcp/report.ts';
import { writeUint16, writeUint32 } from '../../../protocol/rtp/packet.ts';
import type { GeneratorEndpoint } from './generator-endpoint.ts';
import type { GeneratorSocket } from './io/generator-socket.ts';
import { FRAME_PACKETS_MAX, type MediaProgram } from './media-program.ts';
import type { PacketObserver } from './packet-observer.ts';
import { writePayload } from './payload.ts';

/** What an endpoint of the generator calls things; its document to the bridge says so. */
export const PAYLOAD_TYPES = { opus: 111, vp8: 96, rtx: 97 } as const;
export const EXTENSION_IDS = { audioLevel: 1, transportCc: 3 } as const;

/** Packets that can be sent again. */
const HISTORY = 1024;
const DESCRIPTOR_BYTES = 6;
/** Loud enough for a speaker (RFC 6464: 0 is loudest). */
const SPEAKING_LEVEL = 30;
const SILENT_LEVEL = 127;
/** Seconds of media between key frames that somebody asked for: libwebrtc's encoders make no more. */
const KEY_FRAME_SECONDS_MIN = 0.3;
/** A generator that was kept from its work for longer does not make up for it. */
const LATE_MS_MAX = 100;

const STARTS_FRAME = 1;
const ENDS_FRAME = 2;
const IS_KEY_FRAME = 4;

export interface PublishedStreamOptions {
  readonly endpoint: GeneratorEndpoint;
  readonly socket: GeneratorSocket;
  readonly program: MediaProgram;
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly tag: number;
  /** Where in its program it begins: not all streams have their key frames at once. */
  readonly firstFrame: number;
  /** Gives the endpoint's next transport-wide sequence number. */
  readonly nextTransportSequence: () => number;
  readonly observer?: PacketObserver | undefined;
}

export class PublishedStream {
  readonly ssrc: number;
  /** When the next frame is due, in ms. */
  dueMs = 0;
  wantsKeyFrame = true;
  /** Packets sent, retransmissions not counted. */
  packets = 0;
  resent = 0;
  framesSkipped = 0;
  readonly #options: PublishedStreamOptions;
  readonly #lengths = new Uint16Array(FRAME_PACKETS_MAX);
  #frame: number;
  #number = 0;
  #rtxSequence = 0;
  #keyIndex = 0;
  #isAsked = false;
  #octets = 0;
  #keyFrame = Number.NEGATIVE_INFINITY;
  #timestamp = 0;
  // What is needed to write a packet again, by its number modulo HISTORY.
  readonly #sentLengths = new Uint16Array(HISTORY);
  readonly #sentFlags = new Uint8Array(HISTORY);
  readonly #sentFrames = new Uint32Array(HISTORY);
  readonly #sentTimestamps = new Uint32Array(HISTORY);
  readonly #sentKeyIndexes = new Uint8Array(HISTORY);
  readonly #sentUs = new Float64Array(HISTORY);

  constructor(options: PublishedStreamOptions) {
    this.#options = options;
    this.ssrc = options.ssrc;
    this.#frame = options.firstFrame;
  }

  /** Starts the clock: the first frame is due within one frame's time (the very first within `firstWaitMs`), at a `phase` (0 to 1) of its own. */
  start(nowMs: number, speed: number, phase: number, firstWaitMs: number): void {
    this.dueMs = nowMs + phase * (this.#number === 0 ? firstWaitMs : this.#intervalMs(speed));
  }

  /** Sends all frames that are due. */
  handleTimeout(nowMs: number, speed: number): void {
    const intervalMs = this.#intervalMs(speed);
    while (this.dueMs <= nowMs) {
      if (nowMs - this.dueMs > LATE_MS_MAX) this.framesSkipped++;
      else this.#sendFrame(this.dueMs);
      this.dueMs += intervalMs;
    }
  }

  /** Sends packet `sequence` (16 bits) again, if it is still known. */
  resend(sequence16: number): void {
    const behind = (this.#number - 1 - sequence16) & 0xffff;
    const number = this.#number - 1 - behind;
    if (behind >= HISTORY || number < 0) return;
    const { socket, rtxSsrc } = this.#options;
    const offset = socket.reserve();
    const length = this.#write(offset, number, PAYLOAD_TYPES.rtx, rtxSsrc, this.#rtxSequence++ & 0xffff, true);
    this.#protectAndSend(offset, length);
    this.resent++;
  }

  /** Sends a sender report. `ntpMs` is the time of day of the publisher's clock. */
  report(nowMs: number, ntpMs: number): void {
    const { socket, endpoint } = this.#options;
    const offset = socket.reserve();
    const seconds = Math.floor(ntpMs / 1_000);
    const fraction = Math.floor(((ntpMs % 1_000) / 1_000) * 0x1_0000_0000);
    const timestamp = this.#timestampAt(nowMs);
    const { packets } = this;
    const octets = this.#octets >>> 0;
    const end = writeSenderReport(socket.outgoing, offset, this.ssrc, seconds, fraction, timestamp, packets, octets);
    const length = endpoint.srtp?.protectRtcp(socket.outgoing, offset, end - offset) ?? -1;
    if (length > 0) socket.send(endpoint.index, endpoint.port, offset, length);
  }

  #sendFrame(dueMs: number): void {
    const { program, socket } = this.#options;
    this.#isAsked = this.#isKeyFrameDue();
    const isKeyFrame = this.#isAsked || program.isKeyFrame(this.#frame);
    if (isKeyFrame) {
      this.#keyIndex = (this.#keyIndex + 1) & 0x1f;
      this.#keyFrame = this.#frame;
      this.wantsKeyFrame = false;
    }
    this.#timestamp = this.#timestampAt(dueMs);
    const packets = program.packetise(this.#frame, isKeyFrame, this.#lengths);
    for (let index = 0; index < packets; index++) {
      const flags =
        (index === 0 ? STARTS_FRAME : 0) | (index === packets - 1 ? ENDS_FRAME : 0) | (isKeyFrame ? IS_KEY_FRAME : 0);
      this.#sendNew(this.#lengths[index], flags);
    }
    socket.flush();
    this.#frame++;
  }

  #isKeyFrameDue(): boolean {
    const seconds = (this.#frame - this.#keyFrame) / this.#options.program.framesPerSecond;
    return this.wantsKeyFrame && seconds >= KEY_FRAME_SECONDS_MIN;
  }

  #sendNew(length: number, flags: number): void {
    const { program, socket } = this.#options;
    const number = this.#number++;
    const record = number % HISTORY;
    this.#sentLengths[record] = length;
    this.#sentFlags[record] = flags;
    this.#sentFrames[record] = this.#frame;
    this.#sentTimestamps[record] = this.#timestamp;
    this.#sentKeyIndexes[record] = this.#keyIndex;
    this.#sentUs[record] = socket.nowUs();
    const offset = socket.reserve();
    const payloadType = program.kind === 'audio' ? PAYLOAD_TYPES.opus : PAYLOAD_TYPES.vp8;
    this.#protectAndSend(offset, this.#write(offset, number, payloadType, this.ssrc, number & 0xffff, false));
    this.packets++;
    this.#octets += length;
    this.#tell(number, length, (flags & IS_KEY_FRAME) !== 0, this.#sentUs[record]);
  }

  #tell(number: number, length: number, isKeyFrame: boolean, sentUs: number): void {
    const { observer, program, tag } = this.#options;
    const bytes = 12 + (program.kind === 'video' ? DESCRIPTOR_BYTES : 0) + length;
    observer?.sent(tag, number, this.#frame, isKeyFrame, this.#isAsked, bytes, sentUs);
  }

  /** Writes a packet, as RTX with the original's number before the payload if asked, and returns its length. */
  #write(
    offset: number,
    number: number,
    payloadType: number,
    ssrc: number,
    sequence16: number,
    isRtx: boolean,
  ): number {
    const bytes = this.#options.socket.outgoing;
    const record = number % HISTORY;
    const flags = this.#sentFlags[record];
    const isVideo = this.#options.program.kind === 'video';
    bytes[offset] = 0x90;
    bytes[offset + 1] = ((flags & ENDS_FRAME) !== 0 && isVideo ? 0x80 : 0) | payloadType;
    writeUint16(bytes, offset + 2, sequence16);
    writeUint32(bytes, offset + 4, this.#sentTimestamps[record]);
    writeUint32(bytes, offset + 8, ssrc);
    let position = this.#writeExtensions(offset + 12, this.#sentLengths[record], isVideo);
    if (isRtx) {
      writeUint16(bytes, position, number & 0xffff);
      position += 2;
    }
    if (isVideo) position = this.#writeDescriptor(position, record, flags);
    const isKeyFrame = (flags & IS_KEY_FRAME) !== 0;
    const codecByte = isVideo ? (isKeyFrame ? 0x10 : 0x11) : 0x78;
    writePayload(
      bytes,
      position,
      this.#sentLengths[record],
      codecByte,
      this.#options.tag,
      number,
      this.#sentUs[record],
    );
    return position + this.#sentLengths[record] - offset;
  }

  #writeExtensions(offset: number, length: number, isVideo: boolean): number {
    const bytes = this.#options.socket.outgoing;
    writeUint16(bytes, offset, 0xbede);
    writeUint16(bytes, offset + 2, isVideo ? 1 : 2);
    bytes[offset + 4] = (EXTENSION_IDS.transportCc << 4) | 1;
    writeUint16(bytes, offset + 5, this.#options.nextTransportSequence());
    if (isVideo) {
      bytes[offset + 7] = 0;
      return offset + 8;
    }
    bytes[offset + 7] = EXTENSION_IDS.audioLevel << 4;
    // Silence is told by its size: nobody who speaks sends so little.
    bytes[offset + 8] = length < 40 ? SILENT_LEVEL : 0x80 | SPEAKING_LEVEL;
    bytes.fill(0, offset + 9, offset + 12);
    return offset + 12;
  }

  /** VP8 (RFC 7741) with everything a bridge renumbers: 15-bit picture id, TL0PICIDX, TID and KEYIDX. */
  #writeDescriptor(offset: number, record: number, flags: number): number {
    const bytes = this.#options.socket.outgoing;
    const frame = this.#sentFrames[record];
    bytes[offset] = (flags & STARTS_FRAME) !== 0 ? 0x90 : 0x80;
    bytes[offset + 1] = 0xf0;
    writeUint16(bytes, offset + 2, 0x8000 | (frame & 0x7fff));
    bytes[offset + 4] = frame & 0xff;
    bytes[offset + 5] = this.#sentKeyIndexes[record];
    return offset + DESCRIPTOR_BYTES;
  }

  #protectAndSend(offset: number, length: number): void {
    const { socket, endpoint } = this.#options;
    const protectedLength = endpoint.srtp?.protectRtp(socket.outgoing, offset, length) ?? -1;
    if (protectedLength > 0) socket.send(endpoint.index, endpoint.port, offset, protectedLength);
  }

  #timestampAt(nowMs: number): number {
    return Math.round(nowMs * (this.#options.program.kind === 'audio' ? 48 : 90)) >>> 0;
  }

  #intervalMs(speed: number): number {
    return 1_000 / (this.#options.program.framesPerSecond * speed);
  }
}
