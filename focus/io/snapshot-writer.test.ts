/** Snapshots are written behind what happens: coalesced, tried again, and given up when they are somebody else's to write. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Room } from '../conference/room.ts';
import { createPeerMetrics } from './peer-metrics.ts';
import { SnapshotWriter } from './snapshot-writer.ts';

const room = { identity: { name: 'talk', conferenceId: 1 } } as Room;
const bytes = (value: number) => Uint8Array.of(value);
const turn = () => new Promise(resolve => setImmediate(resolve));

function world(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const saved: [string, number | null][][] = [];
  const answers: (boolean | Error)[] = [];
  const lost: Room[] = [];
  const changed = new Map<string, Uint8Array | null>();
  const tooLong = new Set<string>();
  const writer = new SnapshotWriter({
    store: {
      async saveRoom(_conferenceId, fields) {
        saved.push([...fields].map(([field, value]) => [field, value?.[0] ?? null]));
        const answer = answers.shift() ?? true;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    follow: () => ({
      tooLong,
      changes: () => {
        const now = new Map(changed);
        changed.clear();
        return now;
      },
    }),
    onLost: one => lost.push(one),
    metrics: createPeerMetrics(new Registry()),
    log: pino({ level: 'silent' }),
  });
  const pass = async (ms: number) => {
    t.mock.timers.tick(ms);
    await turn();
  };
  return { writer, tooLong, saved, answers, lost, changed, pass };
}

test('what changes within 100 ms is written once, and what did not change is not', async t => {
  const { writer, saved, changed, pass } = world(t);
  changed.set('room', bytes(1));
  writer.note(room);
  await pass(60);
  changed.set('room', bytes(2)).set('a', bytes(1));
  writer.note(room);
  assert.deepEqual(saved, []);
  await pass(40);
  assert.deepEqual(saved, [
    [
      ['room', 2],
      ['a', 1],
    ],
  ]);
  writer.note(room);
  await pass(100);
  assert.equal(saved.length, 1);
});

test('what the store did not take is tried again, with what changed since', async t => {
  const { writer, saved, answers, changed, pass } = world(t);
  answers.push(new Error('away'), new Error('away'));
  changed.set('a', bytes(1)).set('b', bytes(1));
  writer.note(room);
  await pass(100);
  changed.set('b', null);
  writer.note(room);
  await pass(1_000);
  await pass(1_000);
  await pass(1_000);
  assert.deepEqual(saved.slice(1), [
    [
      ['a', 1],
      ['b', null],
    ],
    [
      ['a', 1],
      ['b', null],
    ],
  ]);
});

test('a room that is not ours to write is lost, once; one that was closed meanwhile is not', async t => {
  const { writer, answers, lost, changed, pass } = world(t);
  answers.push(false, false);
  changed.set('a', bytes(1));
  writer.note(room);
  await pass(100);
  assert.deepEqual(lost, [room]);
  changed.set('a', bytes(2));
  writer.note(room);
  t.mock.timers.tick(100);
  writer.forget(room);
  await turn();
  assert.equal(lost.length, 1);
});

test('a flush does not wait for its time, and rejects when the store does not take it', async t => {
  const { writer, saved, answers, changed } = world(t);
  changed.set('a', bytes(1));
  writer.note(room);
  await writer.flush(room);
  assert.equal(saved.length, 1);
  changed.set('a', bytes(2));
  writer.note(room);
  answers.push(new Error('away'));
  await assert.rejects(writer.flush(room));
});

test('what is too long to be kept is counted as long as its room is here', t => {
  const { writer, tooLong } = world(t);
  writer.note(room);
  assert.equal(writer.tooLong, 0);
  tooLong.add('00000001').add('00000002');
  assert.equal(writer.tooLong, 2);
  writer.forget(room);
  assert.equal(writer.tooLong, 0);
});
