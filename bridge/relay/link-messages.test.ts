import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { cutSessionKeys, EXPORTER_BYTES } from '../../protocol/octo/keys.ts';
import { MESSAGE_BYTES_MAX } from '../../protocol/octo/message.ts';
import { ENTRIES_MAX } from '../../protocol/octo/state-part.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { FrameOutput } from './frame-output.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkDialogue } from './link-dialogue.ts';
import { LinkSession } from './link-session.ts';
import { LossyAssembly } from './lossy-messages.ts';
import { QUEUED_MESSAGES_MAX } from './message-lanes.ts';
import { SimulatedPair } from './simulated-pair.ts';

const CONFERENCES = [1, 2].map(id => id as ConferenceId);
const SENDERS = [10, 11, 12].map(id => id as EndpointId);
const A = 'a' as BridgeId;
const B = 'b' as BridgeId;
const BAD_PATH = { loss: 0.3, duplicates: 0.1, delayMs: 30, jitterMs: 60 };

function connected(seed: number, path = {}): SimulatedPair {
  const pair = new SimulatedPair(seed);
  for (const conference of CONFERENCES) pair.share(conference);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 5000);
  Object.assign(pair.path, path);
  return pair;
}

/** A message that says where it belongs: sender, number, and bytes that depend on both. */
function message(sender: EndpointId, number: number, bytes: number): Buffer {
  const content = Buffer.alloc(Math.max(8, bytes), (sender * 31 + number) & 0xff);
  content.writeUInt32BE(sender, 0);
  content.writeUInt32BE(number, 4);
  return content;
}

/** Fails unless what `b` has seen is exactly what was sent: once each, in each sender's order. */
function assertDelivered(pair: SimulatedPair, sent: ReadonlyMap<string, readonly Buffer[]>): void {
  for (const [stream, messages] of sent) {
    const seen = pair.b.messages.filter(({ conferenceId, endpointId }) => `${conferenceId}/${endpointId}` === stream);
    assert.equal(seen.length, messages.length, `${stream}: ${seen.length} of ${messages.length}`);
    for (const [index, { bytes, isReliable }] of seen.entries()) {
      assert.equal(isReliable, true);
      assert.ok(Buffer.from(bytes).equals(messages[index]), `${stream}: message ${index} out of place`);
    }
  }
}

test('reliable messages arrive exactly once, in each sender order, through 30 % loss, reordering, duplicates and outages', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const pair = connected(seed, BAD_PATH);
      const sent = new Map<string, Buffer[]>();
      for (let number = 0; number < 120; number++) {
        const conference = CONFERENCES[Math.floor(pair.random() * CONFERENCES.length)];
        const sender = SENDERS[Math.floor(pair.random() * SENDERS.length)];
        const size = pair.random() < 0.1 ? 20_000 * pair.random() : 200 * pair.random();
        const content = message(sender, number, Math.floor(size));
        assert.equal(pair.a.relay.sendMessage(B, conference, sender, true, content), true);
        const stream = `${conference}/${sender}`;
        sent.set(stream, [...(sent.get(stream) ?? []), content]);
        pair.run(20);
        if (number === 60) {
          pair.path.loss = 1;
          pair.run(2500);
          pair.path.loss = BAD_PATH.loss;
        }
      }
      const total = [...sent.values()].reduce((sum, messages) => sum + messages.length, 0);
      pair.runUntil(() => pair.b.messages.length >= total, 30_000);
      pair.run(2000);
      assertDelivered(pair, sent);
      assert.equal(pair.b.link?.counters.violations, 0);
    }),
    { numRuns: 4 },
  );
});

test('the largest message arrives whole through loss, a larger one is refused', () => {
  const pair = connected(21, { ...BAD_PATH, loss: 0.1 });
  const largest = message(SENDERS[0], 1, MESSAGE_BYTES_MAX);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, largest), true);
  const larger = Buffer.alloc(MESSAGE_BYTES_MAX + 1);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, larger), false);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], false, larger), false);
  pair.runUntil(() => pair.b.messages.length === 1, 20_000);
  assert.ok(largest.equals(Buffer.from(pair.b.messages[0].bytes)));
});

test('an empty message is a message', () => {
  const pair = connected(22);
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.alloc(0));
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], false, Buffer.alloc(0));
  pair.run(100);
  assert.deepEqual(
    pair.b.messages.map(({ isReliable, bytes }) => [isReliable, bytes.length]),
    [
      [true, 0],
      [false, 0],
    ],
  );
});

test('one sender does not wait for what another has lost', () => {
  const pair = connected(23);
  let isLosing = true;
  pair.filter = (bytes, from) =>
    !(from === pair.a && (bytes[0] & 0x0f) === 1 && bytes.readUInt32BE(12) === SENDERS[0] && isLosing);
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.from('lost at first'));
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[1], true, Buffer.from('not held up'));
  pair.run(200);
  assert.deepEqual(
    pair.b.messages.map(seen => seen.endpointId),
    [SENDERS[1]],
  );
  isLosing = false;
  pair.run(1000);
  assert.equal(pair.b.messages.length, 2);
});

test('the queue has a limit, says so at the door, and keeps all it has accepted', () => {
  const pair = new SimulatedPair(24);
  pair.share(CONFERENCES[0]);
  let accepted = 0;
  for (let number = 0; number < QUEUED_MESSAGES_MAX + 10; number++) {
    if (pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, message(SENDERS[0], number, 8))) accepted++;
  }
  assert.equal(accepted, QUEUED_MESSAGES_MAX);
  assert.equal(pair.a.link?.counters.messagesRefused, 10);
  pair.runUntil(() => pair.b.messages.length === accepted, 20_000);
  const numbers = pair.b.messages.map(seen => Buffer.from(seen.bytes).readUInt32BE(4));
  assert.deepEqual(
    numbers,
    [...numbers].sort((left, right) => left - right),
  );
});

test('lossy messages are fragmented, arrive at most once, and are never repeated', () => {
  const pair = connected(25, { loss: 0.2, delayMs: 20 });
  for (let number = 0; number < 100; number++) {
    const size = number % 10 === 0 ? 3000 : 100;
    pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], false, message(SENDERS[0], number, size));
    pair.run(20);
  }
  pair.run(1000);
  const numbers = pair.b.messages.map(seen => Buffer.from(seen.bytes).readUInt32BE(4));
  assert.equal(new Set(numbers).size, numbers.length);
  assert.ok(numbers.length >= 55 && numbers.length <= 92, `${numbers.length}`);
  assert.ok(pair.b.messages.some(seen => seen.bytes.length === 3000));
  assert.ok(pair.b.messages.every(seen => !seen.isReliable));
});

test('lossy messages in part are forgotten: beyond 32 the oldest, after half a second all', () => {
  const assembly = new LossyAssembly();
  const part = (number: number, index: number) => ({ message: number, index, count: 2, bytes: Buffer.from('x') });
  for (let number = 0; number < 33; number++) {
    assert.equal(assembly.handleFragment(0, CONFERENCES[0], SENDERS[0], part(number, 0)), undefined);
  }
  assert.equal(assembly.handleFragment(1, CONFERENCES[0], SENDERS[0], part(0, 1)), undefined);
  assert.equal(assembly.handleFragment(1, CONFERENCES[0], SENDERS[0], part(32, 1))?.bytes.length, 2);
  assert.equal(assembly.handleTimeout(400), 0);
  assert.ok(assembly.handleTimeout(501) > 30);
});

test('messages that a restarted peer may have delivered are not sent to its successor, those not begun are', () => {
  const pair = connected(26);
  pair.run(300);
  pair.path.loss = 1;
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.from('under way'));
  pair.run(1500);
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.from('waiting'));
  pair.b.restart();
  pair.path.loss = 0;
  pair.share(CONFERENCES[0]);
  pair.run(1000);
  assert.deepEqual(
    pair.b.messages.map(seen => Buffer.from(seen.bytes).toString()),
    ['waiting'],
  );
  assert.equal(pair.a.link?.counters.messagesAbandoned, 1);
});

test('a link that the peer has made anew gets nothing numbered for the old one', () => {
  const pair = connected(29);
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.from('to the old one'));
  pair.run(300);
  const peers = [pair.a.peer, pair.b.peer];
  // The good-bye is lost, and at first everything that shows the new incarnation: acknowledgements, wants, pings.
  let isHushed = true;
  pair.filter = (bytes, from) => {
    const type = bytes[0] & 0x0f;
    if (from !== pair.b || bytes[0] < 192) return true;
    return type !== 10 && !(isHushed && [3, 4, 5, 8].includes(type));
  };
  for (const conference of CONFERENCES) pair.b.relay.removeConference(conference);
  for (const conference of CONFERENCES) pair.b.relay.setPeers(conference, peers);
  const before = pair.a.link?.counters.handshakes ?? 0;
  pair.runUntil(() => (pair.a.link?.counters.handshakes ?? 0) > before, 3000);
  pair.a.relay.sendMessage(B, CONFERENCES[0], SENDERS[0], true, Buffer.from('to the new one'));
  pair.run(200);
  isHushed = false;
  pair.run(2000);
  assert.deepEqual(
    pair.b.messages.map(seen => Buffer.from(seen.bytes).toString()),
    ['to the old one', 'to the new one'],
  );
  assert.equal(pair.a.link?.counters.messagesAbandoned, 0);
});

test('the first incarnation of a session holds; only the newest session can show another one', () => {
  const pair = connected(30);
  const wire = { sendsRuns: false, outgoing: Buffer.alloc(0), reserve: () => -1, commit: () => {} };
  const counters = createLinkCounters();
  const dialogue = new LinkDialogue(B, 1, new FrameOutput(0, wire, counters), counters, pair.a);
  const keys = cutSessionKeys(Buffer.alloc(EXPORTER_BYTES), 'client');
  const [first, second] = [
    new LinkSession(0, keys, counters, PORTABLE_FRAME_CIPHERS),
    new LinkSession(0, keys, counters, PORTABLE_FRAME_CIPHERS),
  ];
  assert.equal(dialogue.meet(0, first, true, 0), false);
  assert.equal(dialogue.meet(0, first, true, 7), true);
  assert.equal(dialogue.meet(0, first, true, 8), false, 'a session has one incarnation');
  assert.equal(dialogue.meet(0, second, true, 8), true);
  assert.equal(dialogue.meet(0, first, false, 7), false, 'the former one is over');
  assert.equal(dialogue.meet(0, second, true, 8), true);
});

test('wants converge to the newest state through loss, and never go back', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const pair = connected(seed, BAD_PATH);
      let version = 0;
      for (let change = 0; change < 30; change++) {
        version = change;
        const wants = manyWants(Math.floor(pair.random() * 600), version);
        pair.a.relay.setWanted(CONFERENCES[0], B, wants);
        pair.run(Math.floor(pair.random() * 10) * 20);
      }
      const last = manyWants(500, 30);
      pair.a.relay.setWanted(CONFERENCES[0], B, last);
      pair.runUntil(() => pair.b.wanted.at(-1)?.wants.length === 500, 20_000);
      pair.run(1000);
      const seen = pair.b.wanted.filter(({ conferenceId }) => conferenceId === CONFERENCES[0]);
      assert.deepEqual(seen.at(-1)?.wants, last);
      const versions = seen.filter(({ wants }) => wants.length > 0).map(({ wants }) => wants[0].endpointId >>> 16);
      assert.deepEqual(
        versions,
        [...versions].sort((left, right) => left - right),
      );
    }),
    { numRuns: 5 },
  );
});

test('more wants than a link can carry are refused and change nothing', () => {
  const pair = connected(27);
  assert.equal(pair.a.relay.setWanted(CONFERENCES[0], B, manyWants(ENTRIES_MAX + 1, 1)), false);
  assert.equal(pair.a.relay.setWanted(CONFERENCES[0], B, manyWants(ENTRIES_MAX, 1)), true);
  pair.run(500);
  assert.equal(pair.b.wanted.at(-1)?.wants.length, ENTRIES_MAX);
});

test('the same wants again cost nothing', () => {
  const pair = connected(28);
  pair.b.relay.setWanted(CONFERENCES[0], A, manyWants(3, 1));
  pair.run(300);
  const before = pair.a.wanted.length;
  for (let repeat = 0; repeat < 5; repeat++) {
    pair.b.relay.setWanted(CONFERENCES[0], A, manyWants(3, 1));
    pair.run(50);
  }
  assert.equal(pair.a.wanted.length, before);
});

/** `count` entries whose endpoint IDs carry `version`. */
function manyWants(count: number, version: number): Want[] {
  return Array.from({ length: count }, (_, index) => ({
    endpointId: (version * 0x10000 + index + 1) as EndpointId,
    sourceId: (index % 256) as SourceId,
    viewers: [1 + (index % 7), index % 3, 0],
  }));
}
