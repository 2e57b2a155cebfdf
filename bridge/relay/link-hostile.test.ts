import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { LinkCounters } from './link-counters.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { SimulatedPair } from './simulated-pair.ts';

const CONFERENCE = 1 as ConferenceId;
const ALICE = 2 as EndpointId;
const CAMERA = 1 as SourceId;
const B = 'b' as BridgeId;

/** A pair that has exchanged one of everything, and what crossed from a to b. */
function withTraffic(): { pair: SimulatedPair; captured: readonly Buffer[] } {
  const pair = new SimulatedPair(31);
  const captured: Buffer[] = [];
  pair.filter = (bytes, from) => {
    if (from === pair.a) captured.push(Buffer.from(bytes));
    return true;
  };
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 2000);
  pair.run(300);
  const { link } = pair.a;
  assert.ok(link);
  pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, Buffer.alloc(60, 0x80), 0, 60);
  pair.a.relay.sendMessage(B, CONFERENCE, ALICE, true, Buffer.from('reliable'));
  pair.a.relay.sendMessage(B, CONFERENCE, ALICE, false, Buffer.from('lossy'));
  pair.a.relay.setWanted(CONFERENCE, B, [{ endpointId: ALICE, sourceId: CAMERA, viewers: [1, 0, 0] }]);
  pair.a.relay.requestKeyFrame(B, CONFERENCE, ALICE, CAMERA, 0);
  pair.run(300);
  return { pair, captured: captured.filter(bytes => bytes[0] >= 192) };
}

const REFUSALS: readonly (keyof LinkCounters)[] = ['malformed', 'replayed', 'forged'];

/** Everything observable of b but the counts of what was refused. */
function stateOf(pair: SimulatedPair): unknown {
  const { b } = pair;
  const counters = Object.entries(b.link?.counters ?? {}).filter(
    ([name]) => name !== 'handshakesFailed' && !REFUSALS.includes(name as keyof LinkCounters),
  );
  return structuredClone([b.packets, b.messages, b.wanted, b.keyFrameRequests, b.states, counters, b.link?.state]);
}

function refused(pair: SimulatedPair): number {
  const counters = pair.b.link?.counters;
  assert.ok(counters);
  return REFUSALS.reduce((sum, name) => sum + counters[name], 0);
}

test('replayed datagrams of every type change nothing', () => {
  const { pair, captured } = withTraffic();
  const before = stateOf(pair);
  const refusedBefore = refused(pair);
  assert.ok(captured.length > 10);
  for (const bytes of captured) pair.b.receive(bytes);
  assert.deepEqual(stateOf(pair), before);
  assert.equal(refused(pair), refusedBefore + captured.length);
});

test('a datagram with any bit changed is refused and changes nothing', () => {
  const { pair, captured } = withTraffic();
  const fresh = withFreshDatagram(pair);
  const before = stateOf(pair);
  for (const bytes of [fresh, ...captured.slice(-4)]) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const mutated = Buffer.from(bytes);
      mutated[bit >> 3] ^= 1 << (bit & 7);
      if (mutated[0] < 64) continue;
      const refusedBefore = refused(pair);
      pair.b.receive(mutated);
      assert.equal(refused(pair), refusedBefore + 1, `bit ${bit}`);
    }
  }
  assert.deepEqual(stateOf(pair), before);
  pair.b.receive(fresh);
  assert.equal(pair.b.packets.length, 2, 'the unchanged datagram is still welcome');
});

test('random datagrams of any kind change nothing and never throw', () => {
  const { pair } = withTraffic();
  const before = stateOf(pair);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(undefined, 0xe0, 0xe1, 0xe4, 0xe8, 22),
      (bytes, first) => {
        const datagram = Buffer.from(bytes);
        if (first !== undefined && datagram.length > 0) datagram[0] = first;
        pair.b.receive(datagram);
      },
    ),
    { numRuns: 500 },
  );
  assert.deepEqual(stateOf(pair), before);
});

test('a stranger with the right address cannot take an established link down', () => {
  const { pair } = withTraffic();
  const hello = Buffer.concat([Buffer.of(22, 1), Buffer.alloc(16, 7), Buffer.from('whatever fingerprint')]);
  for (let repeat = 0; repeat < 100; repeat++) {
    hello[5] = repeat;
    pair.b.receive(hello);
    pair.run(10);
  }
  assert.equal(pair.b.link?.state, 'up');
  assert.ok((pair.b.link?.counters.handshakesFailed ?? 0) <= 21, 'and is only listened to ten times a second');
  const { link } = pair.a;
  assert.ok(link);
  pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, Buffer.alloc(60, 0x80), 0, 60);
  pair.run(100);
  assert.equal(pair.b.packets.length, 2);
});

test('a nudge from a stranger makes a working link shake no hands', () => {
  const { pair } = withTraffic();
  const before = pair.a.link?.counters.handshakes;
  const nudge = Buffer.from('16fefd0000000000000000000c000000000000000000000000', 'hex');
  for (let repeat = 0; repeat < 50; repeat++) {
    pair.a.receive(nudge);
    pair.run(20);
  }
  assert.equal(pair.a.link?.counters.handshakes, before);
});

test('datagrams from an address that is no peer are counted and go no further', () => {
  const { pair, captured } = withTraffic();
  const nobody = { address: '192.0.2.1', port: 1, family: 'IPv4', owner: undefined } as const;
  const before = stateOf(pair);
  for (const bytes of captured) pair.b.relay.handleDatagram(pair.nowMs, Buffer.from(bytes), 0, bytes.length, nobody);
  assert.equal(pair.b.relay.strangers, captured.length);
  assert.deepEqual(stateOf(pair), before);
});

test('an authentic frame against the specification is dropped and counted', () => {
  const { pair } = withTraffic();
  const { link } = pair.a;
  assert.ok(link);
  pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 9, CLASS_VIDEO, Buffer.alloc(60, 0x80), 0, 60);
  pair.a.relay.sendPacket(link, CONFERENCE, 0 as EndpointId, CAMERA, 0, CLASS_VIDEO, Buffer.alloc(60, 0x80), 0, 60);
  pair.run(100);
  assert.equal(pair.b.link?.counters.violations, 2);
  assert.equal(pair.b.packets.length, 1);
});

/** A media datagram that b has not seen. */
function withFreshDatagram(pair: SimulatedPair): Buffer {
  let fresh: Buffer | undefined;
  pair.filter = (bytes, from) => {
    if (from !== pair.a || bytes[0] !== 0xe0) return true;
    fresh = Buffer.from(bytes);
    return false;
  };
  const { link } = pair.a;
  assert.ok(link);
  pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, Buffer.alloc(60, 0x80), 0, 60);
  assert.ok(fresh);
  return fresh;
}
