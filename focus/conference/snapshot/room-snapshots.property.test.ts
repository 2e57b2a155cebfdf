import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RoomSnapshots } from './room-snapshots.ts';
import { ALL_ACTIONS, act, assertSame, started, textOf, textOfFields } from './snapshot-world.fixture.ts';

const steps = (maxLength: number) =>
  fc.array(fc.tuple(fc.constantFrom(...Object.keys(ALL_ACTIONS)), fc.nat({ max: 11 }), fc.nat({ max: 11 })), {
    maxLength,
    size: 'max',
  });

test('a restored room goes on as the one that was written: same documents, same messages, same SIDs and SSRCs', () => {
  fc.assert(
    fc.property(steps(60), steps(60), (before, after) => {
      const world = started();
      for (const step of before) act(world, step);
      const fields = new RoomSnapshots(world.room).all();
      const restored = world.restored(fields);
      assert.ok(restored.ok, 'it cannot be read');
      assert.deepEqual(restored.unreadable, []);
      const twin = world.fork(restored.room);
      assertSame(textOfFields(new RoomSnapshots(twin.room).all()), textOfFields(fields), 'restored');
      for (const step of after) {
        const from = world.outputs.length;
        act(world, step);
        act(twin, step);
        assertSame(textOf(twin.outputs.slice(from)), textOf(world.outputs.slice(from)), `after ${step[0]}`);
      }
      const end = new RoomSnapshots(world.room).all();
      assertSame(textOfFields(new RoomSnapshots(twin.room).all()), textOfFields(end), 'in the end');
    }),
    { numRuns: 100 },
  );
});

test('changes applied in order are the whole, and nothing is changed twice', () => {
  fc.assert(
    fc.property(steps(80), steps => {
      const world = started();
      const snapshots = new RoomSnapshots(world.room);
      const stored = new Map<string, Uint8Array>();
      for (const step of steps) {
        act(world, step);
        for (const [name, bytes] of snapshots.changes()) {
          if (bytes === null) stored.delete(name);
          else stored.set(name, bytes);
        }
        assertSame(textOfFields(stored), textOfFields(new RoomSnapshots(world.room).all()), `after ${step[0]}`);
        assert.equal(snapshots.changes().size, 0);
      }
    }),
    { numRuns: 60 },
  );
});
