/**
 * Media of recorded shape: how often a stream has a frame, how large each is, and how it is cut into packets. The same frames every time, so that what
 * a publisher sends and what the floor sends are the same sizes.
 */
import { PAYLOAD_BYTES_MIN } from './payload.ts';

/** Largest RTP payload of a video packet: libwebrtc's 1200-byte packets, less header, extensions and VP8 descriptor. */
export const VIDEO_PAYLOAD_BYTES_MAX = 1_160;
/** A key frame is this much larger than the mean frame (libvpx, screen-sized talking heads). */
const KEY_FRAME_WEIGHT = 6;
/** Frames from one unasked key frame to the next. */
const KEY_FRAME_INTERVAL = 300;
/** Sizes repeat after this many frames. */
const RECORDED_FRAMES = 256;

export interface MediaProgram {
  readonly kind: 'audio' | 'video';
  readonly framesPerSecond: number;
  /** Cuts frame `frame` into packets: writes their payload lengths to `lengths` and returns how many there are. */
  packetise(frame: number, isKeyFrame: boolean, lengths: Uint16Array): number;
  /** Frame `frame` is a key frame although nobody asked for one. */
  isKeyFrame(frame: number): boolean;
}

/** Packets of the largest frame any program has: `lengths` needs room for them. */
export const FRAME_PACKETS_MAX = 64;

/** Video of `bitrateBps` at `framesPerSecond`: frames vary as an encoder's do, and a frame's packets differ by one byte at the most. */
export function videoProgram(bitrateBps: number, framesPerSecond: number): MediaProgram {
  const meanBytes = bitrateBps / 8 / framesPerSecond;
  const sizes = Float64Array.from({ length: RECORDED_FRAMES }, (_, frame) => meanBytes * weightOf(frame));
  return {
    kind: 'video',
    framesPerSecond,
    isKeyFrame: frame => frame % KEY_FRAME_INTERVAL === 0,
    packetise(frame, isKeyFrame, lengths) {
      const bytes = Math.round(isKeyFrame ? meanBytes * KEY_FRAME_WEIGHT : sizes[frame % RECORDED_FRAMES]);
      const packets = Math.min(FRAME_PACKETS_MAX, Math.max(1, Math.ceil(bytes / VIDEO_PAYLOAD_BYTES_MAX)));
      for (let index = 0; index < packets; index++) {
        const length = Math.floor(((index + 1) * bytes) / packets) - Math.floor((index * bytes) / packets);
        lengths[index] = Math.min(VIDEO_PAYLOAD_BYTES_MAX, Math.max(PAYLOAD_BYTES_MIN, length));
      }
      return packets;
    },
  };
}

/** Somebody who speaks, Opus at 20 ms: around 120 bytes, with variable rate. */
export function speechProgram(): MediaProgram {
  return {
    kind: 'audio',
    framesPerSecond: 50,
    isKeyFrame: () => false,
    packetise(frame, _isKeyFrame, lengths) {
      lengths[0] = 90 + Math.floor(weightOf(frame) * 30);
      return 1;
    },
  };
}

/** Somebody who listens, Opus with DTX: a small packet every 400 ms. */
export function silenceProgram(): MediaProgram {
  return {
    kind: 'audio',
    framesPerSecond: 2.5,
    isKeyFrame: () => false,
    packetise(_frame, _isKeyFrame, lengths) {
      lengths[0] = PAYLOAD_BYTES_MIN;
      return 1;
    },
  };
}

/** Size of a delta frame, mean 1: slow swings of the scene under the noise of single frames. From 0.45 to 1.55. */
function weightOf(frame: number): number {
  const scene = Math.sin((frame % RECORDED_FRAMES) * ((2 * Math.PI * 3) / RECORDED_FRAMES));
  const noise = ((Math.imul((frame % RECORDED_FRAMES) + 1, 0x9e3779b1) >>> 8) & 0xffff) / 0x8000 - 1;
  return 1 + 0.25 * scene + 0.3 * noise;
}
