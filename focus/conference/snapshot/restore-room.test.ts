import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, SessionDescription, TrackType } from '@livekit/protocol';
import fc from 'fast-check';
import { formatId } from '../../../protocol/ids.ts';
import { handleOffer } from '../negotiating.ts';
import { offerSdp } from '../offer.fixture.ts';
import { addTrack } from '../publishing.ts';
import { SETTINGS, seededRandom } from '../room.fixture.ts';
import { FIELD_BYTES_MAX, FORMAT } from './field.ts';
import { type Restored, restoreRoom } from './restore-room.ts';
import { ROOM_FIELD, RoomSnapshots } from './room-snapshots.ts';
import { ALL_ACTIONS, type AnyStep, act, SnapshotWorld, started } from './snapshot-world.fixture.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const ANNA = formatId(1 as never);
const BEN = formatId(2 as never);

/** Anna publishes a microphone; Ben, with two connections, receives it. */
function meeting() {
  const world = new SnapshotWorld();
  const anna = world.join('anna');
  world.join('ben', { hasTwoConnections: true });
  addTrack(world.room, anna, new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }));
  const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
  handleOffer(world.room, anna, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  return { world, fields: new Map(new RoomSnapshots(world.room).all()) };
}

function restore(world: SnapshotWorld, fields: ReadonlyMap<string, Uint8Array>): Restored {
  return restoreRoom(fields, world.room.identity, SETTINGS, seededRandom(42), world.nowMs);
}

function json(bytes: Uint8Array | undefined): { [name: string]: Json } {
  return JSON.parse(Buffer.from(bytes ?? []).toString('utf8', 1));
}

function field(value: Json, format = FORMAT): Uint8Array {
  return Buffer.from(`${String.fromCharCode(format)}${JSON.stringify(value)}`);
}

test('without the room, or with that of another conference, nothing is restored', () => {
  const { world, fields } = meeting();
  assert.deepEqual(restore(world, new Map()), { ok: false, reason: 'the room is not in it' });
  const another = field({ ...json(fields.get(ROOM_FIELD)), conferenceId: 8 });
  const restored = restore(world, new Map([...fields, [ROOM_FIELD, another]]));
  assert.deepEqual(restored, {
    ok: false,
    reason: "the room's field cannot be read: it is of another conference",
  });
});

test('a field of another format is named, and nothing of its participant is left with the others', () => {
  const { world, fields } = meeting();
  fields.set(ANNA, field(json(fields.get(ANNA)), FORMAT + 1));
  const restored = restore(world, fields);
  assert.ok(restored.ok);
  assert.deepEqual(restored.unreadable, [ANNA]);
  const [ben, ...others] = restored.room.participants.values();
  assert.equal(ben.identity, 'ben');
  assert.equal(others.length, 0);
  assert.equal(ben.subscriptions.active.size, 0);
  assert.ok(restored.room.changed.has(ben), 'its bridge is not told that the track is gone');
  assert.equal(restored.room.publishers.size, 0);
});

test('what a newer version adds is passed over', () => {
  const { world, fields } = meeting();
  const added = new Map([...fields].map(([name, bytes]) => [name, field({ ...json(bytes), later: [1] })]));
  added.set('later', field({}));
  const restored = restore(world, added);
  assert.ok(restored.ok);
  assert.deepEqual(restored.unreadable, []);
  assert.deepEqual([...new RoomSnapshots(restored.room).all().keys()], [ROOM_FIELD, ANNA, BEN]);
});

test('what only one can have, only the first has', () => {
  const { world, fields } = meeting();
  const anna = json(fields.get(ANNA));
  const copies: Json[] = [
    { ...anna, endpointId: 3 },
    { ...anna, endpointId: 3, identity: 'carl' },
    { ...anna, endpointId: 3, identity: 'carl', sid: 'PA_carl' },
  ];
  for (const copy of copies) {
    const restored = restore(world, new Map([['00000003', field(copy)], ...fields]));
    assert.ok(restored.ok);
    assert.deepEqual(restored.unreadable, ['00000003']);
  }
  const misplaced = restore(world, new Map([...fields, ['00000003', fields.get(ANNA) ?? Buffer.alloc(0)]]));
  assert.deepEqual(misplaced.ok && misplaced.unreadable, ['00000003']);
});

test('parts of a participant that contradict each other are refused', () => {
  const { world, fields } = meeting();
  const anna = json(fields.get(ANNA)) as never as {
    offer: { sections: { mid: string; codecs: number }[]; lines: Json[] };
    publications: { tracks: { info: string; section: Json }[] };
    subscriptions: Json;
  };
  const wrong: Json[] = [
    { ...anna, offer: { ...anna.offer, lines: [] } },
    { ...anna, offer: { ...anna.offer, sections: anna.offer.sections.map(each => ({ ...each, mid: '0' })) } },
    { ...anna, offer: { ...anna.offer, sections: anna.offer.sections.map(each => ({ ...each, codecs: 99 })) } },
    {
      ...anna,
      publications: { ...anna.publications, tracks: [...anna.publications.tracks, ...anna.publications.tracks] },
    },
    { ...anna, publications: { tracks: [{ ...anna.publications.tracks[0], section: null }], nextSourceId: 0 } },
    { ...anna, publications: { tracks: [{ ...anna.publications.tracks[0], info: '////' }], nextSourceId: 0 } },
    { ...anna, subscriptions: { ...(anna.subscriptions as object), active: [['TR_1', 5, 5]] } },
    { ...anna, client: '////' },
    { ...anna, missedLeaves: [['PA_1', '////']] },
  ];
  for (const value of wrong) {
    const restored = restore(world, new Map([...fields, [ANNA, field(value)]]));
    assert.deepEqual(restored.ok && restored.unreadable, [ANNA], JSON.stringify(value).slice(0, 200));
  }
});

test('times of a focus whose clock is ahead are not in the future', () => {
  const { world, fields } = meeting();
  const early = { ...json(fields.get(ANNA)), mediaGoneAtMs: 9e12, signalLostAtMs: 9e12 };
  const restored = restore(world, new Map([...fields, [ANNA, field(early)]]));
  assert.ok(restored.ok);
  const anna = restored.room.participants.get('anna');
  assert.equal(anna?.mediaGoneAtMs, world.nowMs);
  assert.equal(anna?.signalLostAtMs, world.nowMs);
});

test('a field that would be too long is not kept, and says so until it is shorter', () => {
  const { world } = meeting();
  const snapshots = new RoomSnapshots(world.room);
  snapshots.changes();
  const anna = world.room.participants.get('anna');
  assert.ok(anna !== undefined);
  anna.metadata = 'x'.repeat(FIELD_BYTES_MAX);
  assert.deepEqual([...snapshots.changes()], [[ANNA, null]]);
  assert.deepEqual([...snapshots.tooLong], [ANNA]);
  assert.deepEqual([...snapshots.all().keys()], [ROOM_FIELD, BEN]);
  anna.metadata = '';
  assert.equal(snapshots.changes().get(ANNA)?.[0], FORMAT);
  assert.equal(snapshots.tooLong.size, 0);
});

test('bytes of any kind are refused, not thrown', () => {
  const { world, fields } = meeting();
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.jsonValue().map(value => field(value as Json)),
    // A field with some bytes of it changed.
    fc
      .tuple(fc.constantFrom(...fields.values()), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }))
      .map(([bytes, changes]) => {
        const copy = Uint8Array.from(bytes);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      }),
  );
  fc.assert(
    fc.property(anything, anything, (own, ben) => {
      assert.ok(typeof restore(world, new Map([[ROOM_FIELD, own]])).ok === 'boolean');
      const restored = restore(world, new Map([...fields, [BEN, ben]]));
      assert.ok(restored.ok);
      assert.ok(restored.room.participants.has('ben') !== restored.unreadable.includes(BEN));
    }),
  );
});

test('what was read from fields with a value changed anywhere works on, whatever happens next', () => {
  const step = fc.tuple(fc.constantFrom(...Object.keys(ALL_ACTIONS)), fc.nat({ max: 11 }), fc.nat({ max: 11 }));
  const steps = fc.array(step, { maxLength: 20, size: 'max' });
  let read = 0;
  fc.assert(
    fc.property(steps, fc.nat(), fc.nat(), fc.nat(), steps, (before, who, at, how, after) => {
      const world = started();
      for (const step of before) act(world, step as AnyStep);
      const fields = new Map(new RoomSnapshots(world.room).all());
      const names = [...fields.keys()];
      const name = names[who % names.length];
      fields.set(name, field(changed(json(fields.get(name)), at, how)));
      const restored = world.restored(fields);
      if (!restored.ok) return;
      if (restored.unreadable.length === 0) read++;
      const twin = world.fork(restored.room);
      for (const step of after) act(twin, step as AnyStep);
    }),
    { numRuns: 150 },
  );
  assert.ok(read > 30, `only ${read} of them were read`);
});

/** `json` with one of its values, counted through, another one of its type. */
function changed(json: Json, at: number, how: number): Json {
  const paths: (readonly (string | number)[])[] = [];
  collect(json, [], paths);
  return replaced(json, paths[at % paths.length], how);
}

function collect(json: Json, path: readonly (string | number)[], paths: (readonly (string | number)[])[]): void {
  if (path.length > 0) paths.push(path);
  if (typeof json !== 'object' || json === null) return;
  for (const [name, value] of Object.entries(json)) collect(value, [...path, name], paths);
}

function replaced(json: Json, [name, ...rest]: readonly (string | number)[], how: number): Json {
  if (name === undefined) return another(json, how);
  const copy = structuredClone(json) as { [name: string]: Json };
  copy[name] = replaced(copy[name], rest, how);
  return copy;
}

function another(value: Json, how: number): Json {
  const pick = (values: readonly Json[]) => values[how % values.length];
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return pick([0, 1, value + 1, value - 1, 0x7fffffff, 0xffffffff, 2 ** 53, -1, 0.5]);
  if (typeof value === 'string')
    return pick(['', '0', '1', '7', 'eu-1', 'video', 'recvonly', `${value}x`, 'p0', 'TR_x']);
  if (Array.isArray(value)) return pick([[], value.slice(1), [...value, ...value], value.toReversed()]);
  if (value === null) return pick([0, '', 'x', [], {}]);
  const [first, ...others] = Object.entries(value);
  return pick([null, {}, Object.fromEntries(others), Object.fromEntries(first === undefined ? [] : [first])]);
}
