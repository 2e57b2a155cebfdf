/**
 * How good one endpoint's connection is, as LiveKit's clients are used to be told: a simplified E-model (ITU-T G.107) rates each stream
 * from 100 down, the worst stream counts, and the mean opinion score follows from that. README.md has the figures.
 */
import type { Quality } from '../../protocol/control/events.ts';
import type { CodecName } from '../../protocol/rtp/table.ts';

const RATING_MAX = 100;
/** A rating does not sink below this, or it would take too long to climb again. */
const RATING_MIN = 30;
const RATING_LOST = 20;
/** An endpoint that nothing has been heard of for this long is lost. libwebrtc checks its path every 2.5 s at least. */
const LOST_AFTER_MS = 6000;
/** Worse news is believed sooner than better. */
const WEIGHT_FALLING = 0.8;
const WEIGHT_RISING = 0.4;

/** Points for each per cent lost. Opus hides losses, its in-band FEC some more, RED most of them; a picture stands still. */
const LOSS_POINTS: Record<CodecName, number> = { opus: 8 / 1.5, red: 4 / 1.5, vp8: 10, h264: 10 };
/** Packets per second of a stream that is in full use: with fewer (DTX, a still screen), a loss weighs less. */
const FULL_PACKETS_PER_SECOND: Record<CodecName, number> = { opus: 50, red: 50, vp8: 30, h264: 30 };

/** One per endpoint. For each window: `handleStream` for each of its streams in both directions, then `update`. */
export class ConnectionQuality {
  quality: Quality = 'excellent';
  /** Mean opinion score, 1 to 4.5. */
  score = scoreOf(RATING_MAX);
  #rating = RATING_MAX;
  #worst = RATING_MAX;
  #hasStreams = false;
  #windowStartMs: number;

  constructor(nowMs: number) {
    this.#windowStartMs = nowMs;
  }

  /**
   * One stream in the window that ends now: packets expected, packets missing for good (not recovered), jitter and round trip in ms
   * (negative: unknown). Streams with nothing expected do not count.
   */
  handleStream(nowMs: number, codec: CodecName, expected: number, lost: number, jitterMs: number, rttMs: number): void {
    if (expected <= 0) return;
    const seconds = Math.max(0.001, (nowMs - this.#windowStartMs) / 1000);
    const use = Math.min(1, expected / (FULL_PACKETS_PER_SECOND[codec] * seconds));
    const lossPoints = ((Math.max(0, lost) * 100) / expected) * LOSS_POINTS[codec] * Math.sqrt(use);
    const delayMs = Math.max(0, rttMs) / 2 + Math.max(0, jitterMs) * 2;
    const delayPoints = delayMs > 160 ? (delayMs - 120) / 10 : delayMs / 40;
    this.#worst = Math.min(this.#worst, Math.max(0, RATING_MAX - lossPoints - delayPoints));
    this.#hasStreams = true;
  }

  /** Ends the window (about 2 s). `heardMs` is when the last authenticated packet of any kind came. */
  update(nowMs: number, heardMs: number): void {
    if (nowMs - heardMs > LOST_AFTER_MS) {
      this.#rating = RATING_LOST;
    } else {
      const target = this.#hasStreams ? this.#worst : RATING_MAX;
      const weight = target < this.#rating ? WEIGHT_FALLING : WEIGHT_RISING;
      this.#rating = Math.max(RATING_MIN, target * weight + this.#rating * (1 - weight));
    }
    this.quality = qualityOf(this.#rating);
    this.score = scoreOf(this.#rating);
    this.#worst = RATING_MAX;
    this.#hasStreams = false;
    this.#windowStartMs = nowMs;
  }
}

function qualityOf(rating: number): Quality {
  if (rating > 80) return 'excellent';
  if (rating > 40) return 'good';
  if (rating > RATING_LOST) return 'poor';
  return 'lost';
}

/** ITU-T G.107 annex B: from the rating to the mean opinion score. */
function scoreOf(rating: number): number {
  return 1 + 0.035 * rating + 0.000007 * rating * (rating - 60) * (100 - rating);
}
