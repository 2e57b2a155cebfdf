import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { type Decision, type OwnParticipant, Redistribution } from './redistribution.ts';

const SETTINGS = { high_stress: 0.9, low_stress: 0.75, endpoints_per_minute: 10, rest_seconds: 180 };
const LOAD = {
  overload_stress: 0.8,
  endpoint_stress: 0.01,
  ramp_up_ms: 0,
  participants_per_bridge_max: 80,
  endpoints_per_bridge_max: 0,
  joins_per_minute_max: 0,
};
const LOOK_MS = 5_000;

interface Sketch {
  stress: number;
  endpoints?: number;
  region?: string;
  version?: string;
  state?: 'running' | 'draining';
}

/** A network whose stress follows who is moved: each endpoint weighs a hundredth. */
class Network {
  readonly bridges = new Map<string, Required<Sketch>>();
  readonly suspected = new Set<string>();
  readonly decisions: Decision[] = [];
  nowMs = 0;
  readonly #focuses: { readonly core: Redistribution; own: (OwnParticipant & { on: string })[] }[] = [];

  constructor(bridges: Record<string, Sketch>) {
    for (const [name, sketch] of Object.entries(bridges)) {
      this.bridges.set(name, { endpoints: 100, region: 'eu', version: '1', state: 'running', ...sketch });
    }
  }

  focus(own: readonly (OwnParticipant & { on: string })[]): Redistribution {
    const core = new Redistribution(SETTINGS, LOAD);
    this.#focuses.push({ core, own: [...own] });
    return core;
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += LOOK_MS) {
      const bridges = [...this.bridges].map(([name, sketch]) => record(name, sketch));
      const isSuspected = (bridgeId: BridgeId) => this.suspected.has(bridgeId);
      for (const { core, own } of this.#focuses) {
        const ownOn = (bridgeId: BridgeId) => own.filter(({ on }) => on === bridgeId);
        const decisions = core.step(this.nowMs, { bridges, isSuspected, ownOn });
        this.decisions.push(...decisions);
        for (const { bridgeId, orders } of decisions) for (const order of orders) this.#move(own, bridgeId, order);
      }
    }
  }

  moved(): string[] {
    return this.decisions.flatMap(({ atMs, orders }) => orders.map(({ sid, to }) => `${atMs / 1000} ${sid} > ${to}`));
  }

  #move(own: (OwnParticipant & { on: string })[], from: BridgeId, { sid, to }: { sid: string; to: BridgeId }): void {
    const participant = own.find(each => each.sid === sid)!;
    assert.equal(participant.on, from);
    participant.on = to;
    for (const [name, sign] of [
      [from, -1],
      [to, 1],
    ] as const) {
      const bridge = this.bridges.get(name)!;
      bridge.stress += (sign * participant.endpoints) / 100;
      bridge.endpoints += sign * participant.endpoints;
    }
  }
}

function record(name: string, { stress, endpoints, region, version, state }: Required<Sketch>): BridgeRecord {
  const sample = sampleReport(name, { state });
  return {
    bridgeId: name as BridgeId,
    reportedAtMs: 0,
    placedSinceReport: 0,
    report: { ...sample, version, peer: { ...sample.peer, region }, load: { ...sample.load, stress, endpoints } },
  };
}

const people = (count: number, conferenceId: number, on = 'b1', endpoints = 1): (OwnParticipant & { on: string })[] =>
  Array.from({ length: count }, (_, index) => ({
    sid: `${conferenceId}-${index}`,
    conferenceId,
    conferenceSize: count,
    endpoints,
    inConference: new Map([[on as BridgeId, count]]),
    on,
  }));

describe('a bridge over the high mark', () => {
  test('loses ten endpoints a minute until it is below the low mark, then rests', () => {
    const network = new Network({ b1: { stress: 1 }, b2: { stress: 0.1 } });
    const core = network.focus(people(100, 1));
    network.run(200_000);
    const steps = network.decisions.map(({ atMs, what, orders }) => `${atMs / 1000} ${what} ${orders.length}`);
    assert.deepEqual(steps, ['10 moved 10', '70 moved 10', '130 moved 10', '135 relieved 0']);
    assert.deepEqual(core.states(), [{ bridgeId: 'b1', state: 'resting', sinceMs: 135_000, nextMs: 315_000 }]);
    network.bridges.get('b1')!.stress = 1;
    network.run(115_000);
    assert.equal(network.decisions.length, 4, 'it rests, whatever its load');
    network.run(20_000);
    assert.equal(network.decisions.length, 5);
  });

  test('for a moment only loses nobody', () => {
    const network = new Network({ b1: { stress: 0.95 }, b2: { stress: 0.1 } });
    network.focus(people(100, 1));
    network.run(10_000);
    network.bridges.get('b1')!.stress = 0.89;
    network.run(100_000);
    assert.deepEqual(network.decisions, []);
  });

  test('loses people of the largest conference first', () => {
    const network = new Network({ b1: { stress: 0.95, endpoints: 14 }, b2: { stress: 0.1 } });
    network.focus([...people(3, 1), ...people(8, 2), ...people(3, 3)]);
    network.run(15_000);
    assert.deepEqual(
      network.moved().map(line => line.split(' ')[1]),
      ['2-0', '2-1', '2-2', '2-3', '2-4', '2-5', '2-6', '2-7', '1-0', '1-1'],
    );
  });

  test('counts both endpoints of whoever has two', () => {
    const network = new Network({ b1: { stress: 0.95 }, b2: { stress: 0.1 } });
    network.focus(people(50, 1, 'b1', 2));
    network.run(15_000);
    assert.equal(network.moved().length, 5);
  });
});

describe('several focuses', () => {
  test('move no more together than one would, whoever has how many', () => {
    const network = new Network({ b1: { stress: 1 }, b2: { stress: 0.1 } });
    for (const [index, count] of [60, 27, 9, 3, 1].entries()) network.focus(people(count, index + 1));
    network.run(15_000);
    assert.ok(network.moved().length <= 10 && network.moved().length >= 8, `${network.moved().length}`);
    network.run(115_000);
    const perMinute = network.moved().length / 2;
    assert.ok(perMinute <= 11 && perMinute >= 8, `${perMinute}`);
    assert.ok(network.decisions.some(({ what }) => what === 'share-too-small'));
  });

  test('do not fill one target together', () => {
    const network = new Network({ b1: { stress: 1 }, b2: { stress: 0.7 } });
    for (let focus = 1; focus <= 4; focus++) network.focus(people(25, focus));
    network.run(600_000);
    assert.ok(network.bridges.get('b2')!.stress <= SETTINGS.low_stress + 1e-9, `${network.bridges.get('b2')!.stress}`);
  });
});

describe('where they go', () => {
  const over = { stress: 1 };

  test('nowhere that would be near the mark itself, and that is said', () => {
    const network = new Network({ b1: over, b2: { stress: 0.745 } });
    network.focus(people(100, 1));
    network.run(15_000);
    const { what, rejected } = network.decisions[0]!;
    assert.deepEqual([what, rejected], ['no-target', { b2: 'no-room-below-low-mark' }]);
  });

  test('to no other region or version, nor where somebody drains or is suspected', () => {
    const network = new Network({
      b1: over,
      b2: { stress: 0.1, region: 'us' },
      b3: { stress: 0.1, version: '2' },
      b4: { stress: 0.1, state: 'draining' },
      b5: { stress: 0.1 },
    });
    network.suspected.add('b5');
    network.focus(people(100, 1));
    network.run(15_000);
    assert.deepEqual(network.decisions[0]!.rejected, {
      b2: 'other-region',
      b3: 'other-version',
      b4: 'draining',
      b5: 'suspected',
    });
  });

  test('to a bridge that has the conference already, though another has less to do', () => {
    const network = new Network({ b1: over, b2: { stress: 0.5 }, b3: { stress: 0.1 } });
    const inConference = new Map([
      ['b1' as BridgeId, 5],
      ['b2' as BridgeId, 1],
    ]);
    network.focus(people(20, 1).map(each => ({ ...each, inConference })));
    network.run(15_000);
    assert.ok(network.moved().every(line => line.endsWith('> b2')) && network.moved().length > 0);
  });

  test('spread over those that have room', () => {
    const network = new Network({ b1: over, b2: { stress: 0.2 }, b3: { stress: 0.2 } });
    network.focus(people(100, 1));
    network.run(15_000);
    assert.equal(network.moved().filter(line => line.endsWith('> b2')).length, 5);
  });
});

test('two bridges at the mark do not throw people at each other', () => {
  const network = new Network({ b1: { stress: 0.95 }, b2: { stress: 0.95 } });
  network.focus([...people(100, 1, 'b1'), ...people(100, 2, 'b2')]);
  network.run(600_000);
  assert.deepEqual(network.moved(), []);
});

test('a bridge that drains, or is suspected, is left to that', () => {
  const network = new Network({ b1: { stress: 1, state: 'draining' }, b2: { stress: 0.1 }, b3: { stress: 1 } });
  network.suspected.add('b3');
  network.focus([...people(100, 1, 'b1'), ...people(100, 2, 'b3')]);
  network.run(60_000);
  assert.deepEqual(network.decisions, []);
});
