import { type LayerFacts, layerRuleFor, NO_LAYER } from './layer-choice.ts';
import type { ProjectionLayer, ProjectionSettings } from './projection-options.ts';

/** Which layer of a source one subscriber is shown, which it is to be shown, and what that needs from upstream. */
export class LayerSwitch {
  /** Layer that is being forwarded, or NO_LAYER. */
  current = NO_LAYER;
  /** Layer that is to be forwarded, or NO_LAYER. */
  target = NO_LAYER;
  /** Name of the rule that chose the target. */
  reason = 'disabled';
  isEnabled = false;

  /** The target is only what there was, for want of anything that flows and was asked for. */
  private isFallback = true;
  private readonly isVideo: boolean;
  private readonly facts: LayerFacts = {
    isEnabled: false,
    layerMax: 0,
    currentLayer: NO_LAYER,
    flowingMask: 0,
    withheldMask: 0,
  };

  constructor(isVideo: boolean) {
    this.isVideo = isVideo;
  }

  configure(settings: ProjectionSettings): void {
    this.isEnabled = settings.enabled;
    this.facts.isEnabled = settings.enabled;
    this.facts.layerMax = settings.layerMax;
    if (settings.enabled) return;
    this.current = NO_LAYER;
    this.target = NO_LAYER;
    this.reason = 'disabled';
  }

  /** Decides anew on the target. */
  choose(nowMs: number, layers: readonly ProjectionLayer[]): void {
    const facts = this.facts;
    facts.currentLayer = this.current;
    facts.flowingMask = 0;
    facts.withheldMask = 0;
    for (let layer = 0; layer < layers.length; layer++) {
      if (layers[layer].isFlowing(nowMs)) facts.flowingMask |= 1 << layer;
      if (layers[layer].isWithheld) facts.withheldMask |= 1 << layer;
    }
    const rule = layerRuleFor(facts);
    this.target = rule.choose(facts) ?? NO_LAYER;
    this.reason = rule.name;
    this.isFallback = this.target > facts.layerMax || (facts.flowingMask & (1 << this.target)) === 0;
  }

  /**
   * True when forwarding may begin at, or switch to, a key frame of `layer`. Before the first frame any layer will do: a picture now, a better one next. Nor does one that is better than the
   * target, and asked for, have to be chosen first: it has just begun to flow, and its next key frame would have to be asked for.
   */
  mayBeginOn(layer: number, isFlowing: boolean): boolean {
    if (layer === this.current) return false;
    if (layer === this.target) return true;
    if (layer > this.facts.layerMax) return false;
    return this.current === NO_LAYER || (isFlowing && this.isBetter(layer));
  }

  /** Forwarding begins at a key frame of `layer`. */
  handleBegun(layer: number): void {
    this.current = layer;
    if (!this.isVideo || !this.isBetter(layer)) return;
    this.target = layer;
    this.isFallback = false;
    this.reason = layer === this.facts.layerMax ? 'as-asked' : 'best-below-asked';
  }

  private isBetter(layer: number): boolean {
    return this.isFallback || layer > this.target;
  }

  /** Layer whose key frame it waits for, or NO_LAYER. */
  get waitingFor(): number {
    return this.isVideo && this.target !== this.current ? this.target : NO_LAYER;
  }

  /**
   * Bit n: layer n is needed. What is shown, what is waited for, and what was asked for: while that does not flow, whoever sends it lets the best one below
   * stand in for it.
   */
  get wantedMask(): number {
    if (!this.isEnabled) return 0;
    return (1 << this.facts.layerMax) | bitOf(this.target) | bitOf(this.current);
  }
}

function bitOf(layer: number): number {
  return layer === NO_LAYER ? 0 : 1 << layer;
}
