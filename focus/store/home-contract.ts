/** What every store does for several focuses: owners, takeovers, snapshots, moves. Part of `store-contract.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { placed, request, type StoreUnderTest, sampleFocus, sampleReport, toBridge, upTo } from './store.fixture.ts';
import { SNAPSHOT_FIELD_BYTES_MAX, TAKEOVER_VERSIONS } from './store.ts';

type Make = () => Promise<StoreUnderTest>;

export function testHomes(make: Make): void {
  testOwners(make);
  testTakeover(make);
  testSnapshots(make);
  testMoves(make);
}

function testOwners(make: Make): void {
  test('a focus is known by what it last said of itself, until it lets go', async () => {
    const { store } = await make();
    assert.deepEqual(await store.focuses(), []);
    await store.putFocus(sampleFocus('focus-1'));
    assert.deepEqual(await store.focuses(), [sampleFocus('focus-1')]);
    await store.putFocus(sampleFocus('focus-1', { state: 'draining' }));
    assert.deepEqual(await store.focuses(), [sampleFocus('focus-1', { state: 'draining' })]);
    await store.releaseOwner('focus-1');
    assert.deepEqual(await store.focuses(), []);
  });

  test('a participant belongs to the home of the conference, whichever focus assigned it', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    await placed(store, 'ann', { owner: 'focus-1' });
    const { conference, participant } = await placed(store, 'bob', { owner: 'focus-2' });
    assert.equal(conference.owner, 'focus-1');
    assert.equal(participant.owner, 'focus-1');
    const there = await store.participants(conference.conferenceId);
    assert.deepEqual(
      there.map(({ owner }) => owner),
      ['focus-1', 'focus-1'],
    );
  });

  test('an adopted participant is in the store as before', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const { conference, participant } = await placed(store, 'ann', { owner: 'focus-2' });
    assert.ok(store.adopt(conference, participant));
    assert.deepEqual(await store.participants(conference.conferenceId), [participant]);
  });

  test('whose identity was placed again since is not adopted', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const first = await placed(store, 'ann');
    const second = await placed(store, 'ann', { sid: 'PA_again' });
    assert.equal(store.adopt(second.conference, second.participant), true);
    assert.equal(store.adopt(first.conference, first.participant), false);
    assert.deepEqual(await store.participants(first.conference.conferenceId), [second.participant]);
  });
}

function testTakeover(make: Make): void {
  test('a conference that is taken over keeps its IDs and participants, under the new owner and a far later version', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const ann = await placed(store, 'ann');
    const bob = await placed(store, 'bob');
    const { conferenceId } = ann.conference;
    const taken = await store.takeConference('talk', conferenceId, 'focus-1', 'focus-2');
    const version = bob.conference.version + TAKEOVER_VERSIONS;
    assert.deepEqual(taken, {
      conference: { ...bob.conference, owner: 'focus-2', version },
      participants: [
        { ...ann.participant, owner: 'focus-2' },
        { ...bob.participant, owner: 'focus-2' },
      ],
    });
    assert.deepEqual(await store.conference('talk'), taken!.conference);
    assert.deepEqual(await store.participants(conferenceId), taken!.participants);
    const cat = await placed(store, 'cat', { owner: 'focus-1' });
    assert.equal(cat.participant.owner, 'focus-2');
    assert.ok(cat.participant.endpointId > bob.participant.endpointId);
    await store.releaseOwner('focus-1');
    assert.equal((await store.participants(conferenceId)).length, 3);
    await store.releaseOwner('focus-2');
    assert.deepEqual(await store.conferences(), []);
  });

  test('of several that would take a conference over one does, and nothing is changed by the others', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const { conferenceId } = (await placed(store, 'ann')).conference;
    const takers = ['focus-2', 'focus-3', 'focus-4'];
    const taken = await Promise.all(takers.map(to => store.takeConference('talk', conferenceId, 'focus-1', to)));
    const winners = taken.filter(one => one !== undefined);
    assert.equal(winners.length, 1);
    assert.deepEqual(await store.conference('talk'), winners[0]!.conference);
  });

  test('a conference that was closed, or opened anew, is not taken over', async () => {
    const { store } = await make();
    const { conferenceId } = await store.openConference('talk', 'RM_1', 'focus-1');
    await store.closeConference('talk', conferenceId);
    assert.equal(await store.takeConference('talk', conferenceId, 'focus-1', 'focus-2'), undefined);
    const anew = await store.openConference('talk', 'RM_2', 'focus-1');
    assert.equal(await store.takeConference('talk', conferenceId, 'focus-1', 'focus-2'), undefined);
    assert.deepEqual(await store.conference('talk'), anew);
  });
}

/** Every byte there is, so that no encoding is in the way. */
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index);

function testSnapshots(make: Make): void {
  test('a snapshot is written field by field, byte for byte, and ends with its conference', async () => {
    const { store } = await make();
    await store.putFocus(sampleFocus('focus-1'));
    const { conferenceId } = await store.openConference('talk', 'RM_1', 'focus-1');
    assert.deepEqual(await store.loadRoom(conferenceId), new Map());
    const saved = new Map([
      ['room', EVERY_BYTE],
      ['p:Zoë', Uint8Array.of(1, 2)],
      ['empty', new Uint8Array()],
    ]);
    assert.equal(await store.saveRoom(conferenceId, saved), true);
    assert.deepEqual(plain(await store.loadRoom(conferenceId)), plain(saved));
    const changes = new Map<string, Uint8Array | null>([
      ['p:Zoë', null],
      ['empty', Uint8Array.of(255)],
      ['never', null],
    ]);
    assert.equal(await store.saveRoom(conferenceId, changes), true);
    const left = new Map([
      ['room', EVERY_BYTE],
      ['empty', Uint8Array.of(255)],
    ]);
    assert.deepEqual(plain(await store.loadRoom(conferenceId)), plain(left));
    await store.closeConference('talk', conferenceId);
    assert.deepEqual(await store.loadRoom(conferenceId), new Map());
    assert.equal(await store.saveRoom(conferenceId, saved), false);
    assert.deepEqual(await store.loadRoom(conferenceId), new Map());
  });

  test('only its owner writes the snapshot of a conference; who takes it over reads what the last one wrote', async () => {
    const { store } = await make();
    await store.putFocus(sampleFocus('focus-1'));
    const { conferenceId } = await store.openConference('talk', 'RM_1', 'focus-1');
    await store.saveRoom(conferenceId, new Map([['room', Uint8Array.of(1)]]));
    await store.takeConference('talk', conferenceId, 'focus-1', 'focus-2');
    assert.equal(await store.saveRoom(conferenceId, new Map([['room', Uint8Array.of(2)]])), false);
    assert.deepEqual(plain(await store.loadRoom(conferenceId)), [['room', [1]]]);
  });

  test('a field that is too large is a bug that names it', async () => {
    const { store } = await make();
    const { conferenceId } = await store.openConference('talk', 'RM_1', 'focus-1');
    const fields = new Map([['p:ann', new Uint8Array(SNAPSHOT_FIELD_BYTES_MAX + 1)]]);
    await assert.rejects(store.saveRoom(conferenceId, fields), /"p:ann" of a snapshot has 4194305 bytes; allowed/);
  });
}

/** Ordered and comparable: stores may answer a Buffer for a Uint8Array. */
function plain(fields: ReadonlyMap<string, Uint8Array>): [string, number[]][] {
  return [...fields]
    .map(([name, bytes]): [string, number[]] => [name, [...bytes]])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function testMoves(make: Make): void {
  test('a moved participant is the same on another bridge, in its place in the order', async () => {
    const { store } = await make();
    for (const id of ['b1', 'b2']) await store.putBridge(sampleReport(id));
    const ann = await placed(store, 'ann');
    const bob = await placed(store, 'bob');
    let counted = new Map<BridgeId, number>();
    const moved = await store.move(ann.participant, view => {
      counted = new Map(view.inConference);
      return { bridgeId: 'b2' as BridgeId, why: 'drain' };
    });
    assert.ok(moved.kind === 'moved');
    assert.deepEqual(counted, new Map([['b1', 1]]));
    assert.deepEqual(moved.participant, { ...ann.participant, bridgeId: 'b2' });
    assert.equal(moved.choice.why, 'drain');
    assert.ok(moved.conference.version > bob.conference.version);
    assert.deepEqual(await store.participants(ann.conference.conferenceId), [moved.participant, bob.participant]);
    assert.deepEqual(
      (await store.bridges()).map(({ placedSinceReport }) => placedSinceReport),
      [2, 1],
    );
  });

  test('a move to where it is changes nothing, one to nowhere neither', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('b1'));
    const { conference, participant } = await placed(store, 'ann');
    const stayed = await store.move(participant, toBridge('b1'));
    assert.deepEqual(stayed, { kind: 'moved', conference, participant, choice: { bridgeId: 'b1' } });
    assert.deepEqual(await store.move(participant, () => ({ bridgeId: null, why: 'none' })), {
      kind: 'no-bridge',
      choice: { bridgeId: null, why: 'none' },
    });
    assert.deepEqual(await store.conference('talk'), conference);
    assert.equal((await store.bridges())[0]!.placedSinceReport, 1);
  });

  test('who is gone, or whose endpoint is another SID, is not moved', async () => {
    const { store } = await make();
    for (const id of ['b1', 'b2']) await store.putBridge(sampleReport(id));
    const { participant } = await placed(store, 'ann');
    const others = [
      { ...participant, sid: 'PA_other' },
      { ...participant, endpointId: (participant.endpointId + 1) as EndpointId },
      { ...participant, conferenceId: (participant.conferenceId ^ 1) as ConferenceId },
    ];
    for (const other of others) assert.deepEqual(await store.move(other, toBridge('b2')), { kind: 'unknown' });
    await store.release(participant.conferenceId, participant.endpointId, participant.sid);
    assert.deepEqual(await store.move(participant, toBridge('b2')), { kind: 'unknown' });
  });

  test('of many that are moved and join at once, no more go to a bridge than it has places', async () => {
    const { store } = await make();
    await store.putBridge(sampleReport('old'));
    const there = [];
    for (let index = 0; index < 6; index++) there.push((await placed(store, `p${index}`, {}, 'old')).participant);
    for (const id of ['b1', 'b2']) await store.putBridge(sampleReport(id));
    const notOld = upTo(4, 'old');
    const moves = there.map(participant => store.move(participant, notOld));
    const joins = [6, 7, 8, 9].map(index => store.assign(request(`p${index}`), notOld));
    const kinds = (await Promise.all([...moves, ...joins])).map(({ kind }) => kind);
    assert.equal(kinds.filter(kind => kind === 'no-bridge').length, 2);
    const after = await store.participants(there[0]!.conferenceId);
    for (const id of ['b1', 'b2']) assert.equal(after.filter(({ bridgeId }) => bridgeId === id).length, 4);
  });
}
