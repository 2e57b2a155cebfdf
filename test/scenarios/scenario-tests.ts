/** Scenarios as tests: each once, its figure printed and held against what a shared machine can do. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Deployment } from './deployment.ts';
import { type RunResult, runOn, type Scenario } from './scenario.ts';

/** Starting, hurting and ending a whole network; what takes longer hangs. */
const TIMEOUT_MS = 120_000;

/** Neighbours in the list that have the same plan share a deployment, which is put right in between; one that a scenario failed on is not used again. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  const stage = new SharedStage();
  after(() => stage.close());
  for (const scenario of scenarios) {
    test(scenario.claim, { timeout: TIMEOUT_MS }, async t => {
      const { figuresMs, also = {}, worstMs } = await stage.run(scenario);
      const others = Object.entries(also).map(([name, value]) => `; ${name} ${Math.round(value)}`);
      const figures = figuresMs.map(ms => Math.round(ms)).join(', ');
      t.diagnostic(`${scenario.name}: ${scenario.figure}: ${figures} (aim ${scenario.aimMs})${others.join('')}`);
      assert.ok(worstMs <= scenario.testMsMax, `${Math.round(worstMs)} ms; allowed in tests: ${scenario.testMsMax}`);
    });
  }
}

class SharedStage {
  #plan: Scenario['plan'] | undefined;
  #deployment: Deployment | undefined;

  async run(scenario: Scenario): Promise<RunResult> {
    const deployment = await this.#prepare(scenario);
    try {
      return await runOn(deployment, scenario);
    } catch (error) {
      await this.close({ areLogsKept: true });
      throw error;
    }
  }

  async close(options: { readonly areLogsKept?: boolean } = {}): Promise<void> {
    const deployment = this.#deployment;
    this.#deployment = undefined;
    await deployment?.close(options);
  }

  async #prepare({ plan }: Scenario): Promise<Deployment> {
    if (this.#deployment !== undefined && this.#plan === plan) await this.#deployment.restore();
    else {
      await this.close();
      this.#plan = plan;
      this.#deployment = await Deployment.start(plan);
    }
    return this.#deployment!;
  }
}
