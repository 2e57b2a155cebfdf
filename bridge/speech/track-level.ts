import { distance32 } from '../../protocol/sequence.ts';

/** RFC 6464: -35 dBov and louder is sound. */
const ACTIVE_LEVEL = 35;
const WINDOW_MS = 400;
/** Of the window, so much must be sound for the track to be active. */
const ACTIVE_MS_MIN = WINDOW_MS * 0.4;
/** Exponential average with the centre of mass of a plain one over two windows: 2 / (n + 1). */
const SMOOTHING = 2 / 3;
const ACTIVE_AMPLITUDE = amplitudeOf(ACTIVE_LEVEL);
const SILENT_LEVEL = 127;
const TICKS_PER_MS = 48;
/** A timestamp this far back is a new stream, not a late packet. */
const LATE_MS_MAX = 1000;

/** How loud one audio source has been over the last window, by LiveKit's rules. */
export class TrackLevel {
  /** Amplitude, 0 to 1, smoothed over windows. */
  level = 0;
  #loudest = SILENT_LEVEL;
  #activeMs = 0;
  #observedMs = 0;
  /** Newest timestamp; -1 before the first packet. */
  #timestamp = -1;
  #heardMs = 0;

  get isActive(): boolean {
    return this.level >= ACTIVE_AMPLITUDE;
  }

  /** Nothing has come for two windows. */
  isStale(nowMs: number): boolean {
    return nowMs - this.#heardMs >= 2 * WINDOW_MS;
  }

  /** Time passes by timestamps, not by arrival: jitter, loss and silence suppression (DTX) then weigh what they should. */
  handleLevel(nowMs: number, level: number, timestamp: number): void {
    const stepMs = this.#timestamp < 0 ? 0 : distance32(timestamp, this.#timestamp) / TICKS_PER_MS;
    if (stepMs < 0 && stepMs > -LATE_MS_MAX) return;
    this.#timestamp = timestamp;
    this.#heardMs = nowMs;
    const durationMs = Math.max(0, Math.min(WINDOW_MS, stepMs));
    this.#observedMs += durationMs;
    if (level <= ACTIVE_LEVEL) {
      this.#activeMs += durationMs;
      this.#loudest = Math.min(this.#loudest, level);
    }
    if (this.#observedMs >= WINDOW_MS) this.#closeWindow();
  }

  #closeWindow(): void {
    if (this.#activeMs >= ACTIVE_MS_MIN) {
      // Heard for half of the window is heard half as loud.
      const amplitude = amplitudeOf(this.#loudest) * (this.#activeMs / WINDOW_MS);
      this.level += (amplitude - this.level) * SMOOTHING;
    } else {
      this.level = 0;
    }
    this.#loudest = SILENT_LEVEL;
    this.#activeMs = 0;
    this.#observedMs = 0;
  }
}

function amplitudeOf(level: number): number {
  return 10 ** (-level / 20);
}
