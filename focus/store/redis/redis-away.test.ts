/** A home goes on while its store is away or slow. On a real Redis, with requests and answers lost on purpose. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BridgeId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import { request, sampleReport, toBridge } from '../store.fixture.ts';
import { BRIDGE_EXPIRY_MS } from '../store.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { beatFor, identities, inWorld, place } from './redis-world.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

const isUnavailable = (error: unknown) => error instanceof FocusError && error.code === 'store-unavailable';

test('joins, moves and leaves at home go on without the store, and it has them when it is back', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(home, 'focus-1', 'ann');
    home.fail('requests');
    const bob = await place(home, 'focus-1', 'bob');
    const cat = await place(home, 'focus-1', 'cat');
    const moved = await home.store.move(ann.participant, toBridge('b2'));
    assert.ok(moved.kind === 'moved');
    const left = await home.store.release(
      bob.participant.conferenceId,
      bob.participant.endpointId,
      bob.participant.sid,
    );
    const versions = [ann, bob, cat, moved].map(({ conference }) => conference.version).concat(left!.version);
    assert.deepEqual(
      versions,
      [...new Set(versions)].toSorted((a, b) => a - b),
    );
    home.fail(undefined);
    await beatFor([home, other], 1_000);
    const there = await other.store.participants(ann.conference.conferenceId);
    assert.deepEqual(there, [moved.participant, cat.participant]);
    assert.ok((await other.store.conference('talk'))!.version > versions.at(-1)!);
    assert.deepEqual(home.counted.local, ['join away', 'join away', 'move away', 'release away']);
    assert.deepEqual(home.counted.lost, []);
  });
});

test('an endpoint ID that was given out without the store is given out by nobody else, nor one of the store by the home', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    await place(home, 'focus-1', 'ann');
    const endpoints: number[] = [];
    for (let round = 0; round < 3; round++) {
      home.fail('requests');
      for (const name of ['bob', 'cat']) {
        endpoints.push((await place(home, 'focus-1', `${name}${round}`)).participant.endpointId);
        const foreign = await place(entry, 'focus-2', `${name}${round} elsewhere`);
        endpoints.push(foreign.participant.endpointId);
        home.store.adopt(foreign.conference, foreign.participant);
      }
      home.fail(undefined);
      await beatFor([home, entry], 2_000);
      endpoints.push((await place(entry, 'focus-2', `dan${round}`)).participant.endpointId);
    }
    assert.equal(new Set(endpoints).size, 15);
  });
});

test("a room that is another focus's, or that nobody has opened, is not served without the store", async () => {
  await inWorld(server, async ({ join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    await place(home, 'focus-1', 'ann');
    await place(entry, 'focus-2', 'bob');
    entry.fail('requests');
    await assert.rejects(place(entry, 'focus-2', 'cat'), isUnavailable);
    await assert.rejects(place(entry, 'focus-2', 'cat', { room: 'new' }), isUnavailable);
    assert.deepEqual(entry.counted.local, []);
  });
});

test('caps of bridges and of the room hold without the store', async () => {
  await inWorld(server, async ({ join }) => {
    const home = await join('focus-1');
    await place(home, 'focus-1', 'p0', {}, 2);
    home.fail('requests');
    const bridges = [];
    for (const name of ['p1', 'p2', 'p3'])
      bridges.push((await place(home, 'focus-1', name, {}, 2)).participant.bridgeId);
    assert.deepEqual(bridges, ['b1', 'b2', 'b2']);
    await assert.rejects(place(home, 'focus-1', 'p4', {}, 2), /no-bridge/);
    await assert.rejects(place(home, 'focus-1', 'p4', { participantsMax: 4 }), /room-full/);
    const again = await place(home, 'focus-1', 'p0', { sid: 'PA_again', participantsMax: 4 }, 2);
    assert.equal(again.replaced!.sid, 'PA_p0');
    assert.equal(again.participant.bridgeId, 'b1');
  });
});

test('without the store a place is taken on bridges as they reported to this focus, and on none that is silent', async () => {
  await inWorld(server, async ({ join }) => {
    const home = await join('focus-1');
    await place(home, 'focus-1', 'ann');
    home.fail('requests');
    home.advanceMs(BRIDGE_EXPIRY_MS - 1_000);
    await assert.rejects(home.store.putBridge(sampleReport('b2', { state: 'draining' })), isUnavailable);
    home.advanceMs(1_000);
    let seen: (readonly [string, string, number])[] = [];
    const look = () =>
      home.store.assign(request('bob'), ({ bridges }) => {
        seen = bridges.map(({ bridgeId, report, placedSinceReport }) => [bridgeId, report.state, placedSinceReport]);
        return { bridgeId: 'b2' as BridgeId };
      });
    await look();
    assert.deepEqual(seen, [['b2', 'draining', 0]]);
    await look();
    assert.deepEqual(seen, [['b2', 'draining', 1]]);
  });
});

test('a join whose answer is lost has one place in the end, under the ID that its client was told', async () => {
  await inWorld(server, async ({ join }) => {
    const [home, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(home, 'focus-1', 'ann');
    home.fail('answers');
    const bob = await place(home, 'focus-1', 'bob');
    const cat = await place(home, 'focus-1', 'cat');
    await home.store.release(cat.participant.conferenceId, cat.participant.endpointId, cat.participant.sid);
    home.fail(undefined);
    await beatFor([home, other], 8_000);
    assert.deepEqual(await other.store.participants(ann.conference.conferenceId), [ann.participant, bob.participant]);
  });
});

test('a join at home waits for a slow store no longer than its patience, and the late answer leaks no place', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, other] = [await join('focus-1'), await join('focus-2')];
    const ann = await place(home, 'focus-1', 'ann');
    server.freeze();
    const joins = [place(home, 'focus-1', 'bob'), place(home, 'focus-1', 'cat')];
    const move = home.store.move(ann.participant, toBridge('b2'));
    home.runOutOfPatience();
    const [bob, cat] = await Promise.all(joins);
    const moved = await move;
    assert.ok(moved.kind === 'moved');
    server.thaw();
    const { conferenceId, endpointId, sid } = bob!.participant;
    await home.store.release(conferenceId, endpointId, sid);
    await beatFor([home, other], 8_000);
    assert.deepEqual(await other.store.participants(conferenceId), [moved.participant, cat!.participant]);
    assert.deepEqual(home.counted.local, ['join slow', 'join slow', 'move slow']);
    const counts = await server.command('HGET', `{${prefix}}:conf:${conferenceId}`, 'counts');
    assert.deepEqual(JSON.parse(String(counts)), { b1: 1, b2: 1 });
  });
});

test("a home that is in no hurry takes the store's answer, not its own", async () => {
  await inWorld(server, async ({ join }) => {
    const home = await join('focus-1');
    await place(home, 'focus-1', 'ann');
    const bob = await place(home, 'focus-1', 'bob');
    home.runOutOfPatience();
    assert.equal(bob.participant.endpointId, 2);
    assert.deepEqual(identities(await home.store.participants(bob.conference.conferenceId)), ['ann', 'bob']);
    assert.deepEqual(home.counted.local, []);
  });
});
