import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId } from '../../../protocol/ids.ts';
import { BridgePool } from '../bridge-pool.ts';
import { sampleReport } from '../store.fixture.ts';
import type { BridgeRecord, PlacementView } from '../store.ts';
import { IndexedView } from './bridge-view.ts';
import { planChoices } from './plan.ts';

function record(id: string, placedSinceReport: number): BridgeRecord {
  return { bridgeId: id as BridgeId, report: sampleReport(id), reportedAtMs: 0, placedSinceReport };
}

const viewOf = (...bridges: BridgeRecord[]) => new IndexedView(0, new BridgePool(bridges), new Map());

/** As rules do it, by the index. */
const leastLoaded = ({ index }: PlacementView) => ({
  bridgeId: index!.all.toSorted((a, b) => a.placedSinceReport - b.placedSinceReport)[0]?.bridgeId ?? null,
});

test('further choices are those that the rules make once others have placed a few, elsewhere and in this conference', () => {
  const choices = planChoices(viewOf(record('a', 0), record('b', 1), record('c', 2)), leastLoaded, 4);
  assert.deepEqual(
    choices.map(({ bridge, placedMax, inConferenceMax, present }) => [
      bridge.bridgeId,
      placedMax,
      inConferenceMax,
      present,
    ]),
    [
      // One more on a, then one on each of a and b.
      ['a', 1, 0, ''],
      ['b', 1, 0, ''],
      ['a', 2, 0, ''],
      // The same with those in this conference.
      ['a', 1, 1, 'a'],
      ['b', 1, 0, 'a'],
      ['a', 2, 2, 'a b'],
    ],
  );
});

test('what was supposed is not in the index afterwards, also when a rule throws', () => {
  const view = viewOf(record('a', 0), record('b', 1));
  const before = view.index.all;
  planChoices(view, leastLoaded, 8);
  assert.deepEqual(view.index.all, before);
  let calls = 0;
  const failing = (seen: PlacementView) => {
    if (++calls === 3) throw new Error('a rule');
    return leastLoaded(seen);
  };
  assert.throws(() => planChoices(view, failing, 8), /a rule/);
  assert.deepEqual(view.index.all, before);
});

test('without a bridge there is no choice, and a bridge that the view does not have is none', () => {
  assert.deepEqual(planChoices(viewOf(), leastLoaded, 4), []);
  const stray = () => ({ bridgeId: 'z' as BridgeId });
  assert.deepEqual(planChoices(viewOf(record('a', 0)), stray, 4), []);
});
