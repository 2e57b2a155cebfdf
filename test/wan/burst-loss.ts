/**
 * Loss in bursts: the Gilbert-Elliott model (E. N. Gilbert, "Capacity of a Burst-Noise Channel", 1960; E. O. Elliott, 1963).
 *
 * A chain of two states takes one step per datagram. From good to bad with probability p, from bad to good with r; a datagram is lost with
 * probability 1-k in the good state and 1-h in the bad one:
 *
 *             p
 *      good -----> bad           share of time in bad   P = p / (p + r)
 *       1-k <----- 1-h           mean stay in bad       B = 1 / r
 *             r                  share lost             P (1-h) + (1-P) (1-k)
 *
 * The four follow from what is measured on real paths. In a burst everything is lost (1-h = 1), so P is the share lost to bursts, L, and B is the
 * mean number lost in a row:
 *
 *      r = 1/B     p = r L / (1-L)     1-h = 1     1-k = share of the rest that is lost at random
 *
 * p is a probability, so L is at most B / (B+1): with bursts of 1 at least every second datagram arrives. Independent loss of L is the chain that
 * forgets, p = L and r = 1-L; a burstLength of 0 asks for it.
 */
export interface GilbertElliott {
  /** p */
  readonly toBad: number;
  /** r */
  readonly toGood: number;
  /** 1-k */
  readonly lossInGood: number;
  /** 1-h */
  readonly lossInBad: number;
  /** P */
  readonly shareBad: number;
}

/** The largest share that bursts of this mean length can lose. */
export function burstLossShareMax(burstLength: number): number {
  return burstLength === 0 ? 1 : burstLength / (burstLength + 1);
}

/** `lossShare` at most {@link burstLossShareMax}; `burstLength` 0, or 1 and more datagrams. */
export function gilbertElliott(lossShare: number, burstLength: number, randomLossShare: number): GilbertElliott {
  const fixed = { lossInGood: randomLossShare, lossInBad: 1, shareBad: lossShare };
  if (burstLength === 0) return { ...fixed, toBad: lossShare, toGood: 1 - lossShare };
  const toGood = 1 / burstLength;
  // Rounding may put the largest share a hair above 1.
  return { ...fixed, toBad: Math.min(1, (toGood * lossShare) / (1 - lossShare)), toGood };
}

export type LossKind = 'loss' | 'random-loss';

/** Which datagrams are lost. Takes two random numbers a datagram, whatever the settings; keeps its state when they change. */
export class BurstLoss {
  readonly #random: () => number;
  #model: GilbertElliott;
  #isBad: boolean;

  /** Starts as a chain that has run for ever, so that the first datagrams are like the later ones. */
  constructor(random: () => number, model: GilbertElliott) {
    this.#random = random;
    this.#model = model;
    this.#isBad = random() < model.shareBad;
  }

  change(model: GilbertElliott): void {
    this.#model = model;
    // A burst under way does not outlive the setting that bursts happen.
    if (model.shareBad === 0) this.#isBad = false;
  }

  /** How the next datagram is lost; undefined: it is not. */
  next(): LossKind | undefined {
    const { toBad, toGood, lossInGood, lossInBad } = this.#model;
    const step = this.#random();
    const fate = this.#random();
    this.#isBad = this.#isBad ? step >= toGood : step < toBad;
    if (this.#isBad) return fate < lossInBad ? 'loss' : undefined;
    return fate < lossInGood ? 'random-loss' : undefined;
  }
}
