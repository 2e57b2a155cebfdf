import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LayerFacts, layerRuleFor, NO_LAYER } from './layer-choice.ts';

const CASES: readonly [string, Partial<LayerFacts>, string, number][] = [
  ['a disabled projection', { isEnabled: false }, 'disabled', NO_LAYER],
  ['the layer asked for, when it flows', {}, 'as-asked', 2],
  ['a lower request, though more flows', { layerMax: 1 }, 'as-asked', 1],
  ['the best below, when the one asked for does not flow', { flowingMask: 0b011 }, 'best-below-asked', 1],
  ['the lowest, when nothing else flows', { flowingMask: 0b001 }, 'best-below-asked', 0],
  ['what it has, when nothing flows', { flowingMask: 0, currentLayer: 1 }, 'nothing-flows', 1],
  [
    'the best below, when better ones are held back',
    { flowingMask: 0b001, withheldMask: 0b100 },
    'withheld-by-link',
    0,
  ],
  [
    'what it has, when all there is is held back',
    { flowingMask: 0, withheldMask: 0b111, currentLayer: 2 },
    'withheld-by-link',
    2,
  ],
  [
    'what was asked for, when only better ones are held back',
    { layerMax: 1, flowingMask: 0b011, withheldMask: 0b100 },
    'as-asked',
    1,
  ],
  [
    'the best below, when what is held back is no better',
    { flowingMask: 0b010, withheldMask: 0b001 },
    'best-below-asked',
    1,
  ],
  ['nothing new, when only more than asked for flows', { layerMax: 0, flowingMask: 0b110 }, 'nothing-flows', NO_LAYER],
];

for (const [name, facts, rule, layer] of CASES) {
  test(`chosen is: ${name}`, () => {
    const all = { isEnabled: true, layerMax: 2, currentLayer: NO_LAYER, flowingMask: 0b111, withheldMask: 0, ...facts };
    const chosen = layerRuleFor(all);
    assert.equal(chosen.name, rule);
    assert.equal(chosen.choose(all), layer);
  });
}
