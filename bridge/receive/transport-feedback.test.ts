import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RtcpPacket } from '../../protocol/rtcp/packet.ts';
import { TransportCcStatus } from '../../protocol/rtcp/transport-cc.ts';
import { FEEDBACK_BYTES_MAX, TransportFeedback } from './transport-feedback.ts';

interface Told {
  readonly base: number;
  readonly feedbackCount: number;
  /** Arrival ticks, or -1, from the base on. */
  readonly arrivals: number[];
}

function poll(feedback: TransportFeedback, nowMs: number): Told[] {
  const told: Told[] = [];
  for (;;) {
    const bytes = new Uint8Array(FEEDBACK_BYTES_MAX);
    const end = feedback.poll(nowMs, 1, 2, bytes, 0);
    if (end === 0) return told;
    assert.ok(end <= FEEDBACK_BYTES_MAX && end % 4 === 0);
    const packet = new RtcpPacket();
    packet.begin(bytes, 0, end);
    packet.next();
    const status = new TransportCcStatus();
    status.begin(packet);
    const arrivals: number[] = [];
    while (status.next()) arrivals.push(status.isReceived ? status.arrivalTicks : -1);
    told.push({ base: status.baseSequence, feedbackCount: status.feedbackCount, arrivals });
  }
}

test('what arrived, and what did not, is told in ticks of 250 us', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(1000, 0xffff);
  feedback.handlePacket(1010.25, 0);
  feedback.handlePacket(1020, 2);
  assert.deepEqual(poll(feedback, 1100), [{ base: 0xffff, feedbackCount: 0, arrivals: [4000, 4041, -1, 4080] }]);
});

test('a clock that begins elsewhere shifts all arrivals by as much, and wraps as reference times do', () => {
  const feedback = new TransportFeedback(0xff000005);
  feedback.handlePacket(1000, 7);
  feedback.handlePacket(1010.25, 8);
  assert.deepEqual(poll(feedback, 1100)[0].arrivals, [4000 + 5 * 256, 4041 + 5 * 256]);
  const late = new TransportFeedback(0xffffff);
  late.handlePacket(64, 7);
  assert.deepEqual(poll(late, 1100)[0].arrivals, [0]);
});

test('a quiet client is told every 100 ms, a busy one every 50 ms, and nothing twice', () => {
  const quiet = new TransportFeedback();
  quiet.handlePacket(0, 1);
  assert.equal(poll(quiet, 99).length, 0);
  assert.equal(poll(quiet, 100).length, 1);
  assert.equal(poll(quiet, 1000).length, 0);

  const busy = new TransportFeedback();
  for (let sequence = 0; sequence < 20; sequence++) busy.handlePacket(sequence, sequence);
  assert.equal(poll(busy, 49).length, 0);
  assert.equal(poll(busy, 50).length, 1);
});

test('feedback packets are counted and follow each other without a gap', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(0, 10);
  feedback.handlePacket(5, 11);
  assert.deepEqual(poll(feedback, 100)[0].base, 10);
  feedback.handlePacket(110, 14);
  assert.deepEqual(poll(feedback, 200), [{ base: 12, feedbackCount: 1, arrivals: [-1, -1, 440] }]);
});

test('the alarm rings for the moment from which on there is something to tell', () => {
  const arrivals = fc.array(fc.integer({ min: 0, max: 130 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 0, max: 0xffff }), (stepsMs, start) => {
      const feedback = new TransportFeedback();
      let dueMs = Number.POSITIVE_INFINITY;
      feedback.alarm = {
        bringForward(ms) {
          dueMs = Math.min(dueMs, ms);
        },
      };
      let nowMs = 0;
      for (const [index, stepMs] of stepsMs.entries()) {
        for (const endMs = nowMs + stepMs; nowMs < endMs; nowMs++) {
          assert.equal(feedback.isDue(nowMs), nowMs >= dueMs, `at ${nowMs}, due at ${dueMs}`);
          if (nowMs < dueMs) continue;
          poll(feedback, nowMs);
          dueMs = Number.POSITIVE_INFINITY;
        }
        feedback.handlePacket(nowMs, (start + index) & 0xffff);
      }
    }),
    { numRuns: 60 },
  );
});

test('a packet that comes after it was told lost is told again as received', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(0, 1);
  feedback.handlePacket(10, 3);
  assert.deepEqual(poll(feedback, 100)[0].arrivals, [0, -1, 40]);
  feedback.handlePacket(120, 2);
  feedback.handlePacket(130, 4);
  assert.deepEqual(poll(feedback, 200), [{ base: 2, feedbackCount: 1, arrivals: [480, 40, 520] }]);
});

test('more than one packet can hold is told in several', () => {
  const feedback = new TransportFeedback();
  // 70 ms apart, every delta takes two bytes.
  for (let sequence = 0; sequence < 1000; sequence++) feedback.handlePacket(sequence * 70, sequence);
  const told = poll(feedback, 200_000);
  assert.ok(told.length >= 2);
  assert.deepEqual(
    told.flatMap(({ arrivals }) => arrivals),
    Array.from({ length: 1000 }, (_, sequence) => sequence * 280),
  );
});

test('of more than is remembered the oldest is left out', () => {
  const feedback = new TransportFeedback();
  for (let sequence = 0; sequence < 3000; sequence++) feedback.handlePacket(sequence, sequence);
  const told = poll(feedback, 3000);
  assert.equal(told[0].base, 3000 - 1024);
  assert.deepEqual(
    told.flatMap(({ arrivals }) => arrivals),
    Array.from({ length: 1024 }, (_, index) => (1976 + index) * 4),
  );
});

test('arrivals are told rightly for as long as a client may stay', () => {
  const feedback = new TransportFeedback();
  const dayMs = 86_400_000;
  let sequence = 0;
  for (let nowMs = 1; nowMs < 14 * dayMs; nowMs += dayMs / 8) {
    feedback.handlePacket(nowMs, sequence++ & 0xffff);
    feedback.handlePacket(nowMs + 10, sequence++ & 0xffff);
    const ticks = poll(feedback, nowMs + 200).flatMap(({ arrivals }) => arrivals);
    // The reference time has 24 bits of 64 ms: twelve days.
    assert.equal(ticks.at(-1)! - ticks.at(-2)!, 40, `after ${nowMs} ms`);
  }
});

test('a pause over 8 s between two packets splits the feedback', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(0, 1);
  feedback.handlePacket(9000, 2);
  assert.deepEqual(
    poll(feedback, 9100).map(({ base, arrivals }) => [base, arrivals]),
    [
      [1, [0]],
      [2, [36_000]],
    ],
  );
});

test('a jump of the counter is not told as loss', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(0, 1);
  feedback.handlePacket(10, 20_000);
  assert.deepEqual(poll(feedback, 110), [{ base: 20_000, feedbackCount: 0, arrivals: [40] }]);
  assert.equal(feedback.resets, 1);
});

test('a counter that starts again behind is followed, a few old packets are not', () => {
  const feedback = new TransportFeedback();
  feedback.handlePacket(0, 30_000);
  for (let old = 0; old < 10; old++) feedback.handlePacket(1, 20_000 + old);
  assert.equal(feedback.tooOld, 10);
  assert.deepEqual(poll(feedback, 100)[0].base, 30_000);
  feedback.handlePacket(101, 30_001);
  for (let sequence = 0; sequence < 16; sequence++) feedback.handlePacket(110, 20_000 + sequence);
  assert.deepEqual(poll(feedback, 300)[0].base, 20_015);
});

test('under random loss, reordering and duplicates every arrival is told with its time, and the rest as lost', () => {
  const step = fc.record({
    gap: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: 400 }) }),
    lateMs: fc.integer({ min: 0, max: 30 }),
    isDoubled: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.array(step, { minLength: 1, maxLength: 400 }),
      (start, steps) => {
        const events: { atMs: number; index: number }[] = [];
        let index = 0;
        steps.forEach(({ gap, lateMs, isDoubled }, turn) => {
          index += gap;
          events.push({ atMs: turn * 2 + (turn === 0 ? 0 : lateMs), index });
          if (isDoubled) events.push({ atMs: turn * 2 + lateMs + 5, index });
        });
        events.sort((a, b) => a.atMs - b.atMs);
        const feedback = new TransportFeedback();
        const arrived = new Map<number, number>();
        const told = new Map<number, number>();
        const check = (nowMs: number) => {
          for (const { base, arrivals } of poll(feedback, nowMs)) {
            arrivals.forEach((ticks, offset) => {
              const at = (base + offset - start) & 0xffff;
              if (ticks >= 0) assert.equal(ticks, arrived.get(at), `arrival of ${at}`);
              else assert.ok(!arrived.has(at), `${at} was told lost though it is here`);
              told.set(at, ticks);
            });
          }
        };
        let nextPollMs = 10;
        for (const event of events) {
          for (; nextPollMs <= event.atMs; nextPollMs += 10) check(nextPollMs);
          feedback.handlePacket(event.atMs, (start + event.index) & 0xffff);
          // A late one so far behind that it is not corrected any more stays lost.
          if (!arrived.has(event.index)) arrived.set(event.index, event.atMs * 4);
        }
        check(nextPollMs + 1000);
        const highest = Math.max(...arrived.keys());
        for (const [at, ticks] of arrived)
          if (highest - at <= 512) assert.equal(told.get(at), ticks, `packet ${at} of ${highest}`);
      },
    ),
    { numRuns: 200 },
  );
});
