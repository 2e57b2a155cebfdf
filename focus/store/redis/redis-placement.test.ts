/** Many joins at once from several focuses: caps, evenness, round trips. On a real Redis. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BridgeId } from '../../../protocol/ids.ts';
import type { Assigned, AssignRequest, PlacementView } from '../store.ts';
import { sampleReport } from '../store-contract.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { connectFocus, newPrefix, type TestFocus, targetOf } from './redis-store.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

const BRIDGES = 10;

/** Focuses `focus-1` to `focus-n` on one store with ten bridges, all of them up to date. */
async function withFocuses(number: number, work: (focuses: TestFocus[]) => Promise<void>): Promise<void> {
  const target = targetOf({ address: server.address, key_prefix: newPrefix() });
  const focuses: TestFocus[] = [];
  try {
    for (let index = 1; index <= number; index++) focuses.push(await connectFocus(target, `focus-${index}`));
    for (let index = 0; index < BRIDGES; index++) await focuses[0]!.store.putBridge(sampleReport(`b${index}`));
    for (const focus of focuses) await focus.store.upkeep();
    await work(focuses);
  } finally {
    for (const focus of focuses) focus.close();
  }
}

const request = (index: number, owner: string, changes: Partial<AssignRequest> = {}): AssignRequest => ({
  room: `room-${index}`,
  createAs: { roomSid: `RM_${index}` },
  identity: `p${index}`,
  sid: `PA_${index}`,
  region: 'eu',
  owner,
  participantsMax: 0,
  ...changes,
});

/** Fewest placed since the report; equal ones by name. */
const leastLoaded = ({ bridges }: PlacementView) => ({
  bridgeId: bridges.toSorted((a, b) => a.placedSinceReport - b.placedSinceReport)[0]?.bridgeId ?? null,
});
/** The least loaded of those with room for this conference. */
const leastLoadedUpTo = (cap: number) => (view: PlacementView) =>
  leastLoaded({
    ...view,
    bridges: view.bridges.filter(({ bridgeId }) => (view.inConference.get(bridgeId) ?? 0) < cap),
  });

type Choice = { readonly bridgeId: BridgeId | null };

async function joinAll(
  focuses: readonly TestFocus[],
  number: number,
  choose: (view: PlacementView) => Choice,
  changes: Partial<AssignRequest> = {},
): Promise<{ readonly assigned: Assigned<Choice>[]; readonly perBridge: number[] }> {
  const assigned = await Promise.all(
    Array.from({ length: number }, (_, index) => {
      const which = index % focuses.length;
      return focuses[which]!.store.assign(request(index, `focus-${which + 1}`, changes), choose);
    }),
  );
  const counts = new Map<string, number>(Array.from({ length: BRIDGES }, (_, index) => [`b${index}`, 0]));
  for (const one of assigned) {
    if (one.kind === 'placed') counts.set(one.participant.bridgeId, counts.get(one.participant.bridgeId)! + 1);
  }
  return { assigned, perBridge: [...counts.values()] };
}

test('200 joins at once from four focuses to as many rooms spread over ten bridges within one of even', async t => {
  await withFocuses(4, async focuses => {
    const { assigned, perBridge } = await joinAll(focuses, 200, leastLoaded);
    assert.ok(assigned.every(({ kind }) => kind === 'placed'));
    assert.ok(
      perBridge.every(number => Math.abs(number - 20) <= 1),
      `${perBridge}`,
    );
    const trips = focuses.flatMap(({ counted }) => counted.roundTrips).toSorted((a, b) => a - b);
    t.diagnostic(`${perBridge} per bridge; round trips per join: median ${trips[100]}, most ${trips.at(-1)}`);
  });
});

test('200 joins at once from four focuses to one room fill every bridge to the cap and not beyond, and the rest is refused', async t => {
  await withFocuses(4, async focuses => {
    const { assigned, perBridge } = await joinAll(focuses, 200, leastLoadedUpTo(19), { room: 'crowd' });
    assert.deepEqual(perBridge, Array(BRIDGES).fill(19));
    assert.equal(assigned.filter(({ kind }) => kind === 'no-bridge').length, 10);
    const endpoints = assigned.flatMap(one => (one.kind === 'placed' ? [one.participant.endpointId] : []));
    assert.equal(new Set(endpoints).size, 190);
    const trips = focuses.flatMap(({ counted }) => counted.roundTrips).toSorted((a, b) => a - b);
    t.diagnostic(`round trips per join: median ${trips[100]}, most ${trips.at(-1)}`);
  });
});

test('of 200 joins at once from four focuses exactly participantsMax get in', async () => {
  await withFocuses(4, async focuses => {
    const { assigned } = await joinAll(focuses, 200, leastLoaded, { room: 'crowd', participantsMax: 77 });
    assert.equal(assigned.filter(({ kind }) => kind === 'placed').length, 77);
    assert.equal(assigned.filter(({ kind }) => kind === 'room-full').length, 123);
  });
});

test('a join takes one round trip: the first of a room, the next ones, one that comes back, and one after another focus placed elsewhere', async () => {
  await withFocuses(2, async ([one, other]) => {
    await one!.store.assign(request(1, 'focus-1', { room: 'talk' }), leastLoaded);
    await one!.store.assign(request(2, 'focus-1', { room: 'talk' }), leastLoaded);
    await one!.store.assign(request(1, 'focus-1', { room: 'talk', sid: 'PA_again' }), leastLoaded);
    await other!.store.assign(request(4, 'focus-2'), leastLoaded);
    await other!.store.upkeep();
    await one!.store.upkeep();
    await one!.store.assign(request(5, 'focus-1'), leastLoaded);
    assert.deepEqual(one!.counted.roundTrips, [1, 1, 1, 1]);
    assert.equal(one!.sent.filter(command => command === 'assign').length, 4);
  });
});

test('a join takes one round trip right after somebody has left, also when that empties a bridge', async () => {
  await withFocuses(1, async ([one]) => {
    const { store, counted } = one!;
    const joined = [];
    for (const index of [1, 2]) {
      joined.push(await store.assign(request(index, 'focus-1', { room: 'talk' }), leastLoaded));
    }
    assert.ok(joined[1]?.kind === 'placed');
    const { participant } = joined[1];
    const released = store.release(participant.conferenceId, participant.endpointId, participant.sid);
    // As the rules of regions do it: a bridge that is in the conference goes before one that is not.
    const inConference = ({ inConference: counts }: PlacementView) => ({ bridgeId: [...counts.keys()].at(-1) ?? null });
    const late = await store.assign(request(3, 'focus-1', { room: 'talk' }), inConference);
    await released;
    assert.ok(late.kind === 'placed' && joined[0]?.kind === 'placed');
    assert.equal(late.participant.bridgeId, joined[0].participant.bridgeId);
    assert.deepEqual(counted.roundTrips, [1, 1, 1]);
  });
});

test('a join to a room that lives at another focus takes two round trips the first time and one from then on', async () => {
  await withFocuses(2, async ([one, other]) => {
    await one!.store.assign(request(1, 'focus-1', { room: 'talk' }), leastLoaded);
    await other!.store.assign(request(2, 'focus-2', { room: 'talk' }), leastLoaded);
    await other!.store.assign(request(3, 'focus-2', { room: 'talk' }), leastLoaded);
    assert.deepEqual(other!.counted.roundTrips, [2, 1]);
  });
});

test('a bridge that drains or restarted unseen is not chosen by a focus that still has its old report', async () => {
  await withFocuses(2, async ([one, other]) => {
    const toFirst = (view: PlacementView) => ({
      bridgeId: view.bridges.find(({ report }) => report.state === 'running' && report.bootId.endsWith('-boot'))!
        .bridgeId,
    });
    await other!.store.putBridge(sampleReport('b0', { state: 'draining' }));
    await other!.store.putBridge(sampleReport('b1', { bootId: 'second' }));
    const assigned = await one!.store.assign(request(1, 'focus-1'), toFirst);
    assert.ok(assigned.kind === 'placed');
    assert.equal(assigned.participant.bridgeId, 'b2');
    assert.equal(one!.counted.stale, 1);
  });
});

test('a bridge that was removed unseen is not chosen, and one that came unseen is, before anybody is refused', async () => {
  await withFocuses(2, async ([one, other]) => {
    for (let index = 0; index < BRIDGES; index++)
      await other!.store.removeBridge(`b${index}` as BridgeId, `b${index}-boot`);
    await other!.store.putBridge(sampleReport('new'));
    const assigned = await one!.store.assign(request(1, 'focus-1'), leastLoaded);
    assert.ok(assigned.kind === 'placed');
    assert.equal(assigned.participant.bridgeId, 'new');
    await other!.store.removeBridge('new' as BridgeId, 'new-boot');
    assert.equal((await one!.store.assign(request(2, 'focus-1'), leastLoaded)).kind, 'no-bridge');
  });
});
