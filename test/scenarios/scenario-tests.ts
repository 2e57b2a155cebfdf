/** Scenarios as tests: each once, its figure printed and held against what a shared machine can do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runScenario, type Scenario } from './scenario.ts';

/** Starting, hurting and ending a whole network; what takes longer hangs. */
const TIMEOUT_MS = 120_000;

export function testScenarios(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    test(scenario.claim, { timeout: TIMEOUT_MS }, async t => {
      const { figuresMs, also = {}, worstMs } = await runScenario(scenario);
      const others = Object.entries(also).map(([name, value]) => `; ${name} ${Math.round(value)}`);
      const figures = figuresMs.map(ms => Math.round(ms)).join(', ');
      t.diagnostic(`${scenario.name}: ${scenario.figure}: ${figures} (aim ${scenario.aimMs})${others.join('')}`);
      assert.ok(worstMs <= scenario.testMsMax, `${Math.round(worstMs)} ms; allowed in tests: ${scenario.testMsMax}`);
    });
  }
}
