import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RULE_SETS } from './rule-sets.ts';
import { choose, SETTINGS, type Sketch } from './sketch.fixture.ts';

describe('whatever the bridges are', () => {
  const sketch = fc.record({
    region: fc.constantFrom('eu', 'us-east', 'us-west', 'ap'),
    host: fc.option(fc.constantFrom('h1', 'h2'), { nil: undefined }),
    stress: fc.double({ min: 0, max: 1, noNaN: true }),
    placed: fc.nat(30),
    inConference: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })),
    ageMs: fc.nat(8_000),
    draining: fc.boolean(),
    version: fc.constantFrom('1', '2'),
  });
  const sketches = fc
    .array(sketch, { maxLength: 8 })
    .map(list => list.map((entry, index): Sketch => ({ id: `b${index}`, ...entry })));
  const region = fc.constantFrom('eu', 'us-east', 'ap', 'af', 'mars');

  test('a bridge is found exactly when one has reported lately', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const isAnyFresh = list.some(bridge => bridge.ageMs! < SETTINGS.report_age_ms_max);
        assert.equal(choose(from, list).bridgeId !== null, isAnyFresh);
      }),
    );
  });

  test('the winner was rejected by no filter, and is below the cap unless every last resort was spent', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const { bridgeId, rule, candidates } = choose(from, list);
        if (bridgeId === null) return;
        const winner = candidates.find(candidate => candidate.bridgeId === bridgeId)!;
        assert.equal(winner.rejectedBy, undefined);
        if (rule !== RULE_SETS.region.at(-1)!.name) {
          assert.ok(winner.inConference < SETTINGS.participants_per_bridge_max);
        }
        if (!['overloaded-in-conference', 'least-loaded'].includes(rule)) {
          assert.ok(winner.stress < SETTINGS.overload_stress);
        }
      }),
    );
  });

  test('the last two rules decide only when no fit bridge has room', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const { rule, candidates } = choose(from, list);
        const isRoomLeft = candidates.some(
          candidate =>
            candidate.rejectedBy === undefined &&
            candidate.stress < SETTINGS.overload_stress &&
            candidate.inConference < SETTINGS.participants_per_bridge_max,
        );
        assert.equal(['overloaded-in-conference', 'least-loaded', 'no-bridge'].includes(rule), !isRoomLeft);
      }),
    );
  });

  test('nobody is placed on a new host of the region while a host of the conference has room there', () => {
    // Fit bridges, one region of three: otherwise too few cases get as far as the question.
    const fitSketches = sketches.map(list =>
      list.map(bridge => ({ ...bridge, ageMs: 0, draining: false, version: '1', region: bridge.region.slice(0, 2) })),
    );
    fc.assert(
      fc.property(fitSketches, list => {
        const { bridgeId, candidates } = choose('eu', list);
        const hosts = new Set(candidates.filter(({ inConference }) => inConference > 0).map(({ host }) => host));
        hosts.delete(undefined);
        const isRoomOnHost = candidates.some(
          candidate =>
            candidate.region === 'eu' &&
            candidate.stress < SETTINGS.overload_stress &&
            candidate.inConference < SETTINGS.participants_per_bridge_max &&
            hosts.has(candidate.host),
        );
        if (!isRoomOnHost) return;
        const winner = candidates.find(candidate => candidate.bridgeId === bridgeId)!;
        assert.equal(winner.region, 'eu');
        assert.ok(hosts.has(winner.host) || winner.inConference > 0);
      }),
      { numRuns: 500 },
    );
  });

  test('without hosts, and with every bridge on a host of its own, the answer is the same', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const without = choose(
          from,
          list.map(({ host: _, ...bridge }) => bridge),
        );
        const apart = choose(
          from,
          list.map(bridge => ({ ...bridge, host: bridge.id })),
        );
        assert.deepEqual([apart.bridgeId, apart.rule], [without.bridgeId, without.rule]);
      }),
    );
  });

  test('the order in which bridges are listed changes nothing', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const [forth, back] = [choose(from, list), choose(from, list.toReversed())];
        assert.deepEqual([forth.bridgeId, forth.rule, forth.placedFor], [back.bridgeId, back.rule, back.placedFor]);
      }),
    );
  });

  test('less load on the winner never loses it the place', () => {
    fc.assert(
      fc.property(sketches, region, (list, from) => {
        const { bridgeId, placedFor } = choose(from, list);
        const relieved = list.map(bridge => (bridge.id === bridgeId ? { ...bridge, stress: 0, placed: 0 } : bridge));
        const again = choose(from, relieved);
        if (again.placedFor === placedFor) assert.equal(again.bridgeId, bridgeId);
      }),
    );
  });
});
