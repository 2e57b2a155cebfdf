import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { LeaveRequest_Action, SessionDescription } from '@livekit/protocol';
import { pino } from 'pino';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import { handleBridgeEvent } from '../conference/bridge-events.ts';
import { handleOldLost } from '../conference/hand-over.ts';
import { LEFT_BY_ITSELF, leave, resume } from '../conference/joining.ts';
import { handleOffer } from '../conference/negotiating.ts';
import { offerSdp } from '../conference/offer.fixture.ts';
import type { Participant } from '../conference/participant.ts';
import { TestRoom } from '../conference/room.fixture.ts';
import { handleTimeout } from '../conference/timeouts.ts';
import { createFocusMetrics } from '../metrics.ts';
import type { MovePlaced } from '../placement/placement.ts';
import { BridgeMover, SETTLED_MS } from './bridge-mover.ts';

const EU = 'eu-1' as BridgeId;
const US = 'us-1' as BridgeId;
const AP = 'ap-1' as BridgeId;

describe('moves of a participant on eu-1', () => {
  let world: TestRoom;
  let ada: Participant;
  let mover: BridgeMover;
  /** In the order in which placement prefers them. */
  let up: BridgeId[];
  /** Placements wait for this. */
  let store: Promise<void>;
  let asked: number;
  let seen: number;
  const metrics = createFocusMetrics();

  beforeEach(() => {
    world = new TestRoom();
    up = [EU, US, AP];
    store = Promise.resolve();
    asked = 0;
    seen = 0;
    ada = world.join('ada');
    offer('first');
    connected(EU);
    mover = new BridgeMover({
      placements: {
        move: async ({ isAllowed }): Promise<MovePlaced> => {
          asked++;
          // The store's view of bridges is of before it answers.
          const bridgeId = up.find(isAllowed);
          await store;
          const candidates = { rule: 'test', rulesApplied: [], candidates: [], clientRegion: 'eu', tookMs: 0 };
          if (bridgeId === undefined) {
            return { kind: 'no-bridge', placement: { ...candidates, bridgeId: null, bridgeRegion: null } as never };
          }
          return { kind: 'moved', placement: { ...candidates, bridgeId, bridgeRegion: bridgeId.slice(0, 2) } as never };
        },
      },
      isUp: bridgeId => up.includes(bridgeId),
      metrics,
      log: pino({ level: 'silent' }),
      nowMs: () => world.nowMs,
      apply,
    });
    world.clear();
  });

  function apply(): void {
    world.settle();
    for (const output of world.outputs.slice(seen)) {
      seen++;
      if (output.kind === 'moved' || output.kind === 'left') mover.handleEnded(world.room, output);
    }
  }

  function offer(ufrag: string): void {
    handleOffer(world.room, ada, new SessionDescription({ type: 'offer', sdp: offerSdp({ ufrag }), id: 1 }));
    world.settle();
  }

  function connected(bridgeId: BridgeId): void {
    const about = { conferenceId: '00000007', endpointId: formatId(ada.endpointId) };
    handleBridgeEvent(world.room, world.nowMs, bridgeId, {
      kind: 'endpoint',
      ...about,
      state: 'connected',
      reason: '',
    });
    world.settle();
  }

  /** Her client does as it is told. */
  function comesUp(bridgeId: BridgeId): void {
    resume(world.room, ada);
    offer(`at${bridgeId.slice(0, 2)}`);
    connected(bridgeId);
    apply();
  }

  /** As the host does. */
  function dies(bridgeId: BridgeId) {
    up = up.filter(id => id !== bridgeId);
    handleOldLost(world.room, bridgeId);
    apply();
    return ada.bridgeId === bridgeId ? mover.moveEndpoint(world.room, ada, null, 'bridge-lost') : undefined;
  }

  const order = (to: BridgeId | null = null) => mover.moveEndpoint(world.room, ada, to, 'operator');
  const turn = () => new Promise(resolve => setImmediate(resolve));
  const isToldToResume = () => world.outputs.some(({ kind }) => kind === 'close-signal');

  test('end when media is up there, and say how long that took', async () => {
    const outcome = order(AP);
    await turn();
    world.nowMs += 300;
    comesUp(AP);
    assert.deepEqual(await outcome, { kind: 'moved', from: EU, to: AP, tookMs: 300 });
    assert.equal(ada.bridgeId, AP);
  });

  test('that are ordered while one is under way end as that one does', async () => {
    const [first, second] = [order(US), order(AP)];
    await turn();
    comesUp(US);
    assert.deepEqual([(await first).kind, await second], ['moved', await first]);
    assert.equal(asked, 1);
  });

  for (const cause of ['operator', 'drain', 'redistribution'] as const) {
    test(`by ${cause} wait for two seconds after another move, and those from a lost bridge do not`, async () => {
      const first = order(US);
      await turn();
      comesUp(US);
      await first;
      world.nowMs += SETTLED_MS - 1;
      const tooSoon = await mover.moveEndpoint(world.room, ada, null, cause);
      assert.deepEqual(tooSoon, { kind: 'not-moved', reason: 'moved-just-now' });
      assert.deepEqual([ada.bridgeId, asked], [US, 1]);
      world.nowMs += 1;
      const second = mover.moveEndpoint(world.room, ada, AP, cause);
      await turn();
      comesUp(AP);
      assert.equal((await second).kind, 'moved');
      const third = dies(AP);
      await turn();
      comesUp(EU);
      assert.deepEqual((await third)?.kind, 'moved');
    });
  }

  test('go on to a third bridge when the one they go to dies, as one move', async () => {
    const outcome = order(US);
    await turn();
    const again = dies(US);
    await turn();
    comesUp(AP);
    assert.deepEqual(await outcome, { kind: 'moved', from: EU, to: AP, tookMs: 0 });
    assert.deepEqual(await again, await outcome);
  });

  test('do not wait for a bridge that dies while the store is asked where to go', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store = promise;
    const outcome = order();
    assert.equal(asked, 1);
    void dies(EU);
    resolve();
    await turn();
    assert.ok(isToldToResume());
    assert.deepEqual(world.room.document().bridgeIds, [US], 'nothing is with the dead bridge any more');
    comesUp(US);
    assert.equal((await outcome).kind, 'moved');
  });

  test('do not go to a bridge that dies while the store is asked', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store = promise;
    const outcome = order();
    dies(US);
    resolve();
    await turn();
    assert.equal(ada.bridgeId, AP);
    comesUp(AP);
    assert.equal((await outcome).kind, 'moved');
  });

  test('from one lost bridge to another lost one end on the next', async () => {
    const outcome = dies(EU);
    await turn();
    void dies(US);
    await turn();
    comesUp(AP);
    const end = await outcome;
    assert.deepEqual(end?.kind === 'moved' && [end.from, end.to], [EU, AP]);
  });

  test('back to a bridge that was lost because it started anew come last, and before none at all', async () => {
    up = [EU];
    const outcome = mover.moveEndpoint(world.room, ada, null, 'bridge-lost');
    await turn();
    comesUp(EU);
    assert.deepEqual(await outcome, { kind: 'moved', from: EU, to: EU, tookMs: 0 });
  });

  test('that find no bridge leave who was ordered where it is, and send away who has none', async () => {
    up = [EU];
    assert.deepEqual(await order(), { kind: 'not-moved', reason: 'no-bridge' });
    assert.deepEqual(await order(US), { kind: 'not-moved', reason: 'no-bridge' });
    assert.equal(ada.bridgeId, EU);
    assert.deepEqual(await dies(EU), { kind: 'not-moved', reason: 'left' });
    assert.equal(world.last(ada, 'leave')?.action, LeaveRequest_Action.RECONNECT);
  });

  test('end when the participant leaves on the way', async () => {
    const outcome = order();
    await turn();
    leave(world.room, world.nowMs, ada, LEFT_BY_ITSELF);
    apply();
    assert.deepEqual(await outcome, { kind: 'not-moved', reason: 'left' });
    assert.deepEqual(await order(), { kind: 'not-moved', reason: 'gone' });
  });

  test('end after ten seconds in which the client is there and its media is not', async () => {
    const outcome = order();
    await turn();
    resume(world.room, ada);
    handleTimeout(world.room, world.nowMs);
    world.nowMs += 10_000;
    handleTimeout(world.room, world.nowMs);
    apply();
    assert.deepEqual(await outcome, { kind: 'not-moved', reason: 'timed-out' });
  });

  test('of who is where it is to go, or cannot be told now, are none', async () => {
    assert.deepEqual(await order(EU), { kind: 'not-moved', reason: 'same-bridge' });
    ada.signalLostAtMs = world.nowMs;
    assert.deepEqual(await order(), { kind: 'not-moved', reason: 'signal-away' });
    assert.equal(asked, 0);
    const lost = dies(EU);
    await turn();
    assert.equal(ada.bridgeId, US, 'it lands there when it comes back');
    comesUp(US);
    assert.equal((await lost)?.kind, 'moved');
  });
});
