import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  KeyFrameRequests,
  LAYER_INTERVAL_MS,
  REPEAT_MS,
  REPEATS_MAX,
  REQUESTER_LIMIT,
  REQUESTER_WINDOW_MS,
  REQUESTERS_MAX,
} from './key-frame-requests.ts';

/** When requests are sent while `poll` runs every 10 ms over [from, to). */
function sentMs(requests: KeyFrameRequests, from: number, to: number): number[] {
  const sent: number[] = [];
  for (let nowMs = from; nowMs < to; nowMs += 10) if (requests.poll(nowMs)) sent.push(nowMs);
  return sent;
}

test('the first request is sent at once, and many at the same time are one', () => {
  const requests = new KeyFrameRequests();
  assert.equal(requests.poll(0), false);
  for (let requester = 0; requester < 50; requester++) requests.request(0, requester);
  assert.equal(requests.poll(0), true);
  assert.equal(requests.poll(0), false);
  assert.deepEqual(sentMs(requests, 0, REPEAT_MS), []);
});

test('a request inside the quiet time is sent when that ends', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  requests.poll(0);
  requests.handleKeyFrame(30);
  requests.request(50, 2);
  assert.deepEqual(sentMs(requests, 50, 400), [LAYER_INTERVAL_MS]);
});

test('a request inside the quiet time that a key frame answers is not sent', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  requests.poll(0);
  requests.request(50, 2);
  requests.handleKeyFrame(60);
  assert.equal(requests.isWaiting, false);
  assert.deepEqual(sentMs(requests, 60, 2000), []);
});

test('a bridge that switches layers is held to the quiet time only, not to three in ten seconds', () => {
  const served = (by: 'client' | 'bridge') => {
    const requests = new KeyFrameRequests();
    let count = 0;
    for (let nowMs = 0; nowMs < 5_000; nowMs += 500) {
      requests.request(nowMs, 1, by);
      if (requests.poll(nowMs)) count++;
      requests.handleKeyFrame(nowMs + 50);
    }
    return count;
  };
  assert.equal(served('client'), REQUESTER_LIMIT);
  assert.equal(served('bridge'), 10);
});

test('a key frame from before the request answers nothing', () => {
  const requests = new KeyFrameRequests();
  requests.handleKeyFrame(0);
  requests.request(1, 1);
  assert.equal(requests.poll(1), true);
});

test('what went nowhere is not waited for: after an outage the next request leaves at once', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1, 'bridge');
  for (let nowMs = 0; nowMs < 5_000; nowMs += 10) requests.poll(nowMs);
  let rungMs = Number.POSITIVE_INFINITY;
  requests.alarm = {
    bringForward(ms) {
      rungMs = Math.min(rungMs, ms);
    },
  };
  assert.equal(requests.poll(5_000), false, 'it waits for an answer');
  rungMs = Number.POSITIVE_INFINITY;
  requests.forgetUnanswered();
  assert.ok(rungMs <= 5_000);
  assert.equal(requests.poll(5_000), true);
  assert.equal(requests.poll(5_010), false);
});

test('an unanswered request is repeated, ever more slowly, until a key frame comes', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  assert.deepEqual(sentMs(requests, 0, 8000), [0, 300, 900, 2100, 4500]);
  requests.handleKeyFrame(8000);
  assert.deepEqual(sentMs(requests, 8000, 20_000), []);
});

test('a layer that never answers is given up, until somebody asks again', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  assert.equal(sentMs(requests, 0, 120_000).length, REPEATS_MAX);
  assert.equal(requests.isWaiting, false);
  requests.request(120_000, 1);
  assert.equal(requests.poll(120_000), true);
});

test('asking again while waiting costs nothing', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  requests.poll(0);
  for (let nowMs = 10; nowMs <= 150; nowMs += 10) requests.request(nowMs, 1);
  requests.handleKeyFrame(160);
  requests.request(210, 1);
  assert.equal(requests.poll(210), true);
});

test('two requests of one requester are 200 ms apart, even where the layer has been quiet for longer', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  requests.poll(0);
  requests.request(100, 2);
  requests.handleKeyFrame(150);
  requests.request(160, 2);
  assert.deepEqual(sentMs(requests, 160, 600), [300]);
});

test('one requester is heard once in 200 ms and three times in 10 s, and what is put off is not lost', () => {
  const requests = new KeyFrameRequests();
  const sent: number[] = [];
  // It asks every 10 ms, and each request is answered at once.
  for (let nowMs = 0; nowMs < 25_000; nowMs += 10) {
    requests.request(nowMs, 1);
    if (!requests.poll(nowMs)) continue;
    sent.push(nowMs);
    requests.handleKeyFrame(nowMs + 1);
  }
  assert.deepEqual(sent, [0, 200, 400, 10_000, 10_200, 10_400, 20_000, 20_200, 20_400]);
});

test('a request merged with one that was put off is answered by the key frame that others caused', () => {
  const requests = new KeyFrameRequests();
  for (const nowMs of [0, 300, 600]) {
    requests.request(nowMs, 1);
    assert.equal(requests.poll(nowMs), true);
    requests.handleKeyFrame(nowMs + 10);
  }
  requests.request(900, 1);
  assert.equal(requests.poll(900), false);
  requests.request(1000, 2);
  assert.equal(requests.poll(1000), true);
  requests.handleKeyFrame(1010);
  assert.equal(requests.isWaiting, false);
  // It was served for nothing: its own three are still those from before.
  requests.request(10_000, 1);
  assert.equal(requests.poll(10_000), true);
});

test('who has left waits no more', () => {
  const requests = new KeyFrameRequests();
  requests.request(0, 1);
  requests.removeRequester(1);
  assert.equal(requests.isWaiting, false);
  assert.equal(requests.poll(0), false);
  requests.request(0, 1);
  requests.request(0, 2);
  requests.removeRequester(1);
  assert.equal(requests.poll(0), true);
});

test('ever new requesters, more than are remembered, cause one request in 200 ms', () => {
  const requests = new KeyFrameRequests();
  const sent: number[] = [];
  let requester = 0;
  for (let nowMs = 0; nowMs < 1000; nowMs += 10) {
    for (let index = 0; index < REQUESTERS_MAX; index++) requests.request(nowMs, requester++);
    if (!requests.poll(nowMs)) continue;
    sent.push(nowMs);
    requests.handleKeyFrame(nowMs);
  }
  assert.deepEqual(sent, [0, 200, 400, 600, 800]);
});

test('in any storm of requests: one in 200 ms, and everybody is served', () => {
  const event = fc.record({
    afterMs: fc.integer({ min: 0, max: 120 }),
    requester: fc.integer({ min: 0, max: 5 }),
    answerMs: fc.integer({ min: 0, max: 150 }),
  });
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 300 }), events => {
      const requests = new KeyFrameRequests();
      const asked = new Map<number, number>();
      const actedMs: number[] = [];
      let keyFrameAtMs = Number.POSITIVE_INFINITY;
      let nowMs = 0;
      let next = 0;
      let nextAtMs = events[0].afterMs;
      const endMs = events.reduce((sum, { afterMs }) => sum + afterMs, 0) + REQUESTER_WINDOW_MS * 2;
      for (; nowMs < endMs; nowMs += 5) {
        if (nowMs >= keyFrameAtMs) {
          requests.handleKeyFrame(nowMs);
          asked.clear();
          keyFrameAtMs = Number.POSITIVE_INFINITY;
        }
        while (next < events.length && nextAtMs <= nowMs) {
          const { requester } = events[next++];
          requests.request(nowMs, requester);
          if (!asked.has(requester)) asked.set(requester, nowMs);
          nextAtMs += events[next]?.afterMs ?? 0;
        }
        if (!requests.poll(nowMs)) continue;
        assert.ok(nowMs - (actedMs.at(-1) ?? -1e9) >= LAYER_INTERVAL_MS);
        actedMs.push(nowMs);
        if (keyFrameAtMs > endMs) keyFrameAtMs = nowMs + events[Math.min(next, events.length - 1)].answerMs;
      }
      assert.deepEqual([...asked], [], 'somebody still waits');
      // All six requesters together cannot have caused more than their limits allow.
      const windows = Math.ceil(endMs / REQUESTER_WINDOW_MS);
      assert.ok(actedMs.length <= 6 * REQUESTER_LIMIT * windows);
    }),
    { numRuns: 40 },
  );
});

test('polling when the alarm rings finds what polling all the time finds', () => {
  const event = fc.record({
    afterMs: fc.integer({ min: 0, max: 400 }),
    requester: fc.integer({ min: 0, max: 3 }),
    what: fc.constantFrom('request' as const, 'request' as const, 'key-frame' as const, 'leave' as const),
    by: fc.constantFrom('client' as const, 'bridge' as const),
  });
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 80 }), events => {
      const [always, rung] = [new KeyFrameRequests(), new KeyFrameRequests()];
      let dueMs = Number.POSITIVE_INFINITY;
      rung.alarm = {
        bringForward(ms) {
          dueMs = Math.min(dueMs, ms);
        },
      };
      const found: number[][] = [[], []];
      let nowMs = 0;
      const pass = (ms: number) => {
        for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 10) {
          if (always.poll(nowMs)) found[0].push(nowMs);
          if (nowMs < dueMs) continue;
          dueMs = Number.POSITIVE_INFINITY;
          if (rung.poll(nowMs)) found[1].push(nowMs);
        }
      };
      for (const { afterMs, requester, what, by } of events) {
        pass(afterMs);
        for (const requests of [always, rung]) {
          if (what === 'request') requests.request(nowMs, requester, by);
          else if (what === 'leave') requests.removeRequester(requester);
          else requests.handleKeyFrame(nowMs);
        }
      }
      pass(30_000);
      assert.deepEqual(found[1], found[0]);
    }),
    { numRuns: 60 },
  );
});
