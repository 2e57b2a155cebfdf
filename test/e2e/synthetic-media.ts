/** Pictures and sound that say who sent them: each publisher has its own grey and its own tone, so a test sees that the right media arrived. */
import { AudioFrame, AudioSource, VideoBufferType, VideoFrame, VideoSource } from '@livekit/rtc-node';

export const VIDEO_WIDTH = 640;
export const VIDEO_HEIGHT = 360;
const FRAMES_PER_SECOND = 15;
const SAMPLE_RATE_HZ = 48_000;
const SAMPLES_PER_FRAME = SAMPLE_RATE_HZ / 100;
const AMPLITUDE = 12_000;

/** Luma of publisher `index`: far enough apart to survive the encoder. */
export function lumaOf(index: number): number {
  return 40 + 45 * (index % 5);
}

/** Tone of publisher `index` in Hz: whole periods in 10 ms, not multiples of each other. */
export function toneHzOf(index: number): number {
  return [400, 700, 1_100, 1_300, 1_700][index % 5];
}

/** A camera that shows one grey with a moving bar. `stop` ends it. */
export class SyntheticCamera {
  readonly source: VideoSource;
  readonly #timer: NodeJS.Timeout;
  #frames = 0;

  constructor(index: number, width = VIDEO_WIDTH, height = VIDEO_HEIGHT) {
    this.source = new VideoSource(width, height);
    const luma = lumaOf(index);
    const data = new Uint8Array((width * height * 3) / 2);
    this.#timer = setInterval(() => {
      const pixels = width * height;
      data.fill(luma, 0, pixels);
      data.fill(128, pixels);
      const bar = (this.#frames++ * 8) % width;
      for (let row = 0; row < height / 8; row++) data.fill(luma + 20, row * width + bar, row * width + bar + 8);
      this.source.captureFrame(new VideoFrame(data, width, height, VideoBufferType.I420));
    }, 1_000 / FRAMES_PER_SECOND);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.source.close();
  }
}

/** A microphone that plays one tone; `isSpeaking` false plays silence. */
export class SyntheticMicrophone {
  readonly source = new AudioSource(SAMPLE_RATE_HZ, 1);
  isSpeaking = true;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(index: number) {
    this.#done = this.#play(toneHzOf(index));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    await this.source.close();
  }

  async #play(toneHz: number): Promise<void> {
    let sample = 0;
    while (!this.#isStopped) {
      const data = new Int16Array(SAMPLES_PER_FRAME);
      for (let index = 0; index < SAMPLES_PER_FRAME; index++, sample++) {
        // A syllable rhythm of 4 Hz: steady tones are what noise suppression takes out.
        const envelope = 0.6 + 0.4 * Math.sin((2 * Math.PI * 4 * sample) / SAMPLE_RATE_HZ);
        const wave = Math.sin((2 * Math.PI * toneHz * sample) / SAMPLE_RATE_HZ);
        data[index] = this.isSpeaking ? AMPLITUDE * envelope * wave : 0;
      }
      // Resolves when the source's queue has room: this paces the loop.
      await this.source.captureFrame(new AudioFrame(data, SAMPLE_RATE_HZ, 1, SAMPLES_PER_FRAME));
    }
  }
}

/** Mean luma of the lower half of an I420 picture (the bar moves in the upper eighth). */
export function meanLuma(frame: VideoFrame): number {
  let sum = 0;
  let count = 0;
  for (let row = frame.height >> 1; row < frame.height; row += 4) {
    for (let column = 0; column < frame.width; column += 4, count++) sum += frame.data[row * frame.width + column];
  }
  return sum / count;
}

/** Power of `toneHz` in a frame relative to the frame's whole power, 0 to 1 (Goertzel). */
export function toneShare(samples: Int16Array, sampleRateHz: number, toneHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * toneHz) / sampleRateHz);
  let previous = 0;
  let beforePrevious = 0;
  let energy = 0;
  for (const sample of samples) {
    const current = sample + coefficient * previous - beforePrevious;
    beforePrevious = previous;
    previous = current;
    energy += sample * sample;
  }
  if (energy === 0) return 0;
  const power = previous ** 2 + beforePrevious ** 2 - coefficient * previous * beforePrevious;
  return (2 * power) / (energy * samples.length);
}
