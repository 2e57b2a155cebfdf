/** Joins right after the store was emptied, before bridges have reported to it again. On a real Redis. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BridgeId } from '../../../protocol/ids.ts';
import { sampleReport } from '../store.fixture.ts';
import { BRIDGE_EXPIRY_MS } from '../store.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { inWorld, place } from './redis-world.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

async function emptyStore(prefix: string): Promise<void> {
  for (const key of (await server.command('KEYS', `{${prefix}}*`)) as string[]) await server.command('DEL', key);
}

test('between the loss and the next reports a focus that is not home places, and so does the home', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [home, entry] = [await join('focus-1'), await join('focus-2')];
    await place(home, 'focus-1', 'ann');
    await emptyStore(prefix);
    const bob = await place(entry, 'focus-2', 'bob', { room: 'other' });
    assert.equal(bob.participant.bridgeId, 'b1');
    // Together: others may have put the bridge back, and assigned to it, just before.
    const many = await Promise.all(
      ['c1', 'c2', 'c3', 'c4'].map((name, index) =>
        place(index % 2 ? home : entry, `focus-${1 + (index % 2)}`, name, { room: name }, 1),
      ),
    );
    assert.equal(many.length, 4);
    assert.deepEqual(home.counted.local, [], 'not by the home on its own');
    const b1 = (await home.store.bridges()).find(({ bridgeId }) => bridgeId === 'b1')!;
    assert.ok(b1.placedSinceReport >= 2, `what was assigned before the loss counts: ${b1.placedSinceReport}`);
  });
});

test('a bridge is put back with the age of its report, and expires as it would have', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const focus = await join('focus-1');
    await place(focus, 'focus-1', 'ann');
    focus.advanceMs(BRIDGE_EXPIRY_MS - 1_000);
    await emptyStore(prefix);
    await place(focus, 'focus-1', 'bob', { room: 'other' });
    assert.deepEqual(
      (await focus.store.bridges()).map(({ bridgeId }) => bridgeId),
      ['b1', 'b2'],
    );
    focus.advanceMs(1_000);
    await assert.rejects(place(focus, 'focus-1', 'cat', { room: 'third' }), /no-bridge/);
  });
});

test('a bridge that was removed from the emptied store is not put back by who does not know it yet', async () => {
  await inWorld(server, async ({ prefix, join }) => {
    const [first, second] = [await join('focus-1'), await join('focus-2')];
    await emptyStore(prefix);
    await first.store.putBridge(sampleReport('b1'));
    await first.store.removeBridge('b1' as BridgeId, sampleReport('b1').bootId);
    const placed = await place(second, 'focus-2', 'ann');
    assert.equal(placed.participant.bridgeId, 'b2');
    assert.deepEqual(
      (await second.store.bridges()).map(({ bridgeId }) => bridgeId),
      ['b2'],
    );
  });
});
