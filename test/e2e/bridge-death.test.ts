/** How soon a focus knows that a bridge is dead: real processes, killed and frozen, with links to neighbours and without. Prints its figures. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type BridgeProcess, ProcessNetwork } from './bridge-process.ts';
import { eventually } from './eventually.ts';

const ROUNDS = 3;
/** The aim is a second, and the figures are printed; a machine that runs other tests beside this one is late by itself. */
const NOTICED_MS_MAX = 5_000;

for (const hasLinks of [false, true]) {
  describe(`a bridge ${hasLinks ? 'with links to others' : 'without neighbours'}`, { timeout: 300_000 }, () => {
    const network = new ProcessNetwork();
    const running = new Map<string, BridgeProcess>();
    let version = 0;

    before(async () => {
      await network.start();
      for (const name of ['b1', 'b2', 'b3']) running.set(name, network.startBridge(name));
      await ready();
    });
    after(() => network.close());

    /** All are up, heard, and linked. */
    async function ready(): Promise<void> {
      await eventually('all bridges are up', 60_000, async () => {
        const bridges = await network.bridges();
        return bridges.length === 3 && bridges.every(({ health }) => health?.signs.stream === 'heard');
      });
      if (!hasLinks) return;
      await network.linkAll(++version);
      await eventually('all links are up', 10_000, async () => {
        const bridges = await network.bridges();
        return bridges.every(
          ({ health }) => Object.keys(health.signs.neighbours).length === 2 && health.signs.links === 'heard',
        );
      });
    }

    async function noticed(name: string, sinceMs: number): Promise<{ ms: number; rule: string }> {
      const isIt = (line: (typeof network.lines)[number]) =>
        line.atMs >= sinceMs && line.bridge === name && line.msg === 'bridge is dead';
      await eventually(`${name} is down`, 10_000, () => network.lines.some(isIt));
      const line = network.lines.find(isIt)!;
      return { ms: line.atMs - sinceMs, rule: line.rule! };
    }

    function print(what: string, found: readonly { ms: number; rule: string }[]): void {
      const figures = found.map(({ ms, rule }) => `${ms.toFixed(0)} ms (${rule})`).join(', ');
      console.log(`${what}, ${hasLinks ? 'with links' : 'no links'}: down after ${figures}`);
    }

    test('is down within a second of being killed, and nobody else is', async () => {
      const found: { ms: number; rule: string }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const startedMs = performance.now();
        running.get('b1')!.kill('SIGKILL');
        found.push(await noticed('b1', startedMs));
        running.set('b1', network.startBridge('b1'));
        await ready();
      }
      print('SIGKILL', found);
      for (const { ms, rule } of found) {
        assert.ok(ms < NOTICED_MS_MAX, `${ms} ms`);
        assert.ok(['process-gone', 'signs-agree'].includes(rule), rule);
      }
      assert.deepEqual(
        network.lines.filter(({ bridge, msg }) => bridge !== 'b1' && msg === 'bridge is dead'),
        [],
      );
    });

    test('is down within a second of being frozen, and up again when it goes on', async () => {
      const found: { ms: number; rule: string }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const startedMs = performance.now();
        running.get('b2')!.kill('SIGSTOP');
        found.push(await noticed('b2', startedMs));
        running.get('b2')!.kill('SIGCONT');
        await ready();
      }
      print('SIGSTOP', found);
      for (const { ms, rule } of found) {
        assert.ok(ms < NOTICED_MS_MAX, `${ms} ms`);
        assert.equal(rule, 'signs-agree');
      }
    });
  });
}
