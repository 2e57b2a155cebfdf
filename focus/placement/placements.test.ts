import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFocusMetrics } from '../metrics.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { Store } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { EXPLANATIONS_MAX, type JoinPlacement, type Placements } from './placement.ts';
import { createPlacements } from './placements.ts';
import { createRegionDistances } from './region-distance.ts';
import { SETTINGS } from './sketch.fixture.ts';

const CAP = 4;
const IDLE = {
  bridgeId: 'b1',
  region: 'eu',
  stress: 0,
  inConference: 0,
  reportedStress: 0,
  unseenEndpoints: 0,
  joinsLastMinute: 0,
  measure: 0,
};

async function setUp(bridgeIds: readonly string[], settings: Partial<PlacementSettings> = {}) {
  let draw = 0;
  const store = createMemoryStore(
    () => 1_700_000_000_000,
    () => (++draw % 9973) / 9973,
  );
  for (const bridgeId of bridgeIds) await store.putBridge(sampleReport(bridgeId));
  const metrics = createFocusMetrics();
  const placements = createPlacements({
    store,
    metrics,
    focusId: 'focus-1',
    distances: createRegionDistances([]),
    settings: { ...SETTINGS, participants_per_bridge_max: CAP, region_groups: [], ...settings },
    uint32: () => ++draw,
  });
  return { store, metrics, placements };
}

const join = (identity: string, changes: Partial<JoinPlacement> = {}): JoinPlacement => ({
  room: 'talk',
  createAs: { roomSid: 'RM_1' },
  identity,
  sid: `PA_${identity}`,
  region: 'eu',
  participantsMax: 0,
  ...changes,
});

test('a burst of joins to one room fills each bridge to the cap before the next, and never past it', async () => {
  const { placements } = await setUp(['b1', 'b2', 'b3']);
  const placed = await Promise.all(Array.from({ length: 3 * CAP }, (_, index) => placements.join(join(`p${index}`))));
  const counts = new Map<string, number>();
  for (const result of placed) {
    assert.ok(result.kind === 'placed');
    counts.set(result.participant.bridgeId, (counts.get(result.participant.bridgeId) ?? 0) + 1);
  }
  assert.deepEqual([...counts.values()], [CAP, CAP, CAP]);
});

test('a burst of joins to different rooms between two reports is spread evenly', async () => {
  const { placements } = await setUp(['b1', 'b2', 'b3']);
  const placed = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      placements.join(join('ann', { room: `room-${index}`, sid: `PA_${index}`, createAs: { roomSid: `RM_${index}` } })),
    ),
  );
  const onFirst = placed.filter(result => result.kind === 'placed' && result.participant.bridgeId === 'b1');
  assert.equal(onFirst.length, 10);
});

test('a meeting that grows fills the host it began on before it takes the next, and the metric says so', async () => {
  const { store, placements, metrics } = await setUp([]);
  const hosts = { b1: 'h1', b2: 'h2', b3: 'h1', b4: 'h2' };
  for (const [bridgeId, host] of Object.entries(hosts)) await store.putBridge(sampleReport(bridgeId, { host }));
  const filled: string[] = [];
  for (let index = 0; index < 4 * CAP; index++) {
    const result = await placements.join(join(`p${index}`));
    assert.ok(result.kind === 'placed');
    if (filled.at(-1) !== result.participant.bridgeId) filled.push(result.participant.bridgeId);
  }
  assert.deepEqual(filled, ['b1', 'b3', 'b2', 'b4']);
  assert.match(await metrics.registry.metrics(), /joins_total\{rule="on-host-in-region",region="eu"\} 2/);
});

test('two that want the last place at once: one has it, the other is placed elsewhere', async () => {
  const { placements } = await setUp(['b1', 'b2']);
  for (let index = 0; index < CAP - 1; index++) await placements.join(join(`p${index}`));
  const [first, second] = await Promise.all([placements.join(join('x')), placements.join(join('y'))]);
  assert.ok(first.kind === 'placed' && second.kind === 'placed');
  assert.deepEqual([first.participant.bridgeId, second.participant.bridgeId], ['b1', 'b2']);
  assert.equal(second.placement.rule, 'in-region');
});

test('why a participant is where it is can be asked by SID and by identity, newest first', async () => {
  const { placements } = await setUp(['b1']);
  await placements.join(join('ann'));
  await placements.join(join('ann', { room: 'other', sid: 'PA_2' }));
  assert.equal(placements.explain('PA_ann')!.room, 'talk');
  assert.equal(placements.explain('ann')!.room, 'other');
  assert.equal(placements.explain('bob'), undefined);
  assert.deepEqual(
    placements.explanations().map(({ sid }) => sid),
    ['PA_2', 'PA_ann'],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(placements.explain('PA_ann')!.placement)), {
    bridgeId: 'b1',
    bridgeRegion: 'eu',
    stress: 0,
    rule: 'in-region',
    policy: { kind: 'region', sort_by: 'stress', algorithm: 'lowest' },
    policyFrom: 'configuration',
    region: 'eu',
    placedFor: 'eu',
    considered: 1,
    candidates: [IDLE],
    at: 1_700_000_000_000,
  });
});

test('an explanation shows the moment of its placement, whatever was placed and reported since', async () => {
  const { store, placements } = await setUp(['b1', 'b2']);
  await placements.join(join('ann'));
  await placements.join(join('bob'));
  await store.putBridge(
    sampleReport('b2', { state: 'draining', load: { ...sampleReport('b2').load, stress: 0.9, scarcest: 'cpu' } }),
  );
  await placements.join(join('cat', { room: 'other' }));
  const seen = (sid: string) =>
    placements.explain(sid)!.placement.candidates.map(each => [each.stress, each.inConference, each.rejectedBy]);
  const idle = [0, 0, undefined];
  assert.deepEqual(seen('PA_ann'), [idle, idle]);
  assert.deepEqual(seen('PA_bob'), [[0.01, 1, undefined], idle]);
  assert.deepEqual(seen('PA_cat'), [
    [0.02, 0, undefined],
    [0.9, 0, 'draining'],
  ]);
  assert.equal(placements.explain('PA_cat')!.placement.candidates[1]!.scarcest, 'cpu');
});

test('of more than a hundred candidates the chosen one and the least loaded are told', async () => {
  const ids = Array.from({ length: 150 }, (_, index) => `b${String(index).padStart(3, '0')}`);
  const { store, placements } = await setUp([], { kind: 'last-used' });
  for (const [index, id] of ids.entries()) {
    await store.putBridge(sampleReport(id, { load: { ...sampleReport(id).load, stress: index / 1000 } }));
  }
  await placements.join(join('ann'));
  const { bridgeId, considered, candidates } = placements.explain('ann')!.placement;
  assert.deepEqual([bridgeId, considered], ['b149', 150]);
  assert.deepEqual(
    candidates.map(candidate => candidate.bridgeId),
    [...ids.slice(0, 99), 'b149'],
  );
});

test('a room is placed as it says itself, other rooms as the configuration says, and the metric tells them apart', async () => {
  const { placements, metrics } = await setUp(['b1', 'b2']);
  for (let index = 0; index < 2 * CAP; index++) {
    await placements.join(join(`p${index}`, { override: { kind: 'single' } }));
    await placements.join(join(`p${index}`, { room: 'other', sid: `PA_o${index}` }));
  }
  const bridgesOf = (room: string) => {
    const ofRoom = placements.explanations().filter(entry => entry.room === room);
    return new Set(ofRoom.map(({ placement }) => placement.bridgeId)).size;
  };
  assert.deepEqual([bridgesOf('talk'), bridgesOf('other')], [1, 2]);
  assert.deepEqual(placements.explain('p7')!.placement.policy.kind, 'region');
  const text = await metrics.registry.metrics();
  assert.match(text, /placements_total\{policy="single",rule="on-its-bridge"\} 7/);
  assert.match(text, /placements_total\{policy="region",rule="in-conference-in-region"\} 6/);
  assert.match(text, /placed_stress_ratio_count\{policy="single"\} 8/);
});

test('the oldest explanation is forgotten when there are too many', async () => {
  const { placements } = await setUp(['b1']);
  for (let index = 0; index <= EXPLANATIONS_MAX; index++) await placements.join(join('ann', { sid: `PA_${index}` }));
  assert.equal(placements.explanations().length, EXPLANATIONS_MAX);
  assert.equal(placements.explain('PA_0'), undefined);
  assert.notEqual(placements.explain('PA_1'), undefined);
});

test('of a participant that was placed again the newest explanation is kept, and once', async () => {
  const { placements } = await setUp(['b1', 'b2']);
  await placements.join(join('ann'));
  await placements.join(join('bob'));
  await placements.join(join('ann', { room: 'other' }));
  assert.deepEqual(
    placements.explanations().map(({ sid, room }) => [sid, room]),
    [
      ['PA_ann', 'other'],
      ['PA_bob', 'talk'],
    ],
  );
  for (let index = 0; index < EXPLANATIONS_MAX - 1; index++) await placements.join(join('cat', { sid: `PA_${index}` }));
  assert.equal(placements.explain('PA_ann')!.room, 'other');
  assert.equal(placements.explain('PA_bob'), undefined);
});

test('joins are counted by rule and region, refusals are not joins', async () => {
  const { placements, metrics } = await setUp(['b1']);
  await placements.join(join('ann'));
  await placements.join(join('bob', { participantsMax: 1 }));
  await placements.join(join('cat', { room: 'unknown', createAs: null }));
  const text = await metrics.registry.metrics();
  assert.match(text, /causeway_focus_joins_total\{rule="in-region",region="eu"\} 1/);
  assert.equal(text.match(/^causeway_focus_joins_total\{/gm)!.length, 1);
});

test('without a bridge the answer says so and explains itself', async () => {
  const { placements } = await setUp([]);
  const result = await placements.join(join('ann'));
  assert.ok(result.kind === 'no-bridge');
  assert.equal(result.placement.rule, 'no-bridge');
  assert.equal(placements.explain('ann')!.placement.bridgeId, null);
});

interface World {
  readonly store: Store;
  readonly placements: Placements;
}
type Step = (world: World) => Promise<unknown>;
const ROOMS = ['r0', 'r1'];

const joinStep = fc.tuple(fc.constantFrom(...ROOMS), fc.nat(19), fc.nat()).map(
  ([room, who, nonce]): Step =>
    async world => {
      const sid = `PA_${room}_${who}_${nonce}`;
      const request = join(`p${who}`, { room, sid, createAs: { roomSid: `RM_${room}` } });
      await world.placements.join(request);
    },
);
const leaveStep = fc.tuple(fc.constantFrom(...ROOMS), fc.nat(19)).map(
  ([room, who]): Step =>
    async world => {
      const conference = await world.store.conference(room);
      if (conference === undefined) return;
      const participants = await world.store.participants(conference.conferenceId);
      const leaving = participants.find(({ identity }) => identity === `p${who}`);
      if (leaving === undefined) return;
      await world.store.release(leaving.conferenceId, leaving.endpointId, leaving.sid);
    },
);

test('whatever joins and leaves overlap, no bridge has more of a conference than the cap while there is room, and nobody is lost', async () => {
  const steps = fc.array(fc.array(fc.oneof(joinStep, joinStep, leaveStep), { minLength: 1, maxLength: 6 }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(steps, async rounds => {
      const bridgeIds = ['b1', 'b2', 'b3', 'b4', 'b5'];
      const { store, placements } = await setUp(bridgeIds);
      const world: World = { store, placements };
      for (const round of rounds) {
        await Promise.all(round.map(step => step(world)));
        for (const room of ROOMS) await checkRoom(store, room);
      }
    }),
    { numRuns: 60 },
  );
});

/** 20 identities, 5 bridges, a cap of 4: there always is room. */
async function checkRoom(store: Store, room: string): Promise<void> {
  const conference = await store.conference(room);
  if (conference === undefined) return;
  const participants = await store.participants(conference.conferenceId);
  const identities = participants.map(({ identity }) => identity);
  assert.equal(new Set(identities).size, identities.length);
  assert.equal(new Set(participants.map(({ endpointId }) => endpointId)).size, participants.length);
  const counts = Object.groupBy(participants, ({ bridgeId }) => bridgeId);
  for (const onBridge of Object.values(counts)) assert.ok(onBridge!.length <= CAP);
}
