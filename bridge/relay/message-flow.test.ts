/** Who may send how much over a link, who is told to wait, and for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError } from '../../protocol/errors.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import {
  FRAGMENTS_MAX,
  MESSAGE_BYTES_MAX,
  OPEN_MESSAGES_MAX,
  RELIABLE_FRAGMENT_BYTES_MAX,
} from '../../protocol/octo/message.ts';
import { GONE_MS } from './link.ts';
import { QUEUED_BYTES_MAX, SENDER_BYTES_MAX, SENDER_MESSAGES_MAX } from './message-lanes.ts';
import { ASSEMBLY_BYTES_MAX, MessageReceiver } from './message-receiver.ts';
import { MessageSender } from './message-sender.ts';
import { SimulatedPair } from './simulated-pair.ts';

const CONFERENCE = 1 as ConferenceId;
const [ADA, BOB] = [10, 11].map(id => id as EndpointId);
const B = 'b' as BridgeId;

function connected(seed: number, path = {}): SimulatedPair {
  const pair = new SimulatedPair(seed, path);
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 5000);
  pair.run(500);
  return pair;
}

/** Sends as a bridge does: only when nothing stands in the way. */
function offer(pair: SimulatedPair, sender: EndpointId, bytes: number): boolean {
  if (pair.a.relay.messageObstacle(B, CONFERENCE, sender, bytes) !== undefined) return false;
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCE, sender, true, Buffer.alloc(bytes)), true);
  return true;
}

test('a sender is stopped at its share of a link, and goes on when most of that has left, not with each message', () => {
  const pair = connected(1, { delayMs: 100 });
  let offered = 0;
  while (offer(pair, ADA, 15_000)) offered++;
  assert.ok(offered * 15_000 <= SENDER_BYTES_MAX + 64 * 15_000 && offered * 15_000 > SENDER_BYTES_MAX - 15_000);
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, ADA, 15_000), 'sender-share');
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, BOB, 15_000), undefined);
  assert.equal(pair.a.relay.isDrained(B, CONFERENCE, ADA), false);
  pair.runUntil(() => pair.a.relay.isDrained(B, CONFERENCE, ADA), 5000);
  const [{ messagesQueuedBytes }] = pair.a.relay.snapshot();
  assert.ok(messagesQueuedBytes > 0 && messagesQueuedBytes <= SENDER_BYTES_MAX / 4, `${messagesQueuedBytes}`);
});

test('however many send without end, a link keeps room for one more who sends a little', () => {
  const pair = new SimulatedPair(2);
  pair.share(CONFERENCE);
  for (let sender = 100; sender < 200; sender++) while (offer(pair, sender as EndpointId, 15_000)) {}
  const [{ messagesQueuedBytes }] = pair.a.relay.snapshot();
  assert.ok(messagesQueuedBytes <= QUEUED_BYTES_MAX);
  const small = new SimulatedPair(3);
  small.share(CONFERENCE);
  for (let sender = 100; sender < 116; sender++) while (offer(small, sender as EndpointId, 15_000)) {}
  assert.equal(offer(small, ADA, 1000), true);
  assert.equal(small.a.relay.messageObstacle(B, CONFERENCE, 100 as EndpointId, 1000), 'link-down');
});

test('a small message overtakes what another sender has waiting, however much that is', () => {
  const pair = connected(4, { delayMs: 20 });
  assert.ok(pair.a.link);
  pair.a.link.sendBudgetBps = 2_000_000;
  for (let count = 0; count < 13; count++) {
    assert.equal(pair.a.relay.sendMessage(B, CONFERENCE, ADA, true, Buffer.alloc(MESSAGE_BYTES_MAX)), true);
  }
  pair.run(500);
  assert.equal(pair.b.messages.length, 0, 'at 500 kbit/s the first takes seconds');
  pair.a.relay.sendMessage(B, CONFERENCE, BOB, true, Buffer.from('hello'));
  const waitedMs = pair.runUntil(() => pair.b.messages.length === 1, 1000);
  assert.equal(pair.b.messages[0].endpointId, BOB);
  assert.ok(waitedMs <= 150, `${waitedMs} ms`);
});

test('a small message passes sixteen large ones that take turns', () => {
  const pair = connected(5, { delayMs: 20 });
  assert.ok(pair.a.link);
  pair.a.link.sendBudgetBps = 4_000_000;
  for (let sender = 100; sender < 120; sender++) {
    pair.a.relay.sendMessage(B, CONFERENCE, sender as EndpointId, true, Buffer.alloc(200_000));
  }
  pair.run(300);
  pair.a.relay.sendMessage(B, CONFERENCE, BOB, true, Buffer.from('hello'));
  const waitedMs = pair.runUntil(() => pair.b.messages.length === 1, 2000);
  assert.equal(pair.b.messages[0].endpointId, BOB);
  assert.ok(waitedMs <= 500, `${waitedMs} ms`);
  pair.runUntil(() => pair.b.messages.length === 21, 120_000);
});

test('a sender that the other side holds begins nothing new, all others go on; let go, it goes on within a round trip', () => {
  const pair = connected(6, { delayMs: 50 });
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, true);
  pair.run(200);
  for (let count = 0; count < 10; count++) offer(pair, ADA, 1000);
  offer(pair, BOB, 1000);
  pair.run(20_000);
  assert.deepEqual(
    pair.b.messages.map(({ endpointId }) => endpointId),
    [BOB],
  );
  assert.equal(pair.a.relay.snapshot()[0].sendersHeldByPeer, 1);
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, false);
  pair.run(150);
  assert.equal(pair.b.messages.length, 11);
});

test('a held sender fills its share and is told what it waits for', () => {
  const pair = connected(7);
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, true);
  pair.run(200);
  let offered = 0;
  while (offer(pair, ADA, 100)) offered++;
  assert.equal(offered, SENDER_MESSAGES_MAX);
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, ADA, 100), 'peer-holds');
});

test('who is held stays so through loss, and a lost release costs a second at most', () => {
  const pair = connected(8, { loss: 0.4, delayMs: 50 });
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, true);
  pair.run(1500);
  for (let count = 0; count < 500; count++) offer(pair, ADA, 1000);
  pair.run(10_000);
  assert.equal(pair.b.messages.length, 0);
  pair.filter = (bytes, from) => !(from === pair.b && (bytes[0] & 0x0f) === 3);
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, false);
  pair.run(1500);
  assert.ok(pair.b.messages.length > 0);
});

test('a restarted bridge holds nobody, and is held by nobody', () => {
  const pair = connected(9);
  pair.b.relay.holdSender('a' as BridgeId, CONFERENCE, ADA, true);
  pair.a.relay.holdSender(B, CONFERENCE, ADA, true);
  pair.run(300);
  pair.b.restart();
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.b.link?.state === 'up', 5000);
  offer(pair, ADA, 1000);
  pair.run(500);
  assert.equal(pair.b.messages.length, 1);
  assert.equal(pair.a.relay.snapshot()[0].sendersHeldHere, 0);
});

test('messages wait for a peer that is away, and after half a minute nobody waits for it any more', () => {
  const pair = connected(10);
  pair.path.loss = 1;
  pair.run(2000);
  let waiting = 0;
  while (offer(pair, ADA, 10_000)) waiting++;
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, ADA, 10_000), 'link-down');
  pair.run(GONE_MS - 3000);
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, ADA, 10_000), 'link-down');
  assert.equal(pair.a.relay.snapshot()[0].messagesQueued, waiting);
  pair.run(3000);
  assert.equal(pair.a.relay.messageObstacle(B, CONFERENCE, ADA, 10_000), undefined);
  assert.equal(pair.a.relay.isDrained(B, CONFERENCE, ADA), true);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCE, ADA, true, Buffer.from('nobody there')), false);
  const [link] = pair.a.relay.snapshot();
  assert.deepEqual([link.messagesQueued, link.messagesGivenUp], [0, waiting + 1]);
  pair.path.loss = 0;
  pair.runUntil(() => pair.a.link?.state === 'up', 5000);
  offer(pair, ADA, 10);
  pair.run(500);
  assert.deepEqual(
    pair.b.messages.map(({ bytes }) => bytes.length),
    [10],
  );
});

test('lossy messages take an eighth of a narrow link and are dropped above it; reliable ones are not in their way', () => {
  const pair = connected(13, { delayMs: 20 });
  assert.ok(pair.a.link);
  pair.a.link.sendBudgetBps = 1_600_000;
  pair.run(2000);
  let sent = 0;
  pair.run(10_000, () => {
    for (let count = 0; count < 5; count++) {
      if (pair.a.relay.sendMessage(B, CONFERENCE, ADA, false, Buffer.alloc(1000))) sent++;
    }
    offer(pair, BOB, 1000);
  });
  const bps = (sent * 1072 * 8) / 10;
  assert.ok(bps > 190_000 && bps < 280_000, `${bps} bit/s`);
  assert.equal(pair.a.link.counters.lossyMessagesDropped, 5000 - sent);
  const reliable = pair.b.messages.filter(({ isReliable }) => isReliable).length;
  assert.ok(reliable > 300, `${reliable}`);
});

test('20 Mbit/s and more at a round trip of 200 ms', () => {
  const pair = connected(11, { delayMs: 100 });
  let delivered = 0;
  const fill = () => {
    while (offer(pair, ADA, 15_000)) {}
    while (offer(pair, BOB, 15_000)) {}
    for (const { bytes } of pair.b.messages) delivered += bytes.length;
    pair.b.messages = [];
  };
  pair.run(3000, fill);
  delivered = 0;
  pair.run(2000, fill);
  assert.ok((delivered * 8) / 2 > 18_000_000, `${(delivered * 8) / 2} bit/s`);
});

test('a fragment is sent again when it is overdue, and not before: a clean path repeats none', () => {
  const pair = connected(12, { delayMs: 80, jitterMs: 40 });
  for (let count = 0; count < 200; count++) {
    offer(pair, ADA, 3000);
    pair.run(20);
  }
  pair.run(1000);
  assert.equal(pair.b.messages.length, 200);
  const repeated = pair.a.link?.counters.fragmentsRepeated ?? 0;
  assert.ok(repeated < 6, `${repeated} of 600`);
});

/** What a sender has sent, in place of a link; everything is acknowledged when it is asked for. */
function fragmentsOf(sender: MessageSender, count: number) {
  const fragments = [];
  for (let nowMs = 0; fragments.length < count && nowMs < 60_000; nowMs += 10) {
    sender.handleTimeout(nowMs, 50, { budgetBps: Number.POSITIVE_INFINITY, sentBps: 0, isAllWantedSent: true });
    for (;;) {
      const fragment = sender.pollFragment(nowMs, 50);
      if (fragment === undefined) break;
      fragments.push({ ...fragment });
      const lowest = fragment.fsn + 1;
      sender.handleAck(nowMs, 50, { incarnation: 1, lowest, bitmap: new Uint8Array(0), held: [] });
    }
  }
  return fragments.slice(0, count);
}

test('senders take turns fragment by fragment, and no more than sixteen messages of several fragments are open', () => {
  const sender = new MessageSender(1);
  for (let id = 1; id <= 20; id++) {
    sender.enqueue(CONFERENCE, id as EndpointId, Buffer.alloc(10 * RELIABLE_FRAGMENT_BYTES_MAX));
  }
  const fragments = fragmentsOf(sender, 200);
  assert.deepEqual(
    fragments.slice(0, 32).map(({ endpointId }) => endpointId),
    [...Array(2)].flatMap(() => Array.from({ length: OPEN_MESSAGES_MAX }, (_, index) => index + 1)),
  );
  assert.equal(fragments.length, 200);
});

test('a peer that begins messages without end is refused before it takes more memory than the window allows', () => {
  const receiver = new MessageReceiver();
  const bytes = Buffer.alloc(RELIABLE_FRAGMENT_BYTES_MAX);
  let refused = 0;
  for (let fsn = 1; fsn < 20_000; fsn++) {
    const fragment = { incarnation: 1, fsn, first: fsn, previous: 0, index: 0, count: FRAGMENTS_MAX, bytes };
    try {
      receiver.handleFragment(CONFERENCE, ADA, fragment);
    } catch (error) {
      assert.ok(error instanceof DecodeError);
      assert.equal(error.reason, 'octo-message-overrun');
      refused++;
    }
  }
  assert.ok(refused > 0);
  assert.ok(receiver.assemblyBytes <= ASSEMBLY_BYTES_MAX);
});

test('fragments that contradict each other are refused', () => {
  const receiver = new MessageReceiver();
  const fragment = { incarnation: 1, fsn: 1, first: 1, previous: 0, index: 0, count: 3, bytes: Buffer.from('x') };
  receiver.handleFragment(CONFERENCE, ADA, fragment);
  const next = { ...fragment, fsn: 2, index: 1 };
  for (const wrong of [{ count: 2 }, { previous: 7 }, { index: 0 }]) {
    assert.throws(() => receiver.handleFragment(CONFERENCE, ADA, { ...next, ...wrong }), /octo-message-contradiction/);
  }
  assert.throws(() => receiver.handleFragment(CONFERENCE, BOB, next), /octo-message-contradiction/);
  assert.throws(
    () => receiver.handleFragment(CONFERENCE, ADA, { ...next, fsn: 2, first: 0 }),
    /octo-message-contradiction/,
  );
});
