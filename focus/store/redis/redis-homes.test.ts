/** What a home and the focuses that its participants come through know of each other. On a real Redis. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sampleFocus } from '../store.fixture.ts';
import { ADOPTION_MS } from '../store.ts';
import { LEASE_MS } from './prelude-script.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { advance, beatFor, identities, inWorld, place } from './redis-world.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

test('each focus knows the others from its own beats, and asks nobody; one that died is gone with its lease', async () => {
  await inWorld(server, async ({ join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    await one.store.putFocus(sampleFocus('focus-1'));
    await other.store.putFocus(sampleFocus('focus-2', { region: 'us' }));
    await one.turn();
    const sentBefore = one.sent.length;
    assert.deepEqual(await one.store.focuses(), [sampleFocus('focus-1'), sampleFocus('focus-2', { region: 'us' })]);
    assert.equal(one.sent.length, sentBefore);
    await other.store.putFocus(sampleFocus('focus-2', { state: 'draining' }));
    await beatFor([one, other], 2 * LEASE_MS);
    assert.equal((await one.store.focuses())[1]!.state, 'draining');
    other.close();
    await beatFor([one], LEASE_MS + 1_000);
    assert.deepEqual(await one.store.focuses(), [sampleFocus('focus-1')]);
  });
});

test('focuses that were known are known while the store is away, and known again to one that was emptied', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    await focus.store.putFocus(sampleFocus('focus-1'));
    advance([focus], 60_000);
    focus.fail('requests');
    assert.deepEqual(await focus.store.focuses(), [sampleFocus('focus-1')]);
    focus.fail(undefined);
    for (const key of (await server.command('KEYS', `{${prefix}}*`)) as string[]) await server.command('DEL', key);
    await focus.turn();
    const late = await join('focus-2');
    assert.deepEqual(await late.store.focuses(), [sampleFocus('focus-1')]);
  });
});

test('whom another focus assigned for a home, and handed over, stays; who was never handed over is released after ten seconds', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'ann');
    const early = await place(entry, 'focus-2', 'early');
    home.store.adopt(early.conference, early.participant);
    const late = await place(entry, 'focus-2', 'late');
    await place(entry, 'focus-2', 'never');
    await beatFor([home, entry], 3_000);
    home.store.adopt(late.conference, late.participant);
    await beatFor([home, entry], ADOPTION_MS - 4_000);
    const { conferenceId } = conference;
    assert.deepEqual(identities(await home.store.participants(conferenceId)), ['ann', 'early', 'late', 'never']);
    await beatFor([home, entry], 5_000);
    assert.deepEqual(identities(await home.store.participants(conferenceId)), ['ann', 'early', 'late']);
    await beatFor([home, entry], 3 * ADOPTION_MS);
    assert.deepEqual(identities(await home.store.participants(conferenceId)), ['ann', 'early', 'late']);
    assert.equal(home.counted.abandoned, 1);
  });
});

test('an identity that joined again through a focus that died before it handed over is again whom its home has', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(home, 'focus-1', 'ann');
    const again = await place(entry, 'focus-2', 'ann', { sid: 'PA_again' });
    assert.deepEqual(again.replaced, ann.participant);
    entry.close();
    await beatFor([home], ADOPTION_MS + 3_000);
    assert.deepEqual(await home.store.participants(ann.conference.conferenceId), [ann.participant]);
    assert.deepEqual(home.orphans, []);
  });
});

test('of two who join at once as one identity the one placed later stays, in whichever order its home hears of them', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'host');
    const { conferenceId } = conference;

    const letAnswer = home.delayAnswers();
    const ownEarly = place(home, 'focus-1', 'ann', { sid: 'PA_own_early' });
    while (Number(await server.command('HGET', `{${prefix}}:conf:${conferenceId}`, 'size')) < 2);
    const foreignLate = await place(entry, 'focus-2', 'ann', { sid: 'PA_foreign_late' });
    assert.equal(foreignLate.replaced!.sid, 'PA_own_early');
    assert.ok(home.store.adopt(foreignLate.conference, foreignLate.participant));
    letAnswer();
    const { participant: early } = await ownEarly;
    assert.ok(!home.store.adopt(conference, early));

    const foreignEarly = await place(entry, 'focus-2', 'bob', { sid: 'PA_foreign_early' });
    const ownLate = await place(home, 'focus-1', 'bob', { sid: 'PA_own_late' });
    assert.ok(!home.store.adopt(foreignEarly.conference, foreignEarly.participant));

    await server.command('DEL', `{${prefix}}:conf:${conferenceId}`);
    await beatFor([home, entry], ADOPTION_MS + 3_000);
    const there = await entry.store.participants(conferenceId);
    assert.deepEqual(there.slice(1), [foreignLate.participant, ownLate.participant]);
    assert.equal(home.counted.abandoned, 0);
  });
});

test('who is handed over after a newer self has come and left is in the store again', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'host');
    const early = await place(entry, 'focus-2', 'ann', { sid: 'PA_early' });
    const { participant: late } = await place(home, 'focus-1', 'ann', { sid: 'PA_late' });
    assert.ok(await home.store.release(late.conferenceId, late.endpointId, late.sid));
    assert.ok(home.store.adopt(early.conference, early.participant));
    await beatFor([home, entry], 2_000);
    const there = await entry.store.participants(conference.conferenceId);
    assert.deepEqual(there.slice(1), [early.participant]);
  });
});

test('whom a home has placed without the store gives way to a self that is handed over before the store knows, and not after', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'host');
    home.fail('requests');
    await place(home, 'focus-1', 'ann', { sid: 'PA_ann_away' });
    const bobAway = await place(home, 'focus-1', 'bob', { sid: 'PA_bob_away' });
    const ann = await place(entry, 'focus-2', 'ann', { sid: 'PA_ann_again' });
    const bob = await place(entry, 'focus-2', 'bob', { sid: 'PA_bob_again' });
    assert.ok(home.store.adopt(ann.conference, ann.participant));
    home.fail(undefined);
    await beatFor([home, entry], 2_000);
    assert.ok(!home.store.adopt(bob.conference, bob.participant));
    await beatFor([home, entry], ADOPTION_MS + 3_000);
    const there = await entry.store.participants(conference.conferenceId);
    assert.deepEqual(there.slice(1), [ann.participant, bobAway.participant]);
    assert.equal(home.counted.abandoned, 0);
  });
});

test('who follows through another focus, and is handed over before the home has the answer to the join that opened the room, stays', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const letAnswer = home.delayAnswers();
    const opening = place(home, 'focus-1', 'ann');
    while ((await server.command('EXISTS', `{${prefix}}:rooms`)) === 0);
    const bob = await place(entry, 'focus-2', 'bob');
    assert.equal(bob.conference.owner, 'focus-1');
    assert.ok(home.store.adopt(bob.conference, bob.participant));
    letAnswer();
    const { conferenceId } = (await opening).conference;
    await beatFor([home, entry], ADOPTION_MS + 3_000);
    assert.deepEqual(identities(await entry.store.participants(conferenceId)), ['ann', 'bob']);
    await server.command('DEL', `{${prefix}}:conf:${conferenceId}`);
    await beatFor([home, entry], 3_000);
    assert.deepEqual(identities(await entry.store.participants(conferenceId)), ['ann', 'bob']);
    assert.deepEqual(home.lost, []);
  });
});

test('an identity that joined again through another focus and was handed over is not brought back as it was', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'ann');
    const again = await place(entry, 'focus-2', 'ann', { sid: 'PA_again' });
    home.store.adopt(again.conference, again.participant);
    await server.command('DEL', `{${prefix}}:conf:${conference.conferenceId}`);
    await beatFor([home, entry], ADOPTION_MS + 3_000);
    assert.deepEqual(await home.store.participants(conference.conferenceId), [again.participant]);
    assert.equal(home.counted.abandoned, 0);
  });
});

test('whom another focus assigned while the store was put right is not taken for a leftover, and goes when nobody hands it over', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(home, 'focus-1', 'ann');
    const { conferenceId } = conference;
    await place(entry, 'focus-2', 'bob');
    await server.command('DEL', `{${prefix}}:news:focus-1`);
    await server.command('HSET', `{${prefix}}:conf:${conferenceId}`, 'version', '1');
    await beatFor([home, entry], 3_000);
    assert.deepEqual(identities(await home.store.participants(conferenceId)), ['ann', 'bob']);
    await beatFor([home, entry], ADOPTION_MS);
    assert.deepEqual(identities(await home.store.participants(conferenceId)), ['ann']);
  });
});

test('who was handed over and whom the store has lost since is put back', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    await place(home, 'focus-1', 'ann');
    const bob = await place(entry, 'focus-2', 'bob');
    for (const key of (await server.command('KEYS', `{${prefix}}*`)) as string[]) await server.command('DEL', key);
    await home.turn();
    home.store.adopt(bob.conference, bob.participant);
    await beatFor([home, entry], ADOPTION_MS + 1_000);
    assert.deepEqual(identities(await home.store.participants(bob.conference.conferenceId)), ['ann', 'bob']);
  });
});

test('a conference that was given away is not renewed, not put back, and not reported as lost', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(one, 'focus-1', 'ann');
    await one.store.takeConference('talk', conference.conferenceId, 'focus-1', 'focus-2');
    for (const key of (await server.command('KEYS', `{${prefix}}*`)) as string[]) await server.command('DEL', key);
    await beatFor([one, other], 3_000);
    assert.equal(await other.store.conference('talk'), undefined);
    assert.deepEqual(one.lost, []);
  });
});

test('a home that was taken over from learns it at the latest when it writes a snapshot', async () => {
  await inWorld(server, async ({ join }) => {
    const [one, other] = [await join('focus-1'), await join('focus-2')];
    const { conference } = await place(one, 'focus-1', 'ann');
    await other.store.takeConference('talk', conference.conferenceId, 'focus-1', 'focus-2');
    const fields = new Map([['room', Uint8Array.of(1)]]);
    assert.equal(await one.store.saveRoom(conference.conferenceId, fields), false);
    assert.deepEqual(one.lost, [conference]);
    assert.equal(await other.store.saveRoom(conference.conferenceId, fields), true);
  });
});

test('a snapshot written to a store that has lost the conference is there, whole, after the next turn', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    const { conferenceId } = (await place(focus, 'focus-1', 'ann')).conference;
    await focus.store.saveRoom(conferenceId, new Map([['room', Uint8Array.of(1)]]));
    for (const key of (await server.command('KEYS', `{${prefix}}*`)) as string[]) await server.command('DEL', key);
    assert.equal(await focus.store.saveRoom(conferenceId, new Map([['p:ann', Uint8Array.of(2)]])), true);
    await focus.turn();
    assert.deepEqual([...(await focus.store.loadRoom(conferenceId)).keys()].toSorted(), ['p:ann', 'room']);
  });
});
