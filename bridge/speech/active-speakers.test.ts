import assert from 'node:assert/strict';
import test from 'node:test';
import type { EndpointId } from '../../protocol/ids.ts';
import { type ActiveSpeaker, ActiveSpeakers, TRACKS_MAX } from './active-speakers.ts';

const ALICE = 0xfffffff1 as EndpointId;
const BOB = 0xfffffff2 as EndpointId;

interface Voice {
  readonly endpointId: EndpointId;
  readonly sourceId?: number;
  /** RFC 6464 level at a moment; undefined: no packet. */
  readonly level: (nowMs: number) => number | undefined;
}

/** Runs packets of 20 ms and a poll every 10 ms; returns the lists that came. */
function run(
  speakers: ActiveSpeakers,
  fromMs: number,
  forMs: number,
  voices: readonly Voice[],
  dominant?: EndpointId,
): { atMs: number; list: readonly ActiveSpeaker[] }[] {
  const lists: { atMs: number; list: readonly ActiveSpeaker[] }[] = [];
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 10) {
    if (nowMs % 20 === 0) {
      for (const { endpointId, sourceId = 0, level } of voices) {
        const value = level(nowMs);
        if (value !== undefined) speakers.handleLevel(nowMs, endpointId, sourceId, value, (nowMs * 48) >>> 0);
      }
    }
    const list = speakers.poll(nowMs, dominant);
    if (list !== undefined) lists.push({ atMs: nowMs, list });
  }
  return lists;
}

test('a voice becomes active, with its level in eighths, and falls out when it ends', () => {
  const speakers = new ActiveSpeakers();
  const begun = run(speakers, 0, 3000, [{ endpointId: ALICE, level: () => 10 }]);
  assert.ok(begun.length >= 1 && begun[0].atMs <= 900);
  // -10 dBov is an amplitude of 0.316: three eighths.
  assert.deepEqual(speakers.current, [{ endpointId: ALICE, level: 0.375, active: true }]);
  const ended = run(speakers, 3000, 2000, [{ endpointId: ALICE, level: () => 127 }]);
  assert.deepEqual(ended.map(({ list }) => list).at(-1), []);
  assert.ok(ended[0].atMs <= 4000);
});

test('an unchanged list is not told again, and lists are 300 ms apart at least', () => {
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 5000, [{ endpointId: ALICE, level: () => 20 }]);
  assert.deepEqual(run(speakers, 5000, 10_000, [{ endpointId: ALICE, level: () => 20 }]), []);
  const lively = run(speakers, 15_000, 30_000, [
    { endpointId: ALICE, level: nowMs => (Math.floor(nowMs / 700) % 2 === 0 ? 3 : 127) },
  ]);
  assert.ok(lively.length > 10);
  lively.slice(1).forEach(({ atMs }, index) => {
    assert.ok(atMs - lively[index].atMs >= 300);
  });
});

test('the loudest is first, but the dominant speaker before all', () => {
  const voices: Voice[] = [
    { endpointId: ALICE, level: () => 30 },
    { endpointId: BOB, level: () => 5 },
  ];
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 3000, voices);
  assert.deepEqual(
    speakers.current.map(({ endpointId }) => endpointId),
    [BOB, ALICE],
  );
  const told = run(speakers, 3000, 1000, voices, ALICE);
  assert.equal(told.length, 1);
  assert.deepEqual(
    speakers.current.map(({ endpointId }) => endpointId),
    [ALICE, BOB],
  );
});

test('a dominant speaker who is silent is not in the list', () => {
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 3000, [{ endpointId: BOB, level: () => 5 }], ALICE);
  assert.deepEqual(
    speakers.current.map(({ endpointId }) => endpointId),
    [BOB],
  );
});

test('sound for less than two fifths of a window, or below -35 dBov, is nobody speaking', () => {
  const speakers = new ActiveSpeakers();
  const lists = run(speakers, 0, 10_000, [
    { endpointId: ALICE, level: nowMs => (nowMs % 400 < 140 ? 5 : 127) },
    { endpointId: BOB, level: () => 36 },
  ]);
  assert.deepEqual(lists, []);
  run(speakers, 10_000, 3000, [
    { endpointId: ALICE, level: nowMs => (nowMs % 400 < 200 ? 5 : 127) },
    { endpointId: BOB, level: () => 34 },
  ]);
  assert.equal(speakers.current.length, 2);
});

test('heard for half of the time is half as loud', () => {
  const level = (share: number) => {
    const speakers = new ActiveSpeakers();
    run(speakers, 0, 8000, [{ endpointId: ALICE, level: nowMs => (nowMs % 400 < 400 * share ? 0 : 127) }]);
    return speakers.current[0].level;
  };
  assert.equal(level(1), 1);
  assert.ok(level(0.5) >= 0.5 && level(0.5) <= 0.625);
});

test('a sudden loudness comes in steps', () => {
  const speakers = new ActiveSpeakers();
  const lists = run(speakers, 0, 5000, [{ endpointId: ALICE, level: () => 0 }]);
  assert.deepEqual(
    lists.map(({ list }) => list[0].level),
    [0.75, 1],
  );
});

test('one whose packets stop falls silent', () => {
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 3000, [{ endpointId: ALICE, level: () => 5 }]);
  assert.equal(speakers.current.length, 1);
  const told = run(speakers, 3000, 1500, [{ endpointId: ALICE, level: () => undefined }]);
  assert.deepEqual(
    told.map(({ list }) => list),
    [[]],
  );
  assert.ok(told[0].atMs < 4200);
});

test('silence suppression is silence: one packet in 400 ms does not make a speaker', () => {
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 3000, [{ endpointId: ALICE, level: () => 5 }]);
  run(speakers, 3000, 3000, [{ endpointId: ALICE, level: nowMs => (nowMs % 400 === 0 ? 127 : undefined) }]);
  assert.deepEqual(speakers.current, []);
});

test('an endpoint is as loud as the louder of its sources, whatever their timestamps', () => {
  const speakers = new ActiveSpeakers();
  run(speakers, 0, 3000, [
    { endpointId: ALICE, sourceId: 0, level: () => 0 },
    { endpointId: ALICE, sourceId: 255, level: () => 127 },
  ]);
  assert.deepEqual(speakers.current, [{ endpointId: ALICE, level: 1, active: true }]);
});

test('a late packet changes nothing, a source that starts again elsewhere is followed', () => {
  const speakers = new ActiveSpeakers();
  let nowMs = 0;
  for (let index = 0; index < 100; index++, nowMs += 20) {
    speakers.handleLevel(nowMs, ALICE, 0, 0, 100_000 + index * 960);
    speakers.handleLevel(nowMs, ALICE, 0, 127, 100_000 + index * 960 - 480);
  }
  assert.equal(speakers.poll(nowMs, undefined)?.[0].level, 1);
  for (let index = 0; index < 100; index++, nowMs += 20) speakers.handleLevel(nowMs, ALICE, 0, 0, index * 960);
  assert.equal(speakers.poll(nowMs, undefined), undefined);
  assert.equal(speakers.current.length, 1);
});

test('who leaves is gone from the next list', () => {
  const speakers = new ActiveSpeakers();
  const voices: Voice[] = [
    { endpointId: ALICE, level: () => 5 },
    { endpointId: BOB, level: () => 5 },
  ];
  run(speakers, 0, 3000, voices);
  speakers.removeEndpoint(ALICE);
  assert.deepEqual(
    speakers.poll(3300, undefined)?.map(({ endpointId }) => endpointId),
    [BOB],
  );
});

test('beyond its limit no further source is listened to, until others have fallen silent', () => {
  const speakers = new ActiveSpeakers();
  for (let index = 0; index < TRACKS_MAX; index++) speakers.handleLevel(0, (index + 1) as EndpointId, 0, 127, 0);
  run(speakers, 0, 600, [{ endpointId: ALICE, level: () => 5 }]);
  assert.deepEqual(speakers.current, []);
  run(speakers, 1000, 2000, [{ endpointId: ALICE, level: () => 5 }]);
  assert.equal(speakers.current.length, 1);
});
