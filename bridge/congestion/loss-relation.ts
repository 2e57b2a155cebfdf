/** Shorter intervals are noise: a frame sent in one and lost in the next. */
const INTERVAL_MS = 250;
/** Weight that an interval keeps when the next one comes: about three seconds count. */
const MEMORY = 0.92;
const INTERVALS_MIN = 6;
/** Loss that is worth a thought; below it recovery costs less than any layer. */
const LOSS_MIN = 0.03;
/** More than this share of what is sent more must arrive, or the rate is what causes the loss. */
const SLOPE_MAX = 0.6;
/** Standard errors between the estimated slope and the verdict. */
const CERTAINTY = 3;
/** A slope less certain than this decides nothing: the rate has to vary first. */
const ERROR_MAX = 0.35;

/** So many intervals in a row whose loss is so far from the usual are of another path than those before. */
const STRANGE_MAX = 2;
const STRANGE_LOSS = 0.15;

export type LossVerdict = 'none' | 'random' | 'with-rate' | 'unsure';

/**
 * Does loss come with the rate? On a path that loses at random, 5 % more sent is 5 % more arrived. Past a policer, which drops what is over its
 * rate and queues nothing, what is sent more is lost whole. So frames arrived are regressed on frames sent, over intervals of 250 ms: the slope
 * says which path it is, its standard error whether that is known yet. A video's rate varies by itself; if it does not, a probe makes it.
 */
export class LossRelation {
  /** `none`: too little is lost, or seen, to ask. `unsure`: the rate has varied too little to tell. */
  verdict: LossVerdict = 'none';
  #elapsedMs = 0;
  #sent = 0;
  #arrived = 0;
  #intervals = 0;
  #strange = 0;
  #weight = 0;
  #sumX = 0;
  #sumY = 0;
  #sumXx = 0;
  #sumXy = 0;
  #sumYy = 0;

  /** What one report says of the time since the former one. */
  add(elapsedMs: number, sent: number, arrived: number): void {
    this.#elapsedMs += elapsedMs;
    this.#sent += sent;
    this.#arrived += Math.min(sent, arrived);
    if (this.#elapsedMs < INTERVAL_MS) return;
    const x = (this.#sent * 1000) / this.#elapsedMs;
    const y = (this.#arrived * 1000) / this.#elapsedMs;
    this.#elapsedMs = 0;
    this.#sent = 0;
    this.#arrived = 0;
    this.#strange = this.#isStrange(x, y) ? this.#strange + 1 : 0;
    if (this.#strange === STRANGE_MAX) this.restart();
    this.#addInterval(x, y);
    this.verdict = this.#judge();
  }

  /** Share of frames that did not come at the first try, over about three seconds. */
  get lossShare(): number {
    return this.#sumX === 0 ? 0 : Math.max(0, 1 - this.#sumY / this.#sumX);
  }

  #judge(): LossVerdict {
    if (this.#intervals < INTERVALS_MIN || this.lossShare < LOSS_MIN) return 'none';
    const varianceX = this.#sumXx - (this.#sumX * this.#sumX) / this.#weight;
    const covariance = this.#sumXy - (this.#sumX * this.#sumY) / this.#weight;
    const varianceY = this.#sumYy - (this.#sumY * this.#sumY) / this.#weight;
    if (varianceX <= 0 || this.#weight <= 2) return 'unsure';
    const slope = covariance / varianceX;
    const residual = Math.max(0, varianceY - slope * covariance) / (this.#weight - 2);
    const error = Math.sqrt(residual / varianceX);
    // A few frames more or less in an interval are chance, whatever the slope that they draw.
    const meanX = this.#sumX / this.#weight;
    const isVaried = Math.sqrt(varianceX / this.#weight) > 0.02 * meanX;
    if (!isVaried || error > ERROR_MAX) return 'unsure';
    if (slope + CERTAINTY * error < SLOPE_MAX) return 'with-rate';
    return slope - CERTAINTY * error > SLOPE_MAX ? 'random' : 'unsure';
  }

  /** What was seen holds no more: the rate, or the path, is another one. */
  restart(): void {
    this.verdict = 'none';
    this.#strange = 0;
    this.#elapsedMs = 0;
    this.#sent = 0;
    this.#arrived = 0;
    this.#intervals = 0;
    this.#weight = 0;
    this.#sumX = 0;
    this.#sumY = 0;
    this.#sumXx = 0;
    this.#sumXy = 0;
    this.#sumYy = 0;
  }

  #isStrange(x: number, y: number): boolean {
    return this.#intervals >= INTERVALS_MIN && Math.abs(1 - y / Math.max(1, x) - this.lossShare) > STRANGE_LOSS;
  }

  #addInterval(x: number, y: number): void {
    this.#intervals++;
    this.#weight = this.#weight * MEMORY + 1;
    this.#sumX = this.#sumX * MEMORY + x;
    this.#sumY = this.#sumY * MEMORY + y;
    this.#sumXx = this.#sumXx * MEMORY + x * x;
    this.#sumXy = this.#sumXy * MEMORY + x * y;
    this.#sumYy = this.#sumYy * MEMORY + y * y;
  }
}
