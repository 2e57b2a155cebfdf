/** Reliable messages between two bridges, on networks that do everything to them: exactly once, in order, within bounded memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { REKEY_AGE_MS } from './link-session.ts';
import { QUEUED_BYTES_MAX, QUEUED_MESSAGES_MAX } from './message-lanes.ts';
import { ASSEMBLY_BYTES_MAX } from './message-receiver.ts';
import { type SimulatedBridge, SimulatedPair } from './simulated-pair.ts';

const CONFERENCES = [1, 2].map(id => id as ConferenceId);
const SENDERS_PER_SIDE = 3;
/** What waits for a conference that is not shared yet. */
const PARKED_BYTES_MAX = 1024 * 1024;

/** What one bridge has accepted for the other, by stream, in order. */
class Sent {
  readonly streams = new Map<string, number[]>();
  accepted = 0;
  #number = 0;

  send(pair: SimulatedPair, from: SimulatedBridge, to: SimulatedBridge, bytes: number): boolean {
    const conference = CONFERENCES[Math.floor(pair.random() * CONFERENCES.length)];
    const sender = ((from === pair.a ? 10 : 20) + Math.floor(pair.random() * SENDERS_PER_SIDE)) as EndpointId;
    const number = this.#number++;
    const content = Buffer.alloc(Math.max(4, Math.floor(bytes)), number & 0xff);
    content.writeUInt32BE(number);
    if (!from.relay.sendMessage(to.id, conference, sender, true, content)) return false;
    const stream = `${conference}/${sender}`;
    this.streams.set(stream, [...(this.streams.get(stream) ?? []), number]);
    this.accepted++;
    return true;
  }
}

/** The numbers that `bridge` has seen, by stream; fails when a message is not what was sent. */
function seenBy(bridge: SimulatedBridge): ReadonlyMap<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { conferenceId, endpointId, bytes } of bridge.messages) {
    const content = Buffer.from(bytes);
    const number = content.readUInt32BE();
    assert.ok(
      content.subarray(4).every(byte => byte === (number & 0xff)),
      `message ${number} is damaged`,
    );
    const stream = `${conferenceId}/${endpointId}`;
    seen.set(stream, [...(seen.get(stream) ?? []), number]);
  }
  return seen;
}

function assertAscending(seen: ReadonlyMap<string, number[]>): void {
  for (const [stream, numbers] of seen) {
    for (let index = 1; index < numbers.length; index++) {
      assert.ok(numbers[index] > numbers[index - 1], `${stream}: ${numbers[index - 1]} before ${numbers[index]}`);
    }
  }
}

function assertBounded(bridge: SimulatedBridge): void {
  for (const link of bridge.relay.snapshot()) {
    assert.ok(link.messagesQueued <= QUEUED_MESSAGES_MAX && link.messagesQueuedBytes <= QUEUED_BYTES_MAX);
    assert.ok(link.messagesUnfinishedBytes <= ASSEMBLY_BYTES_MAX + PARKED_BYTES_MAX);
    assert.equal(link.violations, 0);
  }
}

function connected(seed: number): SimulatedPair {
  const pair = new SimulatedPair(seed);
  for (const conference of CONFERENCES) pair.share(conference);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 5000);
  return pair;
}

function sizeOf(pair: SimulatedPair): number {
  const chance = pair.random();
  if (chance < 0.03) return 100_000 * pair.random();
  return chance < 0.2 ? 15_000 * pair.random() : 800 * pair.random();
}

function isIdle(bridge: SimulatedBridge): boolean {
  return bridge.relay.snapshot().every(link => link.messagesQueued === 0 && link.messagesUnderWay === 0);
}

test('both ways, through any loss up to 40 %, duplicates, reordering and cuts, every accepted message arrives once, in order', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const pair = connected(seed);
      const [fromA, fromB] = [new Sent(), new Sent()];
      for (let step = 0; step < 60; step++) {
        if (step % 10 === 0) {
          const [loss, duplicates] = [0.4 * pair.random(), 0.2 * pair.random()];
          Object.assign(pair.path, { loss, duplicates, delayMs: 100 * pair.random(), jitterMs: 80 * pair.random() });
        }
        if (step % 20 === 15) pair.path.loss = 1;
        if (step % 20 === 19) pair.path.loss = 0.1;
        for (let count = 0; count < 4; count++) {
          fromA.send(pair, pair.a, pair.b, sizeOf(pair));
          fromB.send(pair, pair.b, pair.a, sizeOf(pair));
        }
        pair.run(10 * Math.floor(60 * pair.random()), () => [pair.a, pair.b].forEach(assertBounded));
      }
      pair.path.loss = 0.1;
      pair.runUntil(() => isIdle(pair.a) && isIdle(pair.b), 120_000);
      assert.deepEqual(seenBy(pair.b), fromA.streams);
      assert.deepEqual(seenBy(pair.a), fromB.streams);
    }),
    { numRuns: 6 },
  );
});

/**
 * Fails when more is missing than a restart explains: in each stream one stretch of what was accepted before it, since what had been delivered is a beginning, and what
 * had not been begun an end.
 */
function assertOneStretchMissing(accepted: ReadonlyMap<string, number[]>, seen: ReadonlyMap<string, number[]>): number {
  let missing = 0;
  for (const [stream, numbers] of accepted) {
    const has = new Set(seen.get(stream));
    const first = numbers.findIndex(number => !has.has(number));
    const last = numbers.findLastIndex(number => !has.has(number));
    if (first < 0) continue;
    missing += last - first + 1;
    assert.ok(
      numbers.slice(first, last + 1).every(number => !has.has(number)),
      `${stream}: holes`,
    );
  }
  return missing;
}

test('when a bridge restarts, nothing comes twice or out of order, and only what was under way then is missing', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const pair = connected(seed);
      Object.assign(pair.path, { loss: 0.2, duplicates: 0.1, delayMs: 20, jitterMs: 40 });
      const fromA = new Sent();
      const epochs: ReadonlyMap<string, number[]>[] = [];
      let fromB = new Sent();
      let fromBEver = 0;
      for (let round = 0; round < 4; round++) {
        for (let step = 0; step < 15; step++) {
          fromA.send(pair, pair.a, pair.b, sizeOf(pair));
          if (fromB.send(pair, pair.b, pair.a, sizeOf(pair))) fromBEver++;
          pair.run(10 * Math.floor(12 * pair.random()), () => [pair.a, pair.b].forEach(assertBounded));
        }
        epochs.push(
          new Map([...fromA.streams].map(([stream, numbers]) => [stream, numbers.slice(countOf(epochs, stream))])),
        );
        if (round === 3) break;
        pair.b.restart();
        for (const conference of CONFERENCES) pair.share(conference);
        fromB = new Sent();
        pair.a.messages = [];
        // What waited is with the new process before the next restart, so that each restart has one stretch.
        pair.runUntil(() => pair.b.link?.state === 'up' && isIdle(pair.a), 60_000);
      }
      pair.runUntil(() => isIdle(pair.a) && isIdle(pair.b), 120_000);
      pair.run(500);
      const toB = seenBy(pair.b);
      assertAscending(toB);
      const missing = epochs.map(accepted => assertOneStretchMissing(accepted, toB));
      assert.equal(missing.at(-1), 0, 'since the last restart all of them');
      assert.equal(
        missing.reduce((sum, each) => sum + each),
        fromA.accepted - pair.b.messages.length,
      );
      if (missing.some(each => each > 0)) assert.ok((pair.a.link?.counters.messagesAbandoned ?? 0) > 0);
      assert.deepEqual(seenBy(pair.a), fromB.streams, 'since the last restart all of them');
      assert.ok(fromBEver > fromB.accepted);
    }),
    { numRuns: 6 },
  );
});

/** How many messages of a stream former epochs have. */
function countOf(epochs: readonly ReadonlyMap<string, number[]>[], stream: string): number {
  return epochs.reduce((sum, epoch) => sum + (epoch.get(stream)?.length ?? 0), 0);
}

test('keys change under load, with loss, and no message is lost or comes twice', () => {
  const pair = connected(31);
  pair.run(REKEY_AGE_MS - 2000, () => {}, 200);
  Object.assign(pair.path, { loss: 0.2, duplicates: 0.1, delayMs: 30, jitterMs: 30 });
  const before = pair.a.link?.counters.handshakes ?? 0;
  const sent = new Sent();
  for (let step = 0; step < 100; step++) {
    sent.send(pair, pair.a, pair.b, sizeOf(pair));
    pair.run(50);
  }
  pair.runUntil(() => isIdle(pair.a), 60_000);
  assert.equal(pair.a.link?.counters.handshakes, before + 1);
  assert.deepEqual(seenBy(pair.b), sent.streams);
});

test('a link that is cut for ten seconds delivers everything after it, in order, within two seconds', () => {
  const pair = connected(32);
  const sent = new Sent();
  const step = () => {
    sent.send(pair, pair.a, pair.b, 2000 * pair.random());
    pair.run(50);
  };
  for (let count = 0; count < 20; count++) step();
  pair.path.loss = 1;
  for (let count = 0; count < 200; count++) step();
  assert.ok(pair.b.messages.length < 25);
  pair.path.loss = 0;
  pair.run(2000);
  assert.deepEqual(seenBy(pair.b), sent.streams);
});
