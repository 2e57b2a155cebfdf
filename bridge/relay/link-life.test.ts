import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { CLASS_AUDIO, CLASS_VIDEO } from './media-class.ts';
import { type SimulatedBridge, SimulatedPair } from './simulated-pair.ts';

const CONFERENCE = 1 as ConferenceId;
const OTHER = 2 as ConferenceId;
const ALICE = 3 as EndpointId;
const MICROPHONE = 0 as SourceId;
const CAMERA = 1 as SourceId;
const A = 'a' as BridgeId;
const B = 'b' as BridgeId;
const WANT: Want = { endpointId: ALICE, sourceId: CAMERA, viewers: [1, 0, 0] };

function isUp(pair: SimulatedPair): boolean {
  return pair.a.link?.state === 'up' && pair.b.link?.state === 'up';
}

function connected(seed: number, path = {}): SimulatedPair {
  const pair = new SimulatedPair(seed, path);
  pair.share(CONFERENCE);
  pair.runUntil(() => isUp(pair), 5000);
  pair.run(500);
  return pair;
}

function sendPacket(from: SimulatedBridge, sourceId: SourceId, number: number, length: number): void {
  const { link } = from;
  if (link === undefined) return;
  const bytes = Buffer.alloc(length, 0x80);
  bytes.writeUInt32BE(number, 8);
  const mediaClass = sourceId === MICROPHONE ? CLASS_AUDIO : CLASS_VIDEO;
  from.relay.sendPacket(link, CONFERENCE, ALICE, sourceId, 0, mediaClass, bytes, 0, length);
}

/** Audio and video both ways for `durationMs`; `sentMs` gets when each was sent. */
function talk(pair: SimulatedPair, durationMs: number, sentMs: number[] = []): void {
  pair.run(durationMs, () => {
    sentMs.push(pair.nowMs);
    for (const from of [pair.a, pair.b]) {
      sendPacket(from, MICROPHONE, sentMs.length - 1, 100);
      for (let packet = 0; packet < 3; packet++) sendPacket(from, CAMERA, sentMs.length - 1, 1000);
    }
  });
}

const CUTS: readonly (readonly [name: string, isCut: (pair: SimulatedPair, from: SimulatedBridge) => boolean])[] = [
  ['both ways', () => true],
  ['from a to b', (pair, from) => from === pair.a],
  ['from b to a', (pair, from) => from === pair.b],
];

for (const [name, isCut] of CUTS) {
  for (const delayMs of [10, 100]) {
    test(`after a cut of 10 s ${name}, at ${2 * delayMs} ms: media at once, nothing stale, messages complete and in order`, () => {
      for (const phaseMs of [0, 30, 70]) {
        const pair = connected(41, { delayMs });
        talk(pair, 1000 + phaseMs);
        pair.filter = (_bytes, from) => !isCut(pair, from);
        for (let index = 0; index < 50; index++) {
          const { relay } = index % 2 === 0 ? pair.a : pair.b;
          assert.ok(relay.sendMessage(index % 2 === 0 ? B : A, CONFERENCE, ALICE, true, Buffer.from(`${index}`)));
          talk(pair, 200);
        }
        const healedMs = pair.nowMs;
        for (const side of [pair.a, pair.b]) side.packets = [];
        pair.filter = () => true;
        const sentMs: number[] = [];
        talk(pair, 4000, sentMs);
        for (const side of [pair.a, pair.b]) {
          const firstMs = side.packets[0].atMs - healedMs;
          // A ping is due within 100 ms; it brings one side up, its answer the other; then the packet takes its way.
          assert.ok(firstMs <= 120 + 3 * delayMs, `${side.id}: first packet after ${firstMs} ms`);
          assert.equal(side.link?.state, 'up');
          const stale = side.packets.filter(
            ({ bytes, atMs }) => atMs - sentMs[bytes.readUInt32BE(8)] > 2 * delayMs + 60,
          );
          assert.ok(stale.length <= 8, `${side.id}: ${stale.length} stale packets`);
        }
        const messages = [pair.b, pair.a].map(side => side.messages.map(({ bytes }) => Number(Buffer.from(bytes))));
        assert.deepEqual(messages, [
          Array.from({ length: 25 }, (_, index) => 2 * index),
          Array.from({ length: 25 }, (_, index) => 2 * index + 1),
        ]);
      }
    });
  }
}

test('a peer that has died is known to be dead within a second, whenever it died', () => {
  for (let phaseMs = 0; phaseMs < 260; phaseMs += 13) {
    const pair = connected(42, { delayMs: 120 });
    pair.run(1000 + phaseMs);
    const died = pair.a;
    pair.filter = (_bytes, from) => from !== died;
    const downMs = pair.runUntil(() => pair.b.link?.state === 'down', 3000);
    assert.ok(downMs <= 1000, `${downMs} ms`);
    assert.ok(downMs >= 700, `${downMs} ms: what was under way still came`);
  }
});

test('a link that loses every fifth frame and carries nothing but pings stays up', () => {
  const pair = connected(43, { delayMs: 100, jitterMs: 40, loss: 0.2 });
  for (const side of [pair.a, pair.b]) side.states = [];
  pair.run(600_000);
  assert.deepEqual([pair.a.states, pair.b.states], [[], []]);
});

test('an idle link keeps itself alive with fewer than ten frames a second each way', () => {
  const pair = connected(44);
  const before = pair.a.link?.counters.packetsOut ?? 0;
  pair.run(10_000);
  const sent = (pair.a.link?.counters.packetsOut ?? 0) - before;
  assert.ok(sent >= 75 && sent <= 90, `${sent} in ten seconds`);
});

test('both bridges restart at once: the link is up again as soon as both know', () => {
  for (const order of ['ab', 'ba']) {
    const pair = connected(45);
    pair.a.relay.setWanted(CONFERENCE, B, [WANT]);
    pair.run(200);
    for (const side of [pair.a, pair.b]) {
      side.restart();
      side.wanted = [];
    }
    const [first, second] = order === 'ab' ? [pair.a, pair.b] : [pair.b, pair.a];
    first.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    pair.run(700);
    second.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    const upMs = pair.runUntil(() => isUp(pair), 1000);
    assert.ok(upMs <= 150, `${order}: ${upMs} ms`);
    pair.run(300);
    assert.deepEqual(pair.b.wanted.at(-1)?.wants, [], 'nothing of the former processes is left');
    pair.a.relay.setWanted(CONFERENCE, B, [WANT]);
    pair.a.relay.sendMessage(B, CONFERENCE, ALICE, true, Buffer.from('x'));
    pair.run(200);
    assert.deepEqual(pair.b.wanted.at(-1)?.wants, [WANT]);
    assert.equal(pair.b.messages.length, 1);
  }
});

test('a bridge that restarts again and again is met as new each time', () => {
  const pair = connected(46);
  for (let round = 0; round < 5; round++) {
    const side = round % 2 === 0 ? pair.a : pair.b;
    side.restart();
    side.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    const other = side === pair.a ? pair.b : pair.a;
    other.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    pair.runUntil(() => isUp(pair), 1000);
    pair.run(300);
    side.messages = [];
    other.messages = [];
    assert.ok(other.relay.sendMessage(side.id, CONFERENCE, ALICE, true, Buffer.from(`to ${round}`)));
    assert.ok(side.relay.sendMessage(other.id, CONFERENCE, ALICE, true, Buffer.from(`from ${round}`)));
    pair.run(300);
    assert.deepEqual([side.messages.length, other.messages.length], [1, 1], `round ${round}`);
  }
});

test('a conference that leaves a bridge wants nothing there one path delay later, before the next tick', () => {
  const pair = connected(47, { delayMs: 80 });
  pair.share(OTHER);
  pair.b.relay.setWanted(CONFERENCE, A, [WANT]);
  pair.run(500);
  let stoppedMs = Number.POSITIVE_INFINITY;
  const count = pair.a.wanted.length;
  pair.run(5);
  pair.b.relay.removeConference(CONFERENCE);
  const leftMs = pair.nowMs;
  pair.run(
    200,
    () => {
      if (pair.a.wanted.length > count) stoppedMs = Math.min(stoppedMs, pair.nowMs);
    },
    1,
  );
  assert.ok(stoppedMs - leftMs <= 81, `${stoppedMs - leftMs} ms`);
  assert.deepEqual(pair.a.wanted.at(-1), { conferenceId: CONFERENCE, wants: [] });
});

test('a leave that is lost on the way is said again within two round trips', () => {
  const pair = connected(48, { delayMs: 80 });
  pair.share(OTHER);
  pair.b.relay.setWanted(CONFERENCE, A, [WANT]);
  pair.run(500);
  let isLost = false;
  pair.filter = (bytes, from) => {
    if (isLost || from === pair.a || (bytes[0] & 0x0f) !== 4) return true;
    isLost = true;
    return false;
  };
  const count = pair.a.wanted.length;
  pair.b.relay.removeConference(CONFERENCE);
  const stoppedMs = pair.runUntil(() => pair.a.wanted.length > count, 1000);
  assert.ok(isLost && stoppedMs <= 80 + 320, `${stoppedMs} ms`);
});
