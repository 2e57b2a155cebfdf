import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { SessionDescription } from '@livekit/protocol';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import { handleBridgeEvent } from './bridge-events.ts';
import { startMove } from './bridge-move.ts';
import { withPeers } from './conference-spec.ts';
import { HAND_OVER_MS_MAX, handleOldLost } from './hand-over.ts';
import { handleSignalLost, resume } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { peerNamed, TestRoom } from './room.fixture.ts';
import { handleTimeout } from './timeouts.ts';

const OLD = 'eu-1' as BridgeId;
const NEW = 'us-1' as BridgeId;
const OTHER = 'ap-1' as BridgeId;

describe('reliable messages for who moves', () => {
  let world: TestRoom;
  let ada: Participant;

  beforeEach(() => {
    world = new TestRoom();
    ada = world.join('ada');
    const bob = world.join('bob', { bridgeId: OTHER, region: 'ap', bridgeRegion: 'ap' });
    for (const each of [ada, bob]) {
      handleOffer(world.room, each, new SessionDescription({ type: 'offer', sdp: offerSdp(), id: 1 }));
      world.settle();
      const about = { conferenceId: '00000007', endpointId: formatId(each.endpointId) };
      handleBridgeEvent(world.room, world.nowMs, each.bridgeId, {
        kind: 'endpoint',
        ...about,
        state: 'connected',
        reason: '',
      });
      world.settle();
    }
    world.clear();
  });

  /** Begins her move; documents of who is where are taken by `takers`. */
  function move(takers: readonly BridgeId[]): void {
    startMove(world.room, world.nowMs, ada, { bridgeId: NEW, bridgeRegion: 'us' }, 'operator', false);
    world.settle(bridgeId => takers.includes(bridgeId));
  }

  /** Where that bridge is told that she goes. */
  function toldTo(reader: BridgeId): string | undefined {
    const { endpoints } = withPeers(world.room.document(), reader, peerNamed);
    return endpoints.find(({ identity }) => identity === 'ada')?.movingTo;
  }

  const isToldToResume = () => world.outputs.some(({ kind }) => kind === 'close-signal');

  test('go to the bridge she moves to before the one she leaves keeps any from her', () => {
    move([OLD, NEW]);
    assert.equal(toldTo(OTHER), NEW);
    assert.equal(toldTo(OLD), undefined, 'a message of before may still come there, and only there');
    assert.ok(!isToldToResume());
  });

  test('are kept from her before she is told to resume: what she then says she has had is the last', () => {
    move([OTHER, NEW]);
    assert.equal(toldTo(OLD), NEW);
    assert.ok(!isToldToResume(), 'the bridge before has not taken it');
    world.room.handlePlacesChanged();
    world.settle(bridgeId => bridgeId === OLD);
    assert.ok(isToldToResume());
  });

  test('do not hold her up for longer than a moment when a bridge does not answer', () => {
    move([NEW]);
    world.nowMs += HAND_OVER_MS_MAX - 1;
    handleTimeout(world.room, world.nowMs);
    world.settle(() => false);
    assert.ok(!isToldToResume());
    world.nowMs += 1;
    handleTimeout(world.room, world.nowMs);
    world.settle(() => false);
    assert.ok(isToldToResume());
    assert.equal(toldTo(OLD), NEW);
  });

  test('are nobody else’s any more when the bridge before dies: she is told at once', () => {
    move([NEW]);
    handleOldLost(world.room, OTHER);
    world.settle(() => false);
    assert.ok(!isToldToResume(), 'it is not her bridge that has died');
    handleOldLost(world.room, OLD);
    world.settle(() => false);
    assert.ok(isToldToResume());
    assert.deepEqual(world.room.document().bridgeIds, [OTHER, NEW]);
  });

  test('are handed over at once when her client is on its way back by itself', () => {
    startMove(world.room, world.nowMs, ada, { bridgeId: NEW, bridgeRegion: 'us' }, 'operator', false);
    handleSignalLost(world.room, world.nowMs, ada);
    world.settle(() => false);
    assert.equal(toldTo(OLD), NEW);
    resume(world.room, ada);
    world.settle();
    assert.ok(!isToldToResume());
  });
});
