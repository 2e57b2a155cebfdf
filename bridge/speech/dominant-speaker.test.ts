import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { EndpointId } from '../../protocol/ids.ts';
import { DominantSpeaker, SPEAKERS_MAX } from './dominant-speaker.ts';

const ALICE = 1 as EndpointId;
const BOB = 2 as EndpointId;
const CAROL = 3 as EndpointId;

/** RFC 6464 levels: 0 is loudest. */
const SPEECH = 25;
const NOISE = 75;
const SILENCE = 127;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Level of an endpoint at a moment, or undefined when it sends nothing (DTX). */
type Trace = (nowMs: number) => number | undefined;

/** A conference on a virtual clock: a packet of 20 ms from everybody, and a tick every 10 ms. */
class Room {
  readonly speaker = new DominantSpeaker();
  readonly changes: { atMs: number; dominant: EndpointId | undefined }[] = [];
  nowMs = 0;

  run(forMs: number, traces: readonly (readonly [EndpointId, Trace])[]): EndpointId | undefined {
    const endMs = this.nowMs + forMs;
    for (; this.nowMs < endMs; this.nowMs += 10) {
      if (this.nowMs % 20 === 0) {
        for (const [endpointId, trace] of traces) {
          const level = trace(this.nowMs);
          if (level !== undefined) this.speaker.handleLevel(this.nowMs, endpointId, level);
        }
      }
      if (this.speaker.handleTimeout(this.nowMs))
        this.changes.push({ atMs: this.nowMs, dominant: this.speaker.dominant });
    }
    return this.speaker.dominant;
  }
}

const constant = (level: number) => () => level;
const nothing = () => undefined;

/** Speech as it is: words of 200-700 ms, pauses of 20-100 ms between them, over a noise floor. */
function talk(seed: number): Trace {
  const random = randomOf(seed);
  let untilMs = 0;
  let isWord = false;
  return nowMs => {
    if (nowMs >= untilMs) {
      isWord = !isWord;
      untilMs = nowMs + (isWord ? 200 + random() * 500 : 20 + random() * 80);
    }
    return isWord ? Math.round(SPEECH - 8 + random() * 16) : NOISE;
  };
}

/** Knocks and typing: loud for 20-80 ms, some times a second. */
function knock(seed: number): Trace {
  const random = randomOf(seed);
  let untilMs = 0;
  let isLoud = false;
  return nowMs => {
    if (nowMs >= untilMs) {
      isLoud = !isLoud;
      untilMs = nowMs + (isLoud ? 20 + random() * 60 : 100 + random() * 300);
    }
    return isLoud ? 10 : NOISE;
  };
}

/** Loud from `fromMs` to `toMs`, quiet else. */
function between(fromMs: number, toMs: number): Trace {
  return nowMs => (nowMs >= fromMs && nowMs < toMs ? SPEECH : NOISE);
}

test('nobody is dominant until somebody speaks', () => {
  const room = new Room();
  const quiet = [
    [ALICE, constant(NOISE)],
    [BOB, constant(SILENCE)],
  ] as const;
  assert.equal(room.run(3000, quiet), undefined);
  assert.equal(
    room.run(1500, [
      [ALICE, constant(NOISE)],
      [BOB, talk(7)],
    ]),
    BOB,
  );
});

test('who talks steadily is and stays dominant over knocks and noise', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const room = new Room();
      const knocks = knock(seed + 1);
      room.run(2000, [[ALICE, constant(NOISE)]]);
      room.run(1500, [
        [ALICE, talk(seed)],
        [BOB, constant(NOISE)],
      ]);
      assert.equal(room.speaker.dominant, ALICE);
      const changesBefore = room.changes.length;
      room.run(10_000, [
        [ALICE, talk(seed)],
        [BOB, knocks],
        [CAROL, constant(NOISE)],
      ]);
      assert.equal(room.changes.length, changesBefore, 'dominance moved');
    }),
    { numRuns: 30 },
  );
});

test('the dominant speaker stops, another talks: within two seconds that one is dominant', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const room = new Room();
      const quiet = constant(NOISE);
      room.run(2000, [
        [ALICE, quiet],
        [BOB, quiet],
      ]);
      assert.equal(
        room.run(4000, [
          [ALICE, talk(seed)],
          [BOB, quiet],
        ]),
        ALICE,
      );
      assert.equal(
        room.run(2000, [
          [ALICE, quiet],
          [BOB, talk(seed + 1)],
        ]),
        BOB,
      );
    }),
    { numRuns: 30 },
  );
});

test('a cough does not take over', () => {
  const room = new Room();
  const quiet = constant(NOISE);
  room.run(4000, [
    [ALICE, talk(3)],
    [BOB, quiet],
  ]);
  const start = room.nowMs;
  const cough = (nowMs: number) => (nowMs >= start + 500 && nowMs < start + 680 ? 5 : NOISE);
  const dominant = room.run(3000, [
    [ALICE, talk(4)],
    [BOB, cough],
  ]);
  assert.equal(dominant, ALICE);
  assert.equal(room.changes.length, 1);
});

test('a short pause does not lose dominance to one who keeps quiet', () => {
  const room = new Room();
  room.run(4000, [
    [ALICE, talk(3)],
    [BOB, constant(NOISE)],
  ]);
  const dominant = room.run(5000, [
    [ALICE, constant(NOISE)],
    [BOB, constant(NOISE)],
  ]);
  assert.equal(dominant, ALICE);
});

test('while two talk over each other, the one who was first stays', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const room = new Room();
      const quiet = constant(NOISE);
      room.run(3000, [
        [ALICE, talk(seed)],
        [BOB, quiet],
      ]);
      assert.equal(room.speaker.dominant, ALICE);
      const before = room.changes.length;
      room.run(3000, [
        [ALICE, constant(SPEECH)],
        [BOB, constant(SPEECH - 10)],
      ]);
      assert.equal(room.changes.length, before);
    }),
    { numRuns: 10 },
  );
});

/** A room in which Alice has been heard quietly, then has talked for two seconds, and Bob was quiet. Ends at a decision. */
function aliceHasTheFloor(): Room {
  const room = new Room();
  const alice = (nowMs: number) => (nowMs < 1000 ? 100 : SPEECH);
  room.run(3000, [
    [ALICE, alice],
    [BOB, constant(100)],
  ]);
  assert.equal(room.speaker.dominant, ALICE);
  return room;
}

// Decisions fall on multiples of 300 ms; the newest packet is then the one of that moment.

test('one who still murmurs keeps the floor: the candidate leads on the longer scales, not on the immediate one', () => {
  const room = aliceHasTheFloor();
  const dominant = room.run(3000, [
    [ALICE, constant(57)],
    [BOB, constant(SPEECH)],
  ]);
  assert.equal(dominant, ALICE);
  assert.equal(
    room.run(1500, [
      [ALICE, constant(100)],
      [BOB, constant(SPEECH)],
    ]),
    BOB,
  );
});

test('a gap of one packet loses nothing: the candidate leads on the immediate and the long scale, not on the medium one', () => {
  const room = aliceHasTheFloor();
  const dominant = room.run(3000, [
    [ALICE, nowMs => (nowMs % 100 === 0 ? 100 : SPEECH)],
    [BOB, constant(SPEECH)],
  ]);
  assert.equal(dominant, ALICE);
});

test('a cough in a pause takes nothing: the candidate leads on the shorter scales, not on the long one', () => {
  const room = aliceHasTheFloor();
  const coughEndMs = room.nowMs + 600;
  const isPause = (nowMs: number) => nowMs > coughEndMs - 120 && nowMs <= coughEndMs;
  const dominant = room.run(1500, [
    [ALICE, nowMs => (isPause(nowMs) ? 100 : SPEECH)],
    [BOB, nowMs => (isPause(nowMs) ? 5 : 100)],
  ]);
  assert.equal(dominant, ALICE);
  assert.equal(room.changes.length, 1);
});

test('decisions are 300 ms apart at least, however the two compete', () => {
  const room = new Room();
  const turns = (offset: number) => (nowMs: number) => (Math.floor(nowMs / 1500) % 2 === offset ? SPEECH : NOISE);
  room.run(30_000, [
    [ALICE, turns(0)],
    [BOB, turns(1)],
  ]);
  assert.ok(room.changes.length >= 15);
  room.changes.slice(1).forEach((change, index) => {
    assert.ok(change.atMs - room.changes[index].atMs >= 300);
  });
});

test('a silent conference keeps its last dominant speaker', () => {
  const room = new Room();
  assert.equal(room.run(3000, [[ALICE, talk(5)]]), ALICE);
  room.run(60_000, [
    [ALICE, nothing],
    [BOB, nothing],
  ]);
  assert.equal(room.speaker.dominant, ALICE);
});

test('no packets are silence: one who stops sending can be outdone', () => {
  const room = new Room();
  room.run(3000, [
    [ALICE, talk(5)],
    [BOB, constant(NOISE)],
  ]);
  assert.equal(
    room.run(2000, [
      [ALICE, nothing],
      [BOB, talk(6)],
    ]),
    BOB,
  );
});

test('a loud but even hum is no speech once its floor is known', () => {
  const room = new Room();
  // A fan at -45 dBov: over the threshold of speech, but never over its own floor.
  assert.equal(room.run(3000, [[ALICE, constant(45)]]), undefined);
});

test('the floor rises with the noise, slowly', () => {
  const room = new Room();
  room.run(200, [[ALICE, constant(120)]]);
  // The noise of the room has become loud: for a while it looks like speech.
  room.run(1500, [[ALICE, constant(45)]]);
  assert.equal(room.speaker.dominant, ALICE);
  const fresh = new DominantSpeaker();
  let nowMs = 0;
  for (let index = 0; index < 10; index++, nowMs += 20) fresh.handleLevel(nowMs, ALICE, 120);
  for (let index = 0; index < 750 * 6; index++, nowMs += 20) fresh.handleLevel(nowMs, ALICE, 45);
  fresh.handleTimeout(nowMs);
  fresh.handleTimeout(nowMs + 300);
  assert.equal(fresh.dominant, undefined);
});

test('when the dominant speaker leaves, nobody is dominant until somebody speaks', () => {
  const room = new Room();
  assert.equal(
    room.run(3000, [
      [ALICE, talk(5)],
      [BOB, constant(NOISE)],
    ]),
    ALICE,
  );
  room.speaker.removeEndpoint(ALICE);
  assert.equal(room.speaker.dominant, undefined);
  assert.equal(room.run(1000, [[BOB, constant(NOISE)]]), undefined);
  assert.equal(room.run(1500, [[BOB, talk(6)]]), BOB);
});

test('when two begin at once, all bridges choose the same one, in whatever order their packets come', () => {
  const one = new Room();
  const other = new Room();
  const start = between(1000, 3000);
  one.run(3000, [
    [BOB, start],
    [ALICE, start],
  ]);
  other.run(3000, [
    [ALICE, start],
    [BOB, start],
  ]);
  assert.equal(one.speaker.dominant, ALICE);
  assert.deepEqual(one.changes, other.changes);
});

test('beyond its limit the longest silent is forgotten, never the dominant', () => {
  const room = new Room();
  assert.equal(room.run(3000, [[ALICE, talk(5)]]), ALICE);
  for (let index = 0; index < SPEAKERS_MAX * 2; index++) {
    room.speaker.handleLevel(room.nowMs + index, (100 + index) as EndpointId, NOISE);
  }
  assert.equal(room.speaker.endpoints, SPEAKERS_MAX);
  room.nowMs += 2000;
  room.run(1000, [[ALICE, nothing]]);
  assert.equal(room.speaker.dominant, ALICE);
  // Forgotten ones are heard again when they speak.
  assert.equal(room.run(1500, [[100 as EndpointId, talk(8)]]), 100);
});
