/** Who is moved to another bridge, and who is left alone; also while the store is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import { handleMediaUp } from '../conference/bridge-move.ts';
import type { Participant } from '../conference/participant.ts';
import { TestRoom } from '../conference/room.fixture.ts';
import { readFocusConfig } from '../config.ts';
import { createFocusMetrics } from '../metrics.ts';
import { createPlacements } from '../placement/placements.ts';
import { createRegionDistances } from '../placement/region-distance.ts';
import { startRedis } from '../store/redis/redis-server.fixture.ts';
import { beatFor, inWorld, place } from '../store/redis/redis-world.fixture.ts';
import type { Store } from '../store/store.ts';
import { BridgeMover } from './bridge-mover.ts';

/** Of a room with one person, whose place `store` knows. */
function moverOn(store: Store, room: TestRoom): BridgeMover {
  const { placement: settings } = readFocusConfig({ env: {}, flags: { development: true } });
  const metrics = createFocusMetrics();
  const distances = createRegionDistances([]);
  const placements = createPlacements({ store, settings, distances, focusId: 'focus-1', metrics, uint32: () => 1 });
  const mover: BridgeMover = new BridgeMover({
    placements,
    isUp: bridgeId => bridgeId !== ('b1' as BridgeId),
    metrics,
    log: pino({ level: 'silent' }),
    nowMs: () => room.nowMs,
    apply: () => {
      room.settle();
      for (const output of room.outputs) {
        if (output.kind === 'moved' || output.kind === 'left') mover.handleEnded(room.room, output);
      }
    },
  });
  return mover;
}

function comeUp(room: TestRoom, participant: Participant): void {
  for (const endpointId of [...participant.move!.awaited])
    handleMediaUp(room.room, room.nowMs, participant, endpointId);
}

test('with the store away the home moves those whose bridge is lost by itself, and the store has it when it is back', async t => {
  const server = await startRedis();
  t.after(() => server.stop());
  await inWorld(server, async ({ join }) => {
    const [home, other] = [await join('focus-1'), await join('focus-2')];
    const placed = await place(home, 'focus-1', 'ann');
    const { conferenceId, endpointId, sid, bridgeId } = placed.participant;
    assert.equal(bridgeId, 'b1');
    const room = new TestRoom({}, { id: conferenceId });
    const ann = room.join('ann', { sid, endpointId, bridgeId });
    const mover = moverOn(home.store, room);

    home.fail('requests');
    const outcome = mover.moveEndpoint(room.room, ann, null, 'bridge-lost');
    while (ann.move === null) await new Promise(resolve => setImmediate(resolve));
    assert.equal(ann.bridgeId, 'b2');
    assert.equal(room.room.withSid(sid), ann, 'nobody is sent away');
    comeUp(room, ann);
    room.settle();
    for (const output of room.outputs) if (output.kind === 'moved') mover.handleEnded(room.room, output);
    const { kind } = await outcome;
    assert.equal(kind, 'moved');

    home.fail(undefined);
    await beatFor([home, other], 1_000);
    const there = await other.store.participants(conferenceId);
    assert.deepEqual(
      there.map(one => [one.identity, one.endpointId, one.bridgeId]),
      [['ann', endpointId, 'b2']],
    );
  });
});

test('a shadow is not moved: it goes where its original goes', async () => {
  const room = new TestRoom();
  const forwards = { room: 'talk', conferenceId: 7 as never, endpointId: 1 as EndpointId };
  const ann = room.join('ann', { forwards });
  const store = { move: () => assert.fail('nobody asked for a place') } as unknown as Store;
  for (const cause of ['bridge-lost', 'drain', 'redistribution', 'operator'] as const) {
    const outcome = await moverOn(store, room).moveEndpoint(room.room, ann, null, cause);
    assert.deepEqual(outcome, { kind: 'not-moved', reason: 'forwarded' });
  }
  assert.equal(room.room.withSid(ann.sid), ann);
});

test('a move ends with the room here when another focus serves that, and nothing is done to it afterwards', async () => {
  const asked = Promise.withResolvers<never>();
  const store = { move: () => asked.promise } as unknown as Store;
  for (const cause of ['drain', 'bridge-lost'] as const) {
    const room = new TestRoom();
    const ann = room.join('ann');
    const mover = moverOn(store, room);
    const outcome = mover.moveEndpoint(room.room, ann, null, cause);
    mover.handleDropped(room.room);
    assert.deepEqual(await outcome, { kind: 'not-moved', reason: 'gone' });
    asked.reject(new Error('the store is away'));
    await new Promise(resolve => setImmediate(resolve));
    assert.equal(room.room.withSid(ann.sid), ann);
    assert.equal(ann.bridgeId, 'eu-1' as BridgeId);
  }
});
