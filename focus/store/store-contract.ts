/** What every store does: run by the test of each implementation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { testHomes } from './home-contract.ts';
import { placed, request, type StoreUnderTest, sampleReport, toBridge, upTo } from './store.fixture.ts';
import { BRIDGE_EXPIRY_MS } from './store.ts';

export { sampleReport };

/** Declares the tests of the contract for the implementation that `make` gives. */
export function testStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name}: bridges`, () => testBridges(make));
  describe(`${name}: conferences`, () => testConferences(make));
  describe(`${name}: assignment`, () => testAssignment(make));
  describe(`${name}: letting go`, () => testRelease(make));
  describe(`${name}: homes`, () => testHomes(make));
}

function testBridges(make: () => Promise<StoreUnderTest>): void {
  test('a bridge is known from its report until it expires, and a new report renews it', async () => {
    const { store, advanceMs, driftMsMax } = await make();
    await store.putBridge(sampleReport('b1'));
    advanceMs(BRIDGE_EXPIRY_MS - driftMsMax);
    assert.equal((await store.bridges()).length, 1);
    await store.putBridge(sampleReport('b1'));
    advanceMs(BRIDGE_EXPIRY_MS - driftMsMax);
    assert.equal((await store.bridges()).length, 1);
    advanceMs(driftMsMax);
    assert.deepEqual(await store.bridges(), []);
  });

  test('bridges come ordered by id whatever order they reported in', async () => {
    const { store } = await make();
    for (const id of ['c', 'a', 'b']) await store.putBridge(sampleReport(id));
    assert.deepEqual(
      (await store.bridges()).map(bridge => bridge.bridgeId),
      ['a', 'b', 'c'],
    );
  });

  test('a bridge is removed only for the boot it was seen with', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1', { bootId: 'second' }));
    assert.equal(await store.removeBridge('b1' as BridgeId, 'first'), false);
    assert.equal((await store.bridges()).length, 1);
    assert.equal(await store.removeBridge('b1' as BridgeId, 'second'), true);
    assert.deepEqual(await store.bridges(), []);
  });

  test('placements since the last report are counted, and a report takes them back to zero', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    await placed(store, 'ann');
    await placed(store, 'bob');
    assert.equal((await store.bridges())[0]!.placedSinceReport, 2);
    await store.putBridge(sampleReport('b1'));
    assert.equal((await store.bridges())[0]!.placedSinceReport, 0);
  });

  test('ping resolves while the store answers', async () => {
    const { store } = await make();
    await assert.doesNotReject(store.ping());
  });
}

function testConferences(make: () => Promise<StoreUnderTest>): void {
  test('two that open the same room at once get the same conference', async () => {
    const { store } = await make();
    const [first, second] = await Promise.all([
      store.openConference('talk', 'RM_1', 'focus-1'),
      store.openConference('talk', 'RM_2', 'focus-2'),
    ]);
    assert.deepEqual(first, second);
    assert.equal((await store.conferences()).length, 1);
  });

  test('conference IDs are uint32, never 0, and differ between rooms', async () => {
    const { store } = await make();
    const ids = new Set<number>();
    for (let index = 0; index < 200; index++) {
      const { conferenceId } = await store.openConference(`room-${index}`, `RM_${index}`, 'focus-1');
      assert.ok(Number.isInteger(conferenceId) && conferenceId > 0 && conferenceId <= 0xffffffff);
      ids.add(conferenceId);
    }
    assert.equal(ids.size, 200);
  });

  test('a room name that is opened again is not closed by who held the old conference', async () => {
    const { store } = await make();
    const old = await store.openConference('talk', 'RM_1', 'focus-1');
    assert.equal(await store.closeConference('talk', old.conferenceId), true);
    const reopened = await store.openConference('talk', 'RM_2', 'focus-1');
    assert.notEqual(reopened.conferenceId, old.conferenceId);
    assert.equal(await store.closeConference('talk', old.conferenceId), false);
    assert.deepEqual(await store.conference('talk'), reopened);
  });

  test('closing a conference takes its participants along', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const { conference } = await placed(store, 'ann');
    await store.closeConference('talk', conference.conferenceId);
    assert.deepEqual(await store.participants(conference.conferenceId), []);
    assert.equal(await store.conference('talk'), undefined);
  });

  test('a room nobody opened is not there', async () => {
    const { store } = await make();
    assert.equal(await store.conference('talk'), undefined);
    assert.deepEqual(await store.participants(7 as ConferenceId), []);
    assert.equal(await store.closeConference('talk', 7 as ConferenceId), false);
  });
}

function testAssignment(make: () => Promise<StoreUnderTest>): void {
  test('an unknown room is opened by the join that may, and refused to the one that may not', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    assert.equal((await store.assign(request('ann', { createAs: null }), toBridge('b1'))).kind, 'unknown-room');
    const { conference } = await placed(store, 'ann', { createAs: { roomSid: 'RM_9' } });
    assert.equal(conference.roomSid, 'RM_9');
    assert.equal((await placed(store, 'bob', { createAs: null })).conference.conferenceId, conference.conferenceId);
  });

  test('a join that finds no bridge leaves nothing behind, not even the room', async () => {
    const { store } = await make();
    const assigned = await store.assign(request('ann'), () => ({ bridgeId: null, why: 'none' }));
    assert.deepEqual(assigned, { kind: 'no-bridge', choice: { bridgeId: null, why: 'none' } });
    assert.deepEqual(await store.conferences(), []);
  });

  test('of many that join at once, exactly as many go to a bridge as it has places', async () => {
    const { store } = await make();
    for (const id of ['b1', 'b2']) await store.putBridge(sampleReport(id));
    const joins = Array.from({ length: 9 }, (_, index) => store.assign(request(`p${index}`), upTo(4)));
    const assigned = await Promise.all(joins);
    const bridges = assigned.map(result => (result.kind === 'placed' ? result.participant.bridgeId : result.kind));
    for (const bridgeId of ['b1', 'b2']) assert.equal(bridges.filter(bridge => bridge === bridgeId).length, 4);
    assert.equal(bridges.filter(bridge => bridge === 'no-bridge').length, 1);
    const endpoints = assigned.flatMap(result => (result.kind === 'placed' ? [result.participant.endpointId] : []));
    assert.equal(new Set(endpoints).size, 8);
  });

  test('of many that join at once, exactly participantsMax get in', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const joins = Array.from({ length: 5 }, (_, index) =>
      store.assign(request(`p${index}`, { participantsMax: 3 }), toBridge('b1')),
    );
    const kinds = (await Promise.all(joins)).map(result => result.kind);
    assert.deepEqual(kinds.toSorted(), ['placed', 'placed', 'placed', 'room-full', 'room-full']);
  });

  test('an identity that joins again takes the place of its old self, even in a full room, under a new endpoint ID', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const first = await placed(store, 'ann', { participantsMax: 1 });
    let counted = -1;
    const again = await store.assign(request('ann', { sid: 'PA_again', participantsMax: 1 }), view => {
      counted = view.inConference.get('b1' as BridgeId) ?? 0;
      return { bridgeId: 'b1' as BridgeId };
    });
    assert.ok(again.kind === 'placed');
    assert.deepEqual(again.replaced, first.participant);
    assert.notEqual(again.participant.endpointId, first.participant.endpointId);
    assert.equal(counted, 0);
    assert.deepEqual(await store.participants(first.conference.conferenceId), [again.participant]);
  });

  test('the same identity in two rooms is two participants', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    await placed(store, 'ann');
    assert.equal((await placed(store, 'ann', { room: 'other' })).replaced, null);
  });

  test('the conference version grows with each one who comes or goes', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const versions = [(await store.openConference('talk', 'RM_1', 'focus-1')).version];
    const ann = await placed(store, 'ann');
    versions.push(ann.conference.version, (await placed(store, 'bob')).conference.version);
    const { conferenceId, endpointId, sid } = ann.participant;
    versions.push((await store.release(conferenceId, endpointId, sid))!.version);
    assert.deepEqual(
      versions,
      [...new Set(versions)].toSorted((a, b) => a - b),
    );
    assert.equal((await store.conference('talk'))!.version, versions.at(-1));
  });

  test('a placement sees unexpired bridges only', async () => {
    const { store, advanceMs } = await make();
    await store.putBridge(sampleReport('old'));
    advanceMs(BRIDGE_EXPIRY_MS);
    await store.putBridge(sampleReport('young'));
    let seen: readonly string[] = [];
    await store.assign(request('ann'), view => {
      seen = view.bridges.map(bridge => bridge.bridgeId);
      return { bridgeId: null };
    });
    assert.deepEqual(seen, ['young']);
  });
}

function testRelease(make: () => Promise<StoreUnderTest>): void {
  test('a participant is released once, and only by the SID that holds the endpoint', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const { conferenceId, endpointId, sid } = (await placed(store, 'ann')).participant;
    assert.equal(await store.release(conferenceId, endpointId, 'PA_other'), undefined);
    assert.equal(await store.release(conferenceId, (endpointId + 1) as EndpointId, sid), undefined);
    assert.equal((await store.release(conferenceId, endpointId, sid))!.room, 'talk');
    assert.equal(await store.release(conferenceId, endpointId, sid), undefined);
    assert.deepEqual(await store.participants(conferenceId), []);
  });

  test('releasing the replaced does not touch who replaced it', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const first = (await placed(store, 'ann')).participant;
    await placed(store, 'ann', { sid: 'PA_again' });
    assert.equal(await store.release(first.conferenceId, first.endpointId, first.sid), undefined);
    assert.equal((await store.participants(first.conferenceId)).length, 1);
  });

  test('what an owner leaves is gone with whoever is in it, what others own stays', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const own = await placed(store, 'ann');
    await placed(store, 'bob', { owner: 'focus-2' });
    const { conference } = await placed(store, 'bob', { room: 'other', owner: 'focus-2' });
    await placed(store, 'cat', { room: 'other', owner: 'focus-1' });
    await store.releaseOwner('focus-1');
    assert.deepEqual(
      (await store.conferences()).map(({ room }) => room),
      ['other'],
    );
    assert.deepEqual(await store.participants(own.conference.conferenceId), []);
    const staying = await store.participants(conference.conferenceId);
    assert.deepEqual(
      staying.map(({ identity }) => identity),
      ['bob', 'cat'],
    );
  });

  test('a conference that its owner opened and nobody joined ends with its owner', async () => {
    const { store } = await make();
    await store.openConference('talk', 'RM_1', 'focus-1');
    await store.releaseOwner('focus-1');
    assert.deepEqual(await store.conferences(), []);
  });
}
