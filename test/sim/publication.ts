import type { SourceSpec } from '../../protocol/control/spec.ts';
import { writeSenderReport } from '../../protocol/rtcp/report.ts';
import type { Chance } from '../soak/chance.ts';
import { newName, type VideoPacket, writeAudio, writeVideo } from './media-packets.ts';

/** libwebrtc lets a key-frame request pass once in this time and forgets the others (docs/decisions/0005). */
const KEY_FRAME_INTERVAL_MS = 300;
const FRAME_MS = { audio: 100, video: 125 } as const;
const REPORT_MS = 1_000;
const CLOCK_RATE_HZ = { audio: 48_000, video: 90_000 } as const;

/** Low rates, so that many worlds fit into a minute; bytes of a packet and packets of a frame, by layer from the smallest. */
const SHAPES = [
  { packets: 1, bytes: 120 },
  { packets: 1, bytes: 300 },
  { packets: 3, bytes: 500 },
] as const;
/** A key frame has this many times the packets. */
const KEY_FRAME_PACKETS = 2;

/** Requests for key frames that a bridge may send for one encoding: no closer than this, and so many in ten seconds. */
export const REQUEST_INTERVAL_MS_MIN = 190;
export const REQUESTS_PER_TEN_SECONDS_MAX = 25;

interface Encoding {
  readonly ssrc: number;
  readonly timestampBase: number;
  sequence: number;
  pictureId: number;
  tl0PicIdx: number;
  frame: number;
  /** The newest frame of temporal layer 0: what the next is decoded from. */
  base: number;
  wantsKeyFrame: boolean;
  keyFrameMs: number;
  readonly requestedMs: number[];
  packets: number;
  octets: number;
}

const out = Buffer.alloc(1_500);
const packet: VideoPacket = {
  ...newName(),
  ssrc: 0,
  sequence: 0,
  timestamp: 0,
  pictureId: 0,
  tl0PicIdx: 0,
  temporalLayer: 0,
  bytes: 0,
};
const audioName = newName();

/** One source as its client encodes it. */
export class Publication {
  readonly uid: number;
  readonly spec: SourceSpec;
  /** How many layers are encoded now; the others are turned off. */
  activeLayers: number;
  /** When what it sends last changed. */
  changedMs: number;
  readonly frameMs: number;
  nextFrameMs: number;
  /** Whose turn it is to encode: one of the timers that its participant has started. */
  timer = 0;
  keyFrames = 0;
  keyFrameRequests = 0;
  readonly #encodings: readonly Encoding[];
  #reportedMs = Number.NEGATIVE_INFINITY;

  constructor(uid: number, spec: SourceSpec, nowMs: number, chance: Chance) {
    this.uid = uid;
    this.spec = spec;
    this.changedMs = nowMs;
    this.activeLayers = spec.ssrcs.length;
    this.frameMs = FRAME_MS[spec.kind];
    this.nextFrameMs = nowMs + chance.below(this.frameMs);
    this.#encodings = spec.ssrcs.map(ssrc => ({
      ssrc,
      timestampBase: chance.below(2 ** 32),
      sequence: chance.below(0x10000),
      pictureId: chance.below(0x8000),
      tl0PicIdx: chance.below(0x100),
      frame: 0,
      base: 0,
      wantsKeyFrame: true,
      keyFrameMs: Number.NEGATIVE_INFINITY,
      requestedMs: [],
      packets: 0,
      octets: 0,
    }));
  }

  neededLayers = 7;
  restarts = 0;

  /** What the publisher is told to send; a layer that is needed again begins with a key frame. */
  setNeededLayers(layers: number): void {
    for (let layer = 0; layer < this.#encodings.length; layer++) {
      if ((layers & ~this.neededLayers & (1 << layer)) !== 0) { this.#encodings[layer].wantsKeyFrame = true; this.restarts++; }
    }
    this.neededLayers = layers;
  }

  /** Turns layers on or off; one that comes back begins with a key frame. */
  setActiveLayers(nowMs: number, layers: number): void {
    for (let layer = this.activeLayers; layer < layers; layer++) this.#encodings[layer].wantsKeyFrame = true;
    this.activeLayers = layers;
    this.changedMs = nowMs;
  }

  /** A request for a key frame has come. Returns what is wrong about it, if anything. */
  handleKeyFrameRequest(nowMs: number, ssrc: number): string | undefined {
    const encoding = this.#encodings.find(each => each.ssrc === ssrc);
    if (encoding === undefined) return undefined;
    this.keyFrameRequests++;
    const { requestedMs } = encoding;
    const sinceMs = nowMs - (requestedMs.at(-1) ?? Number.NEGATIVE_INFINITY);
    requestedMs.push(nowMs);
    while (requestedMs[0] < nowMs - 10_000) requestedMs.shift();
    if (nowMs - encoding.keyFrameMs >= KEY_FRAME_INTERVAL_MS) encoding.wantsKeyFrame = true;
    if (sinceMs < REQUEST_INTERVAL_MS_MIN) return `two key-frame requests for ssrc ${ssrc} within ${sinceMs} ms`;
    if (requestedMs.length > REQUESTS_PER_TEN_SECONDS_MAX) {
      return `${requestedMs.length} key-frame requests for ssrc ${ssrc} within ten seconds`;
    }
    return undefined;
  }

  /** A process that has just begun knows nothing of what its predecessor asked for. */
  forgetRequests(): void {
    for (const encoding of this.#encodings) encoding.requestedMs.length = 0;
  }

  owns(ssrc: number): boolean {
    return this.spec.ssrcs.includes(ssrc);
  }

  /** Encodes what is due now: each packet goes to `send`, valid until it returns. */
  encode(nowMs: number, send: (bytes: Buffer, length: number) => void): void {
    this.nextFrameMs += this.frameMs;
    if (this.spec.kind === 'audio') this.#encodeAudio(nowMs, send);
    else
      for (let layer = 0; layer < this.activeLayers; layer++) {
        if ((this.neededLayers & (1 << layer)) !== 0) this.#encodeVideo(nowMs, layer, this.#encodings[layer], send);
      }
    if (nowMs - this.#reportedMs < REPORT_MS) return;
    this.#reportedMs = nowMs;
    for (let layer = 0; layer < this.activeLayers; layer++) this.#report(nowMs, this.#encodings[layer], send);
  }

  #encodeAudio(nowMs: number, send: (bytes: Buffer, length: number) => void): void {
    const encoding = this.#encodings[0];
    audioName.uid = this.uid;
    audioName.frame = ++encoding.frame;
    audioName.reference = encoding.frame;
    const length = writeAudio(out, encoding.ssrc, encoding.sequence++, this.#timestampOf(nowMs, encoding), audioName);
    encoding.packets++;
    encoding.octets += length;
    send(out, length);
  }

  #encodeVideo(nowMs: number, layer: number, encoding: Encoding, send: (bytes: Buffer, length: number) => void): void {
    const isKeyFrame = encoding.wantsKeyFrame;
    const frame = ++encoding.frame;
    const isBase = isKeyFrame || (frame & 1) === 0;
    const shape = SHAPES[layer];
    encoding.pictureId = (encoding.pictureId + 1) & 0x7fff;
    if (isBase) encoding.tl0PicIdx = (encoding.tl0PicIdx + 1) & 0xff;
    packet.uid = this.uid;
    packet.layer = layer;
    packet.frame = frame;
    packet.reference = isKeyFrame ? frame : encoding.base;
    packet.count = isKeyFrame ? shape.packets * KEY_FRAME_PACKETS : shape.packets;
    packet.ssrc = encoding.ssrc;
    packet.timestamp = this.#timestampOf(nowMs, encoding);
    packet.pictureId = encoding.pictureId;
    packet.tl0PicIdx = encoding.tl0PicIdx;
    packet.temporalLayer = isBase ? 0 : 1;
    packet.bytes = shape.bytes;
    for (packet.index = 0; packet.index < packet.count; packet.index++) {
      packet.sequence = encoding.sequence++;
      const length = writeVideo(out, packet);
      encoding.packets++;
      encoding.octets += length;
      send(out, length);
    }
    if (isBase) encoding.base = frame;
    if (!isKeyFrame) return;
    this.keyFrames++;
    encoding.wantsKeyFrame = false;
    encoding.keyFrameMs = nowMs;
  }

  #report(nowMs: number, encoding: Encoding, send: (bytes: Buffer, length: number) => void): void {
    const seconds = 3_900_000_000 + Math.floor(nowMs / 1000);
    const fraction = Math.floor(((nowMs % 1000) / 1000) * 2 ** 32);
    const timestamp = this.#timestampOf(nowMs, encoding);
    const end = writeSenderReport(
      out,
      0,
      encoding.ssrc,
      seconds,
      fraction,
      timestamp,
      encoding.packets,
      encoding.octets,
    );
    send(out, end);
  }

  #timestampOf(nowMs: number, { timestampBase }: Encoding): number {
    return (timestampBase + Math.round((nowMs * CLOCK_RATE_HZ[this.spec.kind]) / 1000)) >>> 0;
  }
}
