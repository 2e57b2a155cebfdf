import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionDescription } from '@livekit/protocol';
import { pino } from 'pino';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import { Drains, MOVES_UNDER_WAY_MAX } from '../bridges/drains.ts';
import { handleBridgeEvent } from '../conference/bridge-events.ts';
import { resume } from '../conference/joining.ts';
import { handleOffer } from '../conference/negotiating.ts';
import { offerSdp } from '../conference/offer.fixture.ts';
import type { Participant } from '../conference/participant.ts';
import { TestRoom } from '../conference/room.fixture.ts';
import { createFocusMetrics } from '../metrics.ts';
import type { MovePlaced } from '../placement/placement.ts';
import { BridgeMover } from './bridge-mover.ts';

const FROM = 'eu-1' as BridgeId;
const TO = 'eu-2' as BridgeId;
const PEOPLE = 50;
const STEP_MS = 250;
/** How long a client takes to come up on the other bridge, in steps. */
const COMES_UP_STEPS = 3;
const DEADLINE_MS = 60_000;

test('fifty people of one meeting leave a draining bridge before its deadline, some at a time, and none is lost', async () => {
  const world = new TestRoom();
  const bringUp = (each: Participant, bridgeId: BridgeId, ufrag: string) => {
    const offer = new SessionDescription({ type: 'offer', sdp: offerSdp({ ufrag }), id: 1 });
    handleOffer(world.room, each, offer);
    world.settle();
    const about = { conferenceId: '00000007', endpointId: formatId(each.endpointId) };
    handleBridgeEvent(world.room, world.nowMs, bridgeId, {
      kind: 'endpoint',
      ...about,
      state: 'connected',
      reason: '',
    });
    apply();
  };
  let seen = 0;
  const apply = () => {
    world.settle();
    for (const output of world.outputs.slice(seen)) {
      seen++;
      if (output.kind === 'moved' || output.kind === 'left') mover.handleEnded(world.room, output);
    }
  };
  const placed = { kind: 'moved', placement: { bridgeId: TO, bridgeRegion: 'eu', rule: 'test' } } as MovePlaced;
  const mover = new BridgeMover({
    placements: { move: async () => placed },
    isUp: () => true,
    metrics: createFocusMetrics(),
    log: pino({ level: 'silent' }),
    nowMs: () => world.nowMs,
    apply,
  });
  for (let index = 0; index < PEOPLE; index++) bringUp(world.join(`p${index}`), FROM, `first${index}`);
  const sids = [...world.room.participants.values()].map(({ sid }) => sid);

  const drains = new Drains();
  const startedMs = world.nowMs;
  const back: { readonly participant: Participant; readonly atMs: number }[] = [];
  const steps: number[] = [];
  let underWay = 0;
  while ([...world.room.participants.values()].some(({ bridgeId, move }) => bridgeId === FROM || move !== null)) {
    assert.ok(world.nowMs - startedMs < DEADLINE_MS, 'all are gone before the deadline');
    const own = [...world.room.participants.values()].filter(({ bridgeId }) => bridgeId === FROM);
    const movable = own.map(({ sid }) => ({ sid, conferenceId: 7, conferenceSize: PEOPLE }));
    const report = { deadlineInMs: startedMs + DEADLINE_MS - world.nowMs, mode: 'move', by: 'test' };
    const next = drains.step(world.nowMs, FROM, report as never, 0, movable);
    steps.push(next.length);
    for (const { sid } of next) {
      const participant = world.room.withSid(sid)!;
      underWay++;
      void mover.moveEndpoint(world.room, participant, null, 'drain').then(outcome => {
        assert.equal(outcome.kind, 'moved');
        underWay--;
        drains.handleOutcome(world.nowMs, FROM, sid, outcome);
      });
      back.push({ participant, atMs: world.nowMs + COMES_UP_STEPS * STEP_MS });
    }
    await new Promise(resolve => setImmediate(resolve));
    assert.ok(underWay <= MOVES_UNDER_WAY_MAX);
    world.nowMs += STEP_MS;
    while (back.length > 0 && back[0].atMs <= world.nowMs) {
      const { participant } = back.shift()!;
      resume(world.room, participant);
      bringUp(participant, TO, `next${participant.identity}`);
    }
    await new Promise(resolve => setImmediate(resolve));
  }
  assert.equal(
    steps.reduce((sum, count) => sum + count, 0),
    PEOPLE,
    'nobody is moved twice',
  );
  assert.ok(Math.max(...steps) <= 3, `at most ${Math.max(...steps)} in a step`);
  assert.deepEqual(
    [...world.room.participants.values()].map(({ sid, bridgeId }) => [sid, bridgeId]),
    sids.map(sid => [sid, TO]),
  );
  assert.ok(!world.outputs.some(({ kind }) => kind === 'left'));
  assert.deepEqual(world.room.document().bridgeIds, [TO]);
});
