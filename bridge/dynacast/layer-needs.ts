/** Which layers of one video source its publisher is to send, so that nobody encodes what nobody in the mesh watches. README.md has the rules and their reasons. */
import { NEVER } from '../timers/timer-wheel.ts';

/** A layer that nobody watches any more is sent for this long: whoever looks away for a moment finds it flowing (LiveKit: `dynacast_pause_delay`). */
export const PAUSE_MS = 5_000;
/** A new source is sent whole for this long: its first subscribers are still connecting (LiveKit: `initialQualityUpdateWait`). */
export const FRESH_MS = 10_000;
/** Within this a publisher that is told to begin does, with a key frame that nobody has to ask for. After it, one is asked for. */
export const RESTART_MS_MAX = 1_000;

const LOWEST = 0;

/** What is decided from, for one layer. */
export interface LayerNeedFacts {
  /** Somebody, here or behind a link, is to be given this layer. */
  isWatched: boolean;
  isLowest: boolean;
  /** Somebody is to be given any layer of the source. */
  isSourceWatched: boolean;
  /** A higher layer is watched and does not come, although the publisher was told to send it; others do. */
  isStandIn: boolean;
  isMuted: boolean;
  /** The publisher sends it, as far as it was told. */
  isSent: boolean;
  /** Nobody has watched it for as long as it is kept. */
  isOverdue: boolean;
}

/** A named rule: whether the layer is to be sent, or undefined when the rule does not apply. The name is what the bridge's API shows. */
export interface LayerNeedRule {
  readonly name: string;
  decide(facts: LayerNeedFacts): boolean | undefined;
}

/** First match wins. The last always matches. */
export const LAYER_NEED_RULES: readonly LayerNeedRule[] = [
  { name: 'watched', decide: facts => (facts.isWatched ? true : undefined) },
  { name: 'fallback', decide: facts => (facts.isLowest && facts.isSourceWatched ? true : undefined) },
  { name: 'stand-in', decide: facts => (facts.isStandIn ? true : undefined) },
  { name: 'muted', decide: facts => (facts.isMuted ? facts.isSent : undefined) },
  { name: 'lingering', decide: facts => (facts.isSent && !facts.isOverdue ? true : undefined) },
  { name: 'unwatched', decide: () => false },
];

/** A core: time is an argument. A mask has one bit per layer, bit 0 for the lowest. */
export class LayerNeeds {
  /** Layers that the publisher is to send: all of them at first, which is what it does unasked. */
  mask: number;
  /** When {@link update} is due although nothing has happened; NEVER when it is not. */
  dueMs = NEVER;
  /** Times the mask was new, layers paused, and begun again by a publisher that had stopped. */
  updates = 0;
  pauses = 0;
  restarts = 0;
  /** From the moment a layer was needed again to its first key frame, ms, of all restarts together. */
  restartMs = 0;
  readonly #layers: number;
  readonly #ruleNames: string[];
  /** When each layer is paused unless somebody comes to watch it; NEVER while there is a reason to send it. */
  readonly #pauseAtMs: number[];
  /** When each layer was needed again whose first key frame is awaited; NEVER for others. */
  readonly #restartedMs: number[];
  readonly #facts: LayerNeedFacts = {
    isWatched: false,
    isLowest: false,
    isSourceWatched: false,
    isStandIn: false,
    isMuted: false,
    isSent: false,
    isOverdue: false,
  };
  #isKnown = false;

  constructor(layers: number) {
    this.mask = (1 << layers) - 1;
    this.#layers = layers;
    this.#ruleNames = new Array(layers).fill('');
    this.#pauseAtMs = new Array(layers).fill(NEVER);
    this.#restartedMs = new Array(layers).fill(NEVER);
  }

  /** False before the first {@link update}. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get pausedLayers(): number {
    let paused = 0;
    for (let layer = 0; layer < this.#layers; layer++) if (!this.isSent(layer)) paused++;
    return paused;
  }

  isSent(layer: number): boolean {
    return (this.mask & (1 << layer)) !== 0;
  }

  /** Name of the rule that decided on a layer last. */
  why(layer: number): string {
    return this.#ruleNames[layer];
  }

  /**
   * Decides anew. `watchedMask`: layers that anybody is to be given, those that the source does not have included; `flowingMask`: those that have media. True when {@link mask} is to be told: when it has changed,
   * and the first time. Call when any of the arguments may have changed, and at {@link dueMs}; more often is harmless.
   */
  update(nowMs: number, watchedMask: number, isMuted: boolean, flowingMask: number): boolean {
    const before = this.mask;
    const watched = this.existing(watchedMask);
    const missing = isMuted || flowingMask === 0 ? -1 : this.#highestMissing(nowMs, watched & ~flowingMask);
    this.dueMs = NEVER;
    for (let layer = 0; layer < this.#layers; layer++) {
      this.#facts.isStandIn = layer < missing;
      this.#decide(nowMs, layer, watched, isMuted, flowingMask);
    }
    const isNews = this.mask !== before || !this.#isKnown;
    this.#isKnown = true;
    if (isNews) this.updates++;
    return isNews;
  }

  /** A key frame of the layer has begun to arrive. */
  handleKeyFrame(nowMs: number, layer: number): void {
    const restartedMs = this.#restartedMs[layer];
    if (restartedMs === NEVER) return;
    this.restarts++;
    this.restartMs += nowMs - restartedMs;
    this.#restartedMs[layer] = NEVER;
  }

  /**
   * Until when a key frame of a layer that does not flow is not worth asking for: NEVER while it is paused, a time still to come while the publisher is about to begin
   * with one, 0 otherwise.
   */
  keyFrameComesByMs(nowMs: number, layer: number): number {
    if (!this.isSent(layer)) return NEVER;
    const restartedMs = this.#restartedMs[layer];
    if (restartedMs === NEVER || nowMs >= restartedMs + RESTART_MS_MAX) return 0;
    return restartedMs + RESTART_MS_MAX;
  }

  /** Who watches does not know how many layers there are: what is above them means the highest. */
  existing(mask: number): number {
    const all = (1 << this.#layers) - 1;
    return mask > all ? (mask & all) | (1 << (this.#layers - 1)) : mask;
  }

  /** The highest layer of `mask` that was to come by now; -1 when there is none. */
  #highestMissing(nowMs: number, mask: number): number {
    for (let layer = this.#layers - 1; layer >= 0; layer--) {
      if ((mask & (1 << layer)) !== 0 && this.keyFrameComesByMs(nowMs, layer) === 0) return layer;
    }
    return -1;
  }

  #decide(nowMs: number, layer: number, watched: number, isMuted: boolean, flowingMask: number): void {
    const bit = 1 << layer;
    const facts = this.#facts;
    facts.isWatched = (watched & bit) !== 0;
    facts.isLowest = layer === LOWEST;
    facts.isSourceWatched = watched !== 0;
    facts.isMuted = isMuted;
    facts.isSent = (this.mask & bit) !== 0;
    const pauseAtMs = this.#pauseAtMs[layer];
    const lingerMs = this.#isKnown ? PAUSE_MS : FRESH_MS;
    const lingersUntilMs = pauseAtMs === NEVER ? nowMs + lingerMs : pauseAtMs;
    facts.isOverdue = nowMs >= lingersUntilMs;
    const rule = ruleFor(facts);
    const isSent = rule.decide(facts) === true;
    this.#ruleNames[layer] = rule.name;
    const isLingering = rule.name === 'lingering';
    this.#pauseAtMs[layer] = isLingering ? lingersUntilMs : NEVER;
    if (isLingering) this.dueMs = Math.min(this.dueMs, lingersUntilMs);
    if (isMuted) this.#restartedMs[layer] = NEVER;
    if (isSent !== facts.isSent) {
      this.mask ^= bit;
      if (!isSent) this.pauses++;
      this.#restartedMs[layer] = isSent && !isMuted && (flowingMask & bit) === 0 ? nowMs : NEVER;
    }
    const lateMs = this.#restartedMs[layer] + RESTART_MS_MAX;
    if (lateMs > nowMs) this.dueMs = Math.min(this.dueMs, lateMs);
  }
}

function ruleFor(facts: LayerNeedFacts): LayerNeedRule {
  for (const rule of LAYER_NEED_RULES) if (rule.decide(facts) !== undefined) return rule;
  throw new Error('the last rule of layer needs matches always');
}
