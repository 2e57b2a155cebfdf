/** Leases, what is left of a focus that died, and what one puts back that the store lost. On a real Redis. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sampleReport } from '../store.fixture.ts';
import { type ConferenceRecord, ORPHAN_MS, TAKEOVER_VERSIONS } from '../store.ts';
import { LEASE_MS } from './prelude-script.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { advance, beatFor, identities, inWorld, place } from './redis-world.fixture.ts';
import { CONFERENCES_PER_SCRIPT_MAX } from './upkeep-scripts.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

const keysOf = async (prefix: string) => (await server.command('KEYS', `{${prefix}}*`)) as string[];
/** As a failover to an older replica, a restart without persistence or a FLUSHALL does. */
async function emptyStore(prefix: string): Promise<void> {
  for (const key of await keysOf(prefix)) await server.command('DEL', key);
}
const ids = (...placed: { readonly conference: ConferenceRecord }[]) =>
  placed.map(({ conference }) => conference.conferenceId).toSorted();
test('what a focus that died had is told to one other once its lease is over, and not before; untaken it is told once more, and ends', async () => {
  await inWorld(server, async ({ join }) => {
    const [dead, alive, third] = [await join('focus-1'), await join('focus-2'), await join('focus-3')];
    const talk = await place(dead, 'focus-1', 'ann');
    const other = await place(dead, 'focus-1', 'ann', { room: 'other' });
    await place(alive, 'focus-2', 'bob', { room: 'own' });
    dead.close();
    await beatFor([alive, third], LEASE_MS - 1_000);
    assert.deepEqual([...alive.orphans, ...third.orphans], []);
    await beatFor([alive, third], 2_000);
    const told = [...alive.orphans, ...third.orphans];
    assert.deepEqual(told.map(({ conferenceId }) => conferenceId).toSorted(), ids(talk, other));
    assert.ok(told.every(({ owner }) => owner === 'focus-1'));
    await alive.store.takeConference('talk', talk.conference.conferenceId, 'focus-1', 'focus-2');
    await beatFor([alive, third], ORPHAN_MS);
    assert.equal((await third.store.conference('talk'))!.owner, 'focus-2');
    assert.deepEqual(identities(await third.store.participants(talk.conference.conferenceId)), ['ann']);
    assert.equal(await third.store.conference('other'), undefined);
    assert.equal((await third.store.conference('own'))!.owner, 'focus-2');
    const again = [...alive.orphans, ...third.orphans].map(({ conferenceId }) => conferenceId).toSorted();
    assert.deepEqual(again, [...ids(talk, other), other.conference.conferenceId].toSorted());
    assert.equal(alive.counted.orphaned + third.counted.orphaned, 3);
    assert.equal(alive.counted.swept + third.counted.swept, 1);
  });
});

test('focuses that were all cut off from the store longer than their leases do not take each other for dead', async () => {
  await inWorld(server, async ({ join }) => {
    const focuses = [await join('focus-1'), await join('focus-2'), await join('focus-3')];
    const { conference } = await place(focuses[0]!, 'focus-1', 'ann');
    advance(focuses, LEASE_MS + 1_000);
    await beatFor(focuses.toReversed(), 2 * LEASE_MS);
    assert.deepEqual(
      focuses.flatMap(({ orphans }) => orphans),
      [],
    );
    assert.equal((await focuses[1]!.store.conference('talk'))!.owner, 'focus-1');
    assert.deepEqual(identities(await focuses[1]!.store.participants(conference.conferenceId)), ['ann']);
    // Whoever does not come back is noticed all the same.
    focuses[0]!.close();
    await beatFor(focuses.slice(1), LEASE_MS + 1_000);
    assert.equal(focuses.flatMap(({ orphans }) => orphans).length, 1);
  });
});

test('a focus that keeps its lease loses nothing, however long it lives', async () => {
  await inWorld(server, async ({ join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(one, 'focus-1', 'ann');
    for (let seconds = 0; seconds < 30; seconds++) {
      advance([one, other], 1_000);
      for (const focus of [one, other]) await focus.store.upkeep();
    }
    assert.deepEqual(identities(await other.store.participants(conference.conferenceId)), ['ann']);
    assert.equal(other.counted.swept, 0);
  });
});

test('every key expires within ten seconds unless it is renewed: the last focus to die leaves nothing either', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const { participant } = await place(focus, 'focus-1', 'ann');
    await place(focus, 'focus-1', 'bob', { room: 'other' });
    await focus.store.openConference('empty', 'RM_2', 'focus-1');
    await focus.store.closeConference('empty', (await focus.store.conference('empty'))!.conferenceId);
    await focus.store.release(participant.conferenceId, participant.endpointId, participant.sid);
    await focus.store.upkeep();
    const keys = await keysOf(prefix);
    assert.ok(keys.length >= 9, `${keys}`);
    for (const key of keys) {
      const leftMs = Number(await server.command('PTTL', key));
      assert.ok(leftMs > 0 && leftMs <= 10_000, `${key}: ${leftMs}`);
    }
  });
});

test('upkeep renews the expiry of every conference of the focus and of its snapshot', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const { conference } = await place(focus, 'focus-1', 'ann');
    await focus.store.saveRoom(conference.conferenceId, new Map([['room', Uint8Array.of(1)]]));
    const keys = ['conf', 'snap'].map(kind => `{${prefix}}:${kind}:${conference.conferenceId}`);
    for (const key of keys) await server.command('PEXPIRE', key, 5_000);
    advance([focus], 3_000);
    await focus.store.upkeep();
    for (const key of keys) assert.ok(Number(await server.command('PTTL', key)) > 5_000, key);
  });
});

test('a focus that starts again under its name is told what its dead process had, however much, and can go on with it', async () => {
  await inWorld(server, async ({ join }) => {
    const dead = await join('focus-1', 'first');
    const rooms = CONFERENCES_PER_SCRIPT_MAX + 10;
    for (let index = 0; index < rooms; index++)
      await dead.store.openConference(`room-${index}`, `RM_${index}`, 'focus-1');
    dead.close();
    const again = await join('focus-1', 'second');
    assert.equal(again.orphans.length, rooms);
    const { room, conferenceId, version } = again.orphans[0]!;
    const taken = await again.store.takeConference(room, conferenceId, 'focus-1', 'focus-1');
    assert.equal(taken!.conference.version, version + TAKEOVER_VERSIONS);
    assert.equal(again.counted.usurped, 0);
    await beatFor([again], ORPHAN_MS + 1_000);
    assert.deepEqual(await again.store.conferences(), [taken!.conference]);
  });
});

test('what an earlier process of the same name has left is not taken for its own before it is taken over', async () => {
  await inWorld(server, async ({ join }) => {
    const dead = await join('focus-1', 'first');
    const ann = await place(dead, 'focus-1', 'ann');
    dead.close();
    const again = await join('focus-1', 'second');
    const bob = await place(again, 'focus-1', 'bob');
    await beatFor([again], 3_000);
    const taken = await again.store.takeConference('talk', ann.conference.conferenceId, 'focus-1', 'focus-1');
    assert.deepEqual(taken!.participants, [ann.participant, bob.participant]);
    await beatFor([again], ORPHAN_MS);
    assert.deepEqual(await again.store.participants(ann.conference.conferenceId), taken!.participants);
  });
});

test('a store that was emptied is answered for by the homes of what it has lost', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(one, 'focus-1', 'ann');
    await emptyStore(prefix);
    assert.deepEqual(await one.store.conference('talk'), conference);
    assert.deepEqual(await one.store.conferences(), [conference]);
    assert.deepEqual(await other.store.conferences(), []);
  });
});

test('two focuses under one name notice', async () => {
  await inWorld(server, async ({ join }) => {
    const first = await join('focus-1', 'first');
    await join('focus-1', 'second');
    await first.store.upkeep();
    assert.equal(first.counted.usurped, 1);
  });
});

test('a store that was emptied is whole again after one turn of each focus: same IDs, no endpoint ID or version twice', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(one, 'focus-1', 'ann');
    const bob = await place(other, 'focus-2', 'bob');
    one.store.adopt(bob.conference, bob.participant);
    const empty = await other.store.openConference('empty', 'RM_2', 'focus-2');
    const snapshot = new Map([['room', Uint8Array.of(0, 255)]]);
    await one.store.saveRoom(ann.conference.conferenceId, snapshot);
    await emptyStore(prefix);
    for (const focus of [other, one]) await focus.store.upkeep();
    const { conferenceId } = ann.conference;
    assert.deepEqual(await one.store.participants(conferenceId), [ann.participant, bob.participant]);
    const restored = (await one.store.conference('talk'))!;
    assert.equal(restored.conferenceId, conferenceId);
    assert.equal(restored.roomSid, 'RM_1');
    assert.equal(restored.createdAtMs, ann.conference.createdAtMs);
    assert.ok(restored.version > bob.conference.version);
    assert.equal((await one.store.conference('empty'))!.conferenceId, empty.conferenceId);
    await one.store.putBridge(sampleReport('b1'));
    const cat = await place(one, 'focus-1', 'cat');
    assert.ok(cat.participant.endpointId > bob.participant.endpointId);
    assert.equal(one.counted.restored, 2);
    assert.deepEqual([...(await other.store.loadRoom(conferenceId)).get('room')!], [0, 255]);
  });
});

test('a store that lost one conference only gets that one back', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const ann = await place(focus, 'focus-1', 'ann');
    await place(focus, 'focus-1', 'bob', { room: 'other' });
    await server.command('DEL', `{${prefix}}:conf:${ann.conference.conferenceId}`);
    advance([focus], 3_000);
    await focus.store.upkeep();
    assert.deepEqual(await focus.store.participants(ann.conference.conferenceId), [ann.participant]);
    assert.equal(focus.counted.restored, 1);
  });
});

test("a focus that was taken for dead goes on with what nobody took over, and drops without a word what is another's", async () => {
  await inWorld(server, async ({ join }) => {
    const [away, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(away, 'focus-1', 'ann');
    const alone = await place(away, 'focus-1', 'ann', { room: 'other' });
    advance([away], LEASE_MS + 1_000);
    await beatFor([other], LEASE_MS + 1_000);
    assert.equal(other.orphans.length, 2);
    const { conferenceId } = ann.conference;
    const taken = await other.store.takeConference('talk', conferenceId, 'focus-1', 'focus-2');
    await away.store.upkeep();
    assert.deepEqual(away.lost, [{ ...ann.conference }]);
    assert.deepEqual(await other.store.conference('talk'), taken!.conference);
    assert.deepEqual(await other.store.participants(conferenceId), taken!.participants);
    await beatFor([away, other], ORPHAN_MS + 1_000);
    assert.deepEqual(await other.store.participants(alone.conference.conferenceId), [alone.participant]);
    assert.equal(away.lost.length, 1);
  });
});

test("of two that think a conference theirs in an emptied store it is the one's who took it over last, whoever is first", async () => {
  for (const isFirst of [true, false]) {
    await inWorld(server, async ({ prefix, join }) => {
      const [before, taker] = [await join('focus-1'), await join('focus-2')];
      const { conference } = await place(before, 'focus-1', 'ann');
      await taker.store.takeConference('talk', conference.conferenceId, 'focus-1', 'focus-2');
      await emptyStore(prefix);
      for (const focus of isFirst ? [before, taker, before] : [taker, before]) {
        advance([before, taker], 2_000);
        await focus.store.upkeep();
      }
      assert.equal((await taker.store.conference('talk'))!.owner, 'focus-2');
      assert.deepEqual(taker.lost, []);
      assert.equal(before.lost.length, 1);
      assert.deepEqual(identities(await taker.store.participants(conference.conferenceId)), ['ann']);
    });
  }
});

test('a conference that another focus closed is not put back, and one whose room was opened anew meanwhile is reported', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const closed = await place(one, 'focus-1', 'ann', { room: 'closed' });
    const old = await place(one, 'focus-1', 'bob');
    await other.store.closeConference('closed', closed.conference.conferenceId);
    advance([one], 3_000);
    await one.store.upkeep();
    assert.equal(await one.store.conference('closed'), undefined);
    await emptyStore(prefix);
    await other.store.putBridge(sampleReport('b1'));
    const anew = await place(other, 'focus-2', 'cat');
    await one.store.upkeep();
    assert.notEqual(anew.conference.conferenceId, old.conference.conferenceId);
    assert.deepEqual(identities(await one.store.participants(anew.conference.conferenceId)), ['cat']);
    assert.deepEqual(one.counted.lost, ['closed', 'talk']);
    assert.deepEqual(
      one.lost.map(({ room }) => room),
      ['closed', 'talk'],
    );
  });
});

test('who left while the store was away is not put back', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const { participant } = await place(focus, 'focus-1', 'ann');
    await place(focus, 'focus-1', 'bob');
    await emptyStore(prefix);
    await focus.store.release(participant.conferenceId, participant.endpointId, participant.sid);
    await focus.store.upkeep();
    assert.deepEqual(identities(await focus.store.participants(participant.conferenceId)), ['bob']);
  });
});

test('a store that fell back to an older state, as at a failover, has again who came since and no longer who left', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(one, 'focus-1', 'ann');
    const bob = await place(other, 'focus-2', 'bob');
    one.store.adopt(bob.conference, bob.participant);
    const key = `{${prefix}}:conf:${ann.conference.conferenceId}`;
    const older = (await server.command('HGETALL', key)) as string[];
    const cat = await place(one, 'focus-1', 'cat');
    await one.store.release(ann.participant.conferenceId, ann.participant.endpointId, ann.participant.sid);
    await server.command('DEL', key);
    await server.command('HSET', key, ...older);
    advance([one, other], 3_000);
    for (const focus of [one, other]) await focus.store.upkeep();
    assert.deepEqual(await one.store.participants(ann.conference.conferenceId), [bob.participant, cat.participant]);
    assert.ok((await one.store.conference('talk'))!.version > cat.conference.version);
  });
});

test('a join that is on its way while the store is put right is not taken for a leftover', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const ann = await place(focus, 'focus-1', 'ann');
    await server.command('HSET', `{${prefix}}:conf:${ann.conference.conferenceId}`, 'version', '1');
    advance([focus], 3_000);
    const [bob] = await Promise.all([place(focus, 'focus-1', 'bob'), focus.store.upkeep()]);
    assert.deepEqual(identities(await focus.store.participants(ann.conference.conferenceId)), ['ann', 'bob']);
    assert.equal(bob.conference.conferenceId, ann.conference.conferenceId);
  });
});
