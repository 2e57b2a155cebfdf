import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinkCounters } from '../../../bridge/relay/link-counters.ts';
import { CLASS_AUDIO } from '../../../bridge/relay/media-class.ts';
import { SimulatedBridge, SimulatedPair } from '../../../bridge/relay/simulated-pair.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../../protocol/octo/aead.ts';
import { measureHostile } from './hostile-cost.ts';
import { HOSTILE_BYTES_MAX, HOSTILE_KINDS, HostileDatagrams, type HostileKind } from './hostile-datagrams.ts';

const CONFERENCE = 1 as ConferenceId;
const ALICE = 2 as EndpointId;
const MICROPHONE = 0 as SourceId;

/** One of everything crosses, both ways, for `durationMs`; every 17th frame is lost. */
function talk(pair: SimulatedPair, durationMs: number): void {
  pair.filter = bytes => bytes[0] < 192 || bytes.readUInt32BE(4) % 17 !== 5;
  pair.run(durationMs, () => {
    for (const from of [pair.a, pair.b]) {
      const { link } = from;
      assert.ok(link);
      const packet = Buffer.alloc(80 + (pair.nowMs % 7), 0x80);
      from.relay.sendPacket(link, CONFERENCE, ALICE, MICROPHONE, 0, CLASS_AUDIO, packet, 0, packet.length);
      if (pair.nowMs % 100 !== 0) continue;
      from.relay.sendMessage(link.peerId, CONFERENCE, ALICE, true, Buffer.from(`${from.id} at ${pair.nowMs}`));
      from.relay.setWanted(CONFERENCE, link.peerId, [
        { endpointId: ALICE, sourceId: MICROPHONE, viewers: [1 + (pair.nowMs % 3), 0, 0] },
      ]);
      from.relay.requestKeyFrame(link.peerId, CONFERENCE, ALICE, MICROPHONE, 0);
    }
  });
}

/** Two bridges that talk, and the datagrams of frames that each has taken. */
function talking(): { pair: SimulatedPair; taken: Map<SimulatedBridge, Buffer[]>; sent: Buffer[] } {
  const pair = new SimulatedPair(61);
  const taken = new Map<SimulatedBridge, Buffer[]>([
    [pair.a, []],
    [pair.b, []],
  ]);
  const sent: Buffer[] = [];
  const { send } = pair;
  pair.send = (from, bytes) => {
    // What DTLS answers to strangers is no part of the link's state.
    if (bytes[0] >= 192) {
      sent.push(bytes);
    }
    send.call(pair, from, bytes);
  };
  for (const [side, datagrams] of taken) {
    const { receive } = side;
    side.receive = bytes => {
      if (bytes[0] >= 192) datagrams.push(bytes);
      receive.call(side, bytes);
    };
  }
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 2000);
  talk(pair, 1000);
  for (const side of taken.keys()) side.receive = SimulatedBridge.prototype.receive;
  return { pair, taken, sent };
}

const REFUSALS: readonly (keyof LinkCounters)[] = ['malformed', 'replayed', 'forged', 'handshakesFailed'];

function seenBy({ packets, messages, wanted, keyFrameRequests, states, lossesMs, link }: SimulatedBridge): unknown {
  const counters = Object.entries(link?.counters ?? {}).filter(
    ([name]) => !REFUSALS.includes(name as keyof LinkCounters),
  );
  return [packets, messages, wanted, keyFrameRequests, states, lossesMs, counters, link?.meter.rttMs];
}

test('a flood changes nothing: every datagram and event after it is, byte for byte, as in a world without it', () => {
  const flooded = talking();
  const peaceful = talking();
  const target = Buffer.alloc(HOSTILE_BYTES_MAX);
  let injected = 0;
  const victims = [flooded.pair.a, flooded.pair.b].map(side => ({
    side,
    hostile: new HostileDatagrams(71, flooded.taken.get(side) ?? []),
  }));
  for (let round = 0; round < 50; round++) {
    for (const { side, hostile } of victims) {
      for (let index = 0; index < 300; index++, injected++) {
        side.receive(target.subarray(0, hostile.next(target)));
      }
    }
    talk(flooded.pair, 20);
    talk(peaceful.pair, 20);
  }
  talk(flooded.pair, 2000);
  talk(peaceful.pair, 2000);
  assert.equal(flooded.sent.length, peaceful.sent.length);
  for (const [index, bytes] of flooded.sent.entries())
    assert.ok(bytes.equals(peaceful.sent[index]), `datagram ${index}`);
  for (const name of ['a', 'b'] as const) {
    assert.deepEqual(seenBy(flooded.pair[name]), seenBy(peaceful.pair[name]), name);
  }
  const refused = (pair: SimulatedPair) =>
    [pair.a, pair.b].reduce(
      (sum, { link }) => sum + (link ? link.counters.malformed + link.counters.replayed + link.counters.forged : 0),
      0,
    );
  assert.ok(refused(flooded.pair) - refused(peaceful.pair) > injected * 0.8, 'what is no DTLS is counted');
});

const REFUSED_AS: Readonly<Partial<Record<HostileKind, keyof LinkCounters>>> = {
  'other-protocol': 'malformed',
  'wrong-version': 'malformed',
  short: 'malformed',
  'no-hops': 'malformed',
  replayed: 'replayed',
  forged: 'forged',
  oversized: 'forged',
};

test('each kind is refused where it is meant to be, and the same seed makes the same datagrams', () => {
  const { pair, taken } = talking();
  const [one, two] = [1, 2].map(() => new HostileDatagrams(72, taken.get(pair.b) ?? []));
  const [first, second] = [Buffer.alloc(HOSTILE_BYTES_MAX), Buffer.alloc(HOSTILE_BYTES_MAX)];
  for (const kind of HOSTILE_KINDS) {
    const { link } = pair.b;
    assert.ok(link);
    const expected = REFUSED_AS[kind];
    const before = expected === undefined ? 0 : link.counters[expected];
    for (let index = 0; index < 100; index++) {
      const length = one.next(first, kind);
      assert.equal(two.next(second, kind), length);
      assert.ok(length > 0 && first.subarray(0, length).equals(second.subarray(0, length)));
      pair.b.receive(first.subarray(0, length));
    }
    if (expected !== undefined) assert.equal(link.counters[expected], before + 100, kind);
  }
});

test('tens of thousands of all kinds have no effect and leave no memory behind', () => {
  const figures = measureHostile(73, 20_000, PORTABLE_FRAME_CIPHERS, 10);
  assert.equal(figures.effects, 0);
  assert.ok(figures.heapGrowthKb < 1024, `${figures.heapGrowthKb} kB`);
  for (const kind of ['other-protocol', 'wrong-version', 'short', 'no-hops', 'replayed'] as const) {
    assert.ok(figures.byKindNs[kind] < figures.goodNs / 4, `${kind}: ${figures.byKindNs[kind]} ns`);
  }
});

test('after a flood of hellos from the address of a peer that is down, the link comes up all the same', () => {
  const { pair, taken } = talking();
  pair.b.restart();
  pair.b.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
  const hostile = new HostileDatagrams(74, taken.get(pair.b) ?? []);
  const target = Buffer.alloc(HOSTILE_BYTES_MAX);
  for (let round = 0; round < 100; round++) {
    for (let index = 0; index < 20; index++) pair.b.receive(target.subarray(0, hostile.next(target, 'client-hello')));
    pair.run(10);
  }
  pair.a.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 2000);
  assert.equal(pair.a.link?.peerId, 'b' as BridgeId);
});
