import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Room } from '@livekit/protocol';
import { seededRandom } from '../conference/room.fixture.ts';
import { UNDER_WAY_MAX, type WebhookDelivery, type WebhookOutcome, WebhookQueue } from './webhook-queue.ts';

const SETTINGS = { eventsMax: 100, ageMsMax: 60_000, retryDelayMsMin: 100, retryDelayMsMax: 5_000 };

function world(settings: Partial<typeof SETTINGS> = {}, seed = 1) {
  const queue = new WebhookQueue({ ...SETTINGS, ...settings }, seededRandom(seed));
  const push = (id: string, atMs = 0) => {
    const room = new Room({ name: id.split('-')[0] });
    queue.push({ id, atMs, notice: { event: 'room_started', room } });
  };
  const poll = (nowMs = 0) => {
    const polled: WebhookDelivery[] = [];
    for (let one = queue.pollOutput(nowMs); one !== undefined; one = queue.pollOutput(nowMs)) polled.push(one);
    return polled;
  };
  const ids = (deliveries: readonly WebhookDelivery[]) => deliveries.map(({ entry }) => entry.id);
  return { queue, push, poll, ids };
}

test('events of one room go one after the other, those of other rooms beside them', () => {
  const { queue, push, poll, ids } = world();
  for (const id of ['a-1', 'a-2', 'b-1']) push(id);
  const first = poll();
  assert.deepEqual(ids(first), ['a-1', 'b-1']);
  queue.handleOutcome(0, first[1], 'delivered');
  assert.deepEqual(ids(poll()), []);
  queue.handleOutcome(0, first[0], 'delivered');
  assert.deepEqual(ids(poll()), ['a-2']);
});

test('a failed event is tried again before the next of its room, after a pause that doubles up to its limit', () => {
  const { queue, push, poll, ids } = world({ ageMsMax: 1_000_000 });
  push('a-1');
  push('a-2');
  let nowMs = 0;
  for (const fullMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    const [delivery] = poll(nowMs);
    assert.equal(delivery.entry.id, 'a-1');
    queue.handleOutcome(nowMs, delivery, 'failed');
    const pauseMs = queue.pollTimeout()! - nowMs;
    assert.ok(pauseMs >= fullMs / 2 && pauseMs <= fullMs, `${pauseMs} of ${fullMs}`);
    queue.handleTimeout(nowMs + pauseMs - 1);
    assert.deepEqual(poll(nowMs + pauseMs - 1), []);
    nowMs += pauseMs;
    queue.handleTimeout(nowMs);
  }
  queue.handleOutcome(nowMs, poll(nowMs)[0], 'delivered');
  const [next] = poll(nowMs);
  assert.equal(next.entry.id, 'a-2');
  queue.handleOutcome(nowMs, next, 'failed');
  assert.ok(queue.pollTimeout()! - nowMs <= 100, 'the pause begins anew');
  assert.equal(ids(poll(nowMs)).length, 0);
});

test('a refused event is not tried again', () => {
  const { queue, push, poll, ids } = world();
  push('a-1');
  push('a-2');
  queue.handleOutcome(0, poll()[0], 'refused');
  assert.deepEqual(ids(poll()), ['a-2']);
});

test('an event that has become too old is dropped, and what is younger goes on', () => {
  const { queue, push, poll, ids } = world();
  push('a-1', 0);
  push('a-2', 50_000);
  queue.handleOutcome(59_990, poll(59_990)[0], 'failed');
  queue.handleTimeout(60_101);
  assert.deepEqual(ids(poll(60_101)), ['a-2']);
  assert.equal(queue.size, 1);
  assert.equal(queue.drainCounts().expired, 1);
});

test('a full queue drops what comes, and the next delivery says how many were lost, until one is taken', () => {
  const { queue, push, poll } = world({ eventsMax: 2 });
  for (const id of ['a-1', 'a-2', 'a-3', 'b-1']) push(id);
  assert.equal(queue.size, 2);
  const [first] = poll();
  assert.equal(first.dropped, 2);
  queue.handleOutcome(0, first, 'failed');
  queue.handleTimeout(1_000);
  const [again] = poll(1_000);
  assert.equal(again.dropped, 2);
  queue.handleOutcome(1_000, again, 'delivered');
  assert.equal(poll(1_000)[0].dropped, 0);
  assert.deepEqual(queue.drainCounts(), { delivered: 1, refused: 0, expired: 0, overflowed: 2, failed: 1 });
  assert.equal(queue.drainCounts().overflowed, 0);
});

test(`at most ${UNDER_WAY_MAX} are under way at once`, () => {
  const { queue, push, poll } = world();
  for (let room = 0; room < 2 * UNDER_WAY_MAX; room++) push(`room${room}-1`);
  const polled = poll();
  assert.equal(polled.length, UNDER_WAY_MAX);
  queue.handleOutcome(0, polled[3], 'delivered');
  assert.equal(poll().length, 1);
});

test('whatever the receiver answers, every event is taken once or lost once, in the order of its room', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const { queue, push } = world({ eventsMax: 30, ageMsMax: 20_000 }, seed);
    const taken = new Map<string, number>();
    const underWay: WebhookDelivery[] = [];
    const counts = { pushed: 0, delivered: 0, lost: 0 };
    for (let nowMs = 0; nowMs < 200_000; nowMs += 1 + (random.uint32() % 400)) {
      const room = `r${random.uint32() % 5}`;
      if (nowMs < 100_000) push(`${room}-${++counts.pushed}`, nowMs);
      queue.handleTimeout(nowMs);
      for (let one = queue.pollOutput(nowMs); one !== undefined; one = queue.pollOutput(nowMs)) underWay.push(one);
      for (let index = underWay.length - 1; index >= 0; index--) {
        if (random.uint32() % 3 === 0) continue;
        const [delivery] = underWay.splice(index, 1);
        const outcome = (['delivered', 'failed', 'failed', 'refused'] as WebhookOutcome[])[random.uint32() % 4];
        queue.handleOutcome(nowMs, delivery, outcome);
        if (outcome !== 'delivered') continue;
        const [name, number] = delivery.entry.id.split('-');
        assert.ok(Number(number) > (taken.get(name) ?? 0), `seed ${seed}: ${delivery.entry.id} came too late or twice`);
        taken.set(name, Number(number));
      }
      const drained = queue.drainCounts();
      counts.delivered += drained.delivered;
      counts.lost += drained.expired + drained.overflowed + drained.refused;
      assert.equal(counts.delivered + counts.lost + queue.size, counts.pushed, `seed ${seed}`);
    }
    assert.equal(queue.size, 0, `seed ${seed}: the queue does not empty`);
    assert.equal(queue.pollTimeout(), undefined);
  }
});
