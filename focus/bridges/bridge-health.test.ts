import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgeHealth, type HealthChange } from './bridge-health.ts';

const HEARTBEAT_MS = 250;
const TICK_MS = 50;
const PROBE_MS = 300;

interface World {
  /** Their stream goes on. */
  readonly heard: Set<string>;
  /** What a probe gets. */
  readonly probes: Map<string, 'answered' | 'silent' | 'refused'>;
}

/** A network that a focus watches, on a clock of its own: whoever is in `heard` beats every 250 ms, probes are answered as the test says. */
class Watch {
  readonly health = new BridgeHealth({ streamSilentMs: 600, slowStreamSilentMs: 5_000 });
  readonly changes: HealthChange[] = [];
  readonly world: World = { heard: new Set(), probes: new Map() };
  nowMs = 10_000;
  probed = 0;
  #due: { readonly atMs: number; readonly bridgeId: BridgeId }[] = [];

  constructor(...bridges: readonly (readonly [name: string, region: string])[]) {
    for (const [name, region] of bridges) {
      this.up(name, region);
      this.health.handleLine(this.nowMs, name as BridgeId, true);
    }
    this.run(1_000);
  }

  up(name: string, region: string): void {
    this.health.handleUp(this.nowMs, name as BridgeId, `${name}-boot`, region);
    this.health.handleStreamOpen(this.nowMs, name as BridgeId);
    this.world.heard.add(name);
  }

  /** `isAsleep`: the focus itself does nothing. */
  run(ms: number, isAsleep = false): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs += TICK_MS;
      if (isAsleep) continue;
      if (this.nowMs % HEARTBEAT_MS === 0) {
        for (const name of this.world.heard) this.health.handleLine(this.nowMs, name as BridgeId);
      }
      this.#answer();
      this.health.handleTimeout(this.nowMs);
      this.#drain();
    }
  }

  freeze(name: string): void {
    this.world.heard.delete(name);
    this.world.probes.set(name, 'silent');
  }

  kill(name: string): void {
    this.world.heard.delete(name);
    this.world.probes.set(name, 'refused');
    this.health.handleStreamClosed(this.nowMs, name as BridgeId);
    this.#drain();
  }

  say(from: string, about: string, word: 'heard' | 'silent' | 'gone'): void {
    this.health.handleNeighbour(this.nowMs, from as BridgeId, about as BridgeId, word);
    this.#drain();
  }

  told(name: string): string[] {
    return this.changes.filter(({ bridgeId }) => bridgeId === name).map(({ state, rule }) => `${state} ${rule}`);
  }

  state(name: string): string | undefined {
    return this.health.health(name as BridgeId)?.state;
  }

  #answer(): void {
    const due = this.#due;
    this.#due = [];
    for (const probe of due) {
      const result = this.world.probes.get(probe.bridgeId) ?? 'answered';
      if (result === 'silent' && this.nowMs < probe.atMs + PROBE_MS) this.#due.push(probe);
      else this.health.handleProbe(this.nowMs, probe.bridgeId, result);
    }
  }

  #drain(): void {
    for (let output = this.health.pollOutput(); output !== undefined; output = this.health.pollOutput()) {
      if (output.kind === 'changed') this.changes.push(output.change);
      else {
        this.probed++;
        this.#due.push({ atMs: this.nowMs, bridgeId: output.bridgeId });
      }
    }
  }
}

const two = () => new Watch(['b1', 'eu'], ['b2', 'eu']);

describe('a bridge that dies', () => {
  test('killed, it is down with the first refusal', () => {
    const watch = two();
    watch.kill('b1');
    watch.run(50);
    assert.deepEqual(watch.told('b1'), ['suspected stream-silent', 'down process-gone']);
    assert.equal(watch.state('b1'), undefined);
  });

  test('frozen, it is suspected, then down, all within a second of its last line', () => {
    const watch = two();
    watch.freeze('b1');
    watch.run(1_000);
    assert.deepEqual(watch.told('b1'), ['suspected stream-silent', 'down signs-agree']);
    assert.ok(watch.changes.at(-1)!.unheardMs <= 800, `${watch.changes.at(-1)!.unheardMs} ms`);
  });

  test('frozen with neighbours, it is down when those fall silent too, not before', () => {
    const watch = two();
    watch.say('b2', 'b1', 'heard');
    watch.freeze('b1');
    watch.run(800);
    assert.equal(watch.state('b1'), 'suspected');
    watch.say('b2', 'b1', 'silent');
    assert.equal(watch.told('b1').at(-1), 'down signs-agree');
    assert.deepEqual(watch.changes.at(-1)!.signs.neighbours, { b2: 'silent' });
  });

  test('a new process of it starts with a clean slate', () => {
    const watch = two();
    watch.kill('b1');
    watch.run(50);
    watch.up('b1', 'eu');
    watch.run(5_000);
    assert.equal(watch.state('b1'), 'up');
    assert.equal(watch.told('b1').at(-1), 'down process-gone');
  });
});

describe('one silent sign alone', () => {
  test('a silent stream of a bridge that answers only stops placements, until it is heard', () => {
    const watch = two();
    watch.world.heard.delete('b1');
    watch.run(20_000);
    assert.equal(watch.state('b1'), 'suspected');
    watch.world.heard.add('b1');
    watch.run(300);
    assert.deepEqual(watch.told('b1'), ['suspected stream-silent', 'up heard']);
  });

  test('a bridge cut off from the focus but not from its neighbours is never down, and is vouched for', () => {
    const watch = two();
    watch.say('b2', 'b1', 'heard');
    watch.freeze('b1');
    watch.run(60_000);
    assert.deepEqual(watch.told('b1'), ['suspected stream-silent', 'suspected heard-by-neighbours']);
    assert.equal(watch.health.isVouchedFor('b1' as BridgeId), true);
  });

  test('a bridge that reports is not dead, whatever the focus can reach', () => {
    const watch = two();
    watch.freeze('b1');
    watch.run(500);
    watch.health.handleReport(watch.nowMs, 'b1' as BridgeId);
    watch.run(1_500);
    assert.equal(watch.state('b1'), 'suspected');
    // The reports cease as well.
    watch.run(5_000);
    assert.equal(watch.told('b1').at(-1), 'down signs-agree');
  });

  test('a bridge that no neighbour hears gets nobody new, though the focus hears it', () => {
    const watch = new Watch(['b1', 'eu'], ['b2', 'eu'], ['b3', 'eu']);
    watch.say('b2', 'b3', 'heard');
    watch.say('b2', 'b1', 'silent');
    watch.run(60_000);
    assert.deepEqual(watch.told('b1'), ['suspected links-silent']);
    watch.say('b2', 'b1', 'heard');
    assert.equal(watch.state('b1'), 'up');
  });

  test('the two ends of one dead link suspect nobody: either may be at fault', () => {
    const watch = two();
    for (const word of ['heard', 'silent'] as const) {
      watch.say('b2', 'b1', word);
      watch.say('b1', 'b2', word);
    }
    watch.run(10_000);
    assert.deepEqual(watch.changes, []);
  });

  test('what a bridge said counts only while it is itself heard', () => {
    const watch = new Watch(['b1', 'eu'], ['b2', 'us'], ['b3', 'ap']);
    watch.say('b2', 'b1', 'heard');
    watch.freeze('b1');
    watch.freeze('b2');
    watch.run(1_000);
    assert.equal(watch.told('b1').at(-1), 'down signs-agree');
  });

  test('a link that ended takes its word with it', () => {
    const watch = two();
    watch.say('b2', 'b1', 'heard');
    watch.say('b2', 'b1', 'gone');
    watch.freeze('b1');
    watch.run(1_000);
    assert.equal(watch.told('b1').at(-1), 'down signs-agree');
  });
});

describe('a focus that is at fault itself', () => {
  test('one that was stalled looks afresh before it judges', () => {
    const watch = two();
    watch.run(5_000, true);
    watch.run(2_000);
    assert.deepEqual(watch.changes, []);
  });

  test('a probe that a stall came between is no sign', () => {
    const watch = two();
    watch.world.heard.delete('b1');
    watch.run(450);
    assert.equal(watch.probed, 1);
    watch.run(3_000, true);
    watch.health.handleProbe(watch.nowMs, 'b1' as BridgeId, 'silent');
    watch.world.heard.add('b1');
    watch.run(1_000);
    assert.deepEqual(watch.changes, []);
  });

  test('when all bridges of a region fall silent at once, none is given up', () => {
    const watch = new Watch(['b1', 'eu'], ['b2', 'eu'], ['c1', 'us']);
    for (const name of ['b1', 'b2']) watch.freeze(name);
    watch.run(5_000);
    assert.deepEqual([watch.state('b1'), watch.state('b2'), watch.state('c1')], ['suspected', 'suspected', 'up']);
    assert.equal(watch.told('b1').at(-1), 'suspected focus-hears-nobody');
  });

  test('unless bridges that it does hear say that they are silent', () => {
    const watch = new Watch(['b1', 'eu'], ['b2', 'eu'], ['c1', 'us'], ['c2', 'us']);
    watch.say('c1', 'c2', 'heard');
    for (const name of ['b1', 'b2']) {
      watch.say('c1', name, 'silent');
      watch.freeze(name);
    }
    watch.run(1_000);
    assert.deepEqual([watch.told('b1').at(-1), watch.told('b2').at(-1)], ['down signs-agree', 'down signs-agree']);
  });

  test('when nobody at all is heard, nobody is given up, with one bridge in each region too', () => {
    const watch = new Watch(['b1', 'eu'], ['c1', 'us']);
    for (const name of ['b1', 'c1']) watch.freeze(name);
    watch.run(5_000);
    assert.deepEqual([watch.state('b1'), watch.state('c1')], ['suspected', 'suspected']);
  });

  test('a killed neighbour does not make the next one look like the fault of the focus', () => {
    const watch = two();
    watch.kill('b1');
    watch.freeze('b2');
    watch.run(1_000);
    assert.equal(watch.told('b2').at(-1), 'down signs-agree');
  });
});

test('a bridge that was never reached is suspected, not given up and taken back with each report', () => {
  const watch = two();
  watch.health.handleUp(watch.nowMs, 'b3' as BridgeId, 'boot', 'eu');
  watch.health.handleStreamClosed(watch.nowMs, 'b3' as BridgeId);
  watch.world.probes.set('b3', 'refused');
  watch.run(10_000);
  assert.deepEqual(watch.told('b3'), ['suspected stream-silent']);
});

test('what neighbours said of a bridge is kept for the same process of it, and forgotten for another', () => {
  const watch = new Watch(['b1', 'eu'], ['b2', 'eu'], ['b3', 'eu']);
  watch.say('b2', 'b3', 'heard');
  watch.say('b2', 'b1', 'silent');
  watch.health.handleGone('b1' as BridgeId);
  watch.up('b1', 'eu');
  watch.run(100);
  assert.equal(watch.state('b1'), 'suspected');
  watch.health.handleUp(watch.nowMs, 'b1' as BridgeId, 'another-boot', 'eu');
  watch.run(100);
  assert.equal(watch.state('b1'), 'up');
});

test('a bridge without a heartbeat is given the time between its reports', () => {
  const watch = two();
  watch.health.handleLine(watch.nowMs, 'b1' as BridgeId, false);
  watch.world.heard.delete('b1');
  watch.run(3_000);
  assert.deepEqual(watch.told('b1'), []);
});

test('bridges that are heard are not asked', () => {
  const watch = two();
  watch.run(60_000);
  assert.equal(watch.probed, 0);
});
