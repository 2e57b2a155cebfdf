/** Levels remembered: one second of packets of 20 ms. */
const LEVELS = 50;
/** No level for this long counts as a silent one. */
const IDLE_MS = 40;

/** Sub-bands of the level scale (0-127), and the width of one. */
const IMMEDIATE_MAX = 13;
const SUB_BAND = 10;
/** Immediates to one medium, and mediums to the long. */
const MEDIUM_MAX = 5;
const LONG_MAX = 10;
/** An immediate above this is speech: levels from 80 up. */
const IMMEDIATE_SPEECH = 7;
/** A medium above this is speech: all five immediates were. */
const MEDIUM_SPEECH = 4;

/** The floor may rise after this many levels, 15 s of them. */
const FLOOR_WINDOW = 750;
const SCORE_MIN = 1e-10;

const IMMEDIATE_SCORES = scoreTable(IMMEDIATE_MAX, 0.78);
const MEDIUM_SCORES = scoreTable(MEDIUM_MAX, 24);
const LONG_SCORES = scoreTable(LONG_MAX, 47);

/** One endpoint's last second of audio levels, and how much it looks like speech on three time scales: 20 ms, 100 ms, 1 s. */
export class SpeechActivity {
  /** Set by `evaluate`: log-likelihood ratios of speech against silence, at least 1e-10. */
  immediateScore = SCORE_MIN;
  mediumScore = SCORE_MIN;
  longScore = SCORE_MIN;
  /** Set by `evaluate`: at least 100 ms of unbroken speech in the last second. */
  hasSpoken = false;
  /** When the last audible level came. */
  spokeMs: number;
  /** 0 silence to 127 loudest; a ring, the newest before `#cursor`. */
  readonly #levels = new Uint8Array(LEVELS);
  #cursor = 0;
  /** Levels in the ring that are not 0: with none, silence need not be entered. */
  #audible = 0;
  #lastMs: number;
  /** The quietest level heard that is not 0: the noise of the room. 0: not known yet. */
  #floor = 0;
  #nextFloor = 0;
  #nextFloorLevels = 0;

  constructor(nowMs: number) {
    this.spokeMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** `level`: 0 is silence, 127 loudest. */
  handleLevel(nowMs: number, level: number): void {
    this.#enterSilence(nowMs);
    this.#push(level);
    this.#lastMs = nowMs;
    if (level === 0) return;
    this.spokeMs = nowMs;
    this.#adaptFloor(level);
  }

  /** Brings the three scores up to date. */
  evaluate(nowMs: number): void {
    this.#enterSilence(nowMs);
    const audibleMin = this.#floor + SUB_BAND;
    let immediate = 0;
    let newestMedium = 0;
    let long = 0;
    for (let group = 0; group < LONG_MAX; group++) {
      let medium = 0;
      for (let index = 0; index < MEDIUM_MAX; index++) {
        const back = group * MEDIUM_MAX + index + 1;
        const level = this.#levels[(this.#cursor - back + LEVELS) % LEVELS];
        const value = level < audibleMin ? 0 : Math.floor(level / SUB_BAND);
        if (back === 1) immediate = value;
        if (value > IMMEDIATE_SPEECH) medium++;
      }
      if (group === 0) newestMedium = medium;
      if (medium > MEDIUM_SPEECH) long++;
    }
    this.immediateScore = IMMEDIATE_SCORES[immediate];
    this.mediumScore = MEDIUM_SCORES[newestMedium];
    this.longScore = LONG_SCORES[long];
    this.hasSpoken = long > 0;
  }

  /** A silent level for each 40 ms without one. */
  #enterSilence(nowMs: number): void {
    while (this.#audible > 0 && nowMs - this.#lastMs >= IDLE_MS) {
      this.#push(0);
      this.#lastMs += IDLE_MS;
    }
  }

  #push(level: number): void {
    if (this.#levels[this.#cursor] !== 0) this.#audible--;
    if (level !== 0) this.#audible++;
    this.#levels[this.#cursor] = level;
    this.#cursor = (this.#cursor + 1) % LEVELS;
  }

  /** Falls at once with a quieter level; rises slowly, to the geometric mean with the quietest of the last 750. */
  #adaptFloor(level: number): void {
    if (this.#floor === 0 || level < this.#floor) {
      this.#floor = level;
      this.#nextFloor = 0;
      this.#nextFloorLevels = 0;
      return;
    }
    if (this.#nextFloor === 0 || level < this.#nextFloor) this.#nextFloor = level;
    if (++this.#nextFloorLevels < FLOOR_WINDOW) return;
    this.#floor = Math.min(127, Math.floor(Math.sqrt(this.#floor * this.#nextFloor)));
    this.#nextFloor = 0;
    this.#nextFloorLevels = 0;
  }
}

/** Score of each count v of n active sub-units: binomial with p = 1/2 against an exponential with `lambda` (section 3 of the paper). */
function scoreTable(n: number, lambda: number): Float64Array {
  const scores = new Float64Array(n + 1);
  let logBinomial = 0;
  for (let v = 0; v <= n; v++) {
    if (v > 0) logBinomial += Math.log((n - v + 1) / v);
    scores[v] = Math.max(SCORE_MIN, logBinomial + n * Math.log(0.5) - Math.log(lambda) + lambda * v);
  }
  return scores;
}
