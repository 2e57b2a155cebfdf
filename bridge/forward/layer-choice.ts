/** No layer: nothing is sent, or nothing can be. */
export const NO_LAYER = -1;

/** What a choice is made from. */
export interface LayerFacts {
  isEnabled: boolean;
  /** Highest layer that the subscriber asked for. */
  layerMax: number;
  /** Layer that is being forwarded, or NO_LAYER. */
  currentLayer: number;
  /** Bit n: layer n has media now. */
  flowingMask: number;
  /** Bit n: layer n is held back by the bridge it comes from; it then does not flow. */
  withheldMask: number;
}

/** A named rule: the layer it chooses, or undefined when it does not apply. The name is what logs and statistics show. */
export interface LayerRule {
  readonly name: string;
  choose(facts: LayerFacts): number | undefined;
}

/** First match wins. The last always matches. */
export const LAYER_RULES: readonly LayerRule[] = [
  { name: 'disabled', choose: facts => (facts.isEnabled ? undefined : NO_LAYER) },
  { name: 'as-asked', choose: facts => (flows(facts, facts.layerMax) ? facts.layerMax : undefined) },
  { name: 'withheld-by-link', choose: belowWithheld },
  { name: 'best-below-asked', choose: highestBelowAsked },
  { name: 'nothing-flows', choose: facts => facts.currentLayer },
];

/** The rule for these facts. */
export function layerRuleFor(facts: LayerFacts): LayerRule {
  for (const rule of LAYER_RULES) if (rule.choose(facts) !== undefined) return rule;
  throw new Error('the last layer rule matches always');
}

function highestBelowAsked(facts: LayerFacts): number | undefined {
  for (let layer = facts.layerMax - 1; layer >= 0; layer--) if (flows(facts, layer)) return layer;
  return undefined;
}

/** What is left when a better layer exists and is held back: the best that flows, and as long as nothing does, what there was. */
function belowWithheld(facts: LayerFacts): number | undefined {
  const best = highestBelowAsked(facts) ?? NO_LAYER;
  const wouldBeBetter = (2 << facts.layerMax) - (1 << (best + 1));
  if ((facts.withheldMask & wouldBeBetter) === 0) return undefined;
  return best === NO_LAYER ? facts.currentLayer : best;
}

function flows(facts: LayerFacts, layer: number): boolean {
  return (facts.flowingMask & (1 << layer)) !== 0;
}
