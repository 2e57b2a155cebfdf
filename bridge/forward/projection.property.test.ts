import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distance32, Extender16 } from '../../protocol/sequence.ts';
import { RTX_SSRC, readSent, type SentPacket } from './projection.fixture.ts';
import { frameOf, nameOf, run, type World } from './projection-world.fixture.ts';

/** By outgoing sequence number, extended. Fails when two different packets share one. */
function bySequence(sent: readonly SentPacket[]): [number, SentPacket][] {
  const extender = new Extender16();
  const all = new Map<number, SentPacket>();
  for (const packet of sent) {
    const sequence = extender.extend(packet.sequence);
    const other = all.get(sequence);
    assert.ok(other === undefined || Buffer.compare(other.bytes, packet.bytes) === 0, `two packets at ${sequence}`);
    all.set(sequence, packet);
  }
  return [...all].sort((a, b) => a[0] - b[0]);
}

const calm: fc.Arbitrary<World> = fc.record({
  seed: fc.integer(),
  lossRate: fc.constant(0),
  recoveryRate: fc.constant(0),
  jitterMs: fc.constant(0),
  duplicateRate: fc.constantFrom(0, 0.05),
  nacks: fc.constant(false),
});

/** Reordered, and repaired by the subscriber's NACKs where a run began at a late packet. */
const shaken: fc.Arbitrary<World> = calm.map(world => ({ ...world, jitterMs: 20, nacks: true }));

const rough: fc.Arbitrary<World> = fc.record({
  seed: fc.integer(),
  lossRate: fc.constantFrom(0.02, 0.1, 0.3),
  recoveryRate: fc.constantFrom(0, 0.8, 1),
  jitterMs: fc.constantFrom(0, 20, 60),
  duplicateRate: fc.constant(0.02),
  nacks: fc.constant(true),
});

test('no outgoing sequence number is ever given to two packets, and timestamps tell frames apart in order', () => {
  fc.assert(
    fc.property(fc.oneof(calm, rough), world => {
      const packets = bySequence(run(world).bench.sent);
      let last: SentPacket | undefined;
      for (const [, packet] of packets) {
        if (packet.video === undefined) continue;
        if (last?.video !== undefined) {
          const step = distance32(packet.timestamp, last.timestamp);
          if (frameOf(packet.video) === frameOf(last.video)) assert.equal(step, 0);
          else assert.ok(step > 0, `${frameOf(packet.video)} after ${frameOf(last.video)}: ${step}`);
        }
        last = packet;
      }
    }),
    { numRuns: 60 },
  );
});

test('without loss nothing is missing: sequence numbers and picture ids go up by one, TL0PICIDX with each base frame', () => {
  let sent = 0;
  fc.assert(
    fc.property(calm, world => {
      const packets = bySequence(run(world).bench.sent);
      sent += packets.length;
      let last: SentPacket | undefined;
      let lastSequence = packets[0][0] - 1;
      for (const [sequence, packet] of packets) {
        assert.equal(sequence, lastSequence + 1);
        lastSequence = sequence;
        const video = packet.video;
        if (video === undefined) continue;
        const before = last?.video;
        if (before !== undefined) {
          const isNewFrame = frameOf(video) !== frameOf(before);
          assert.equal((video.pictureId - before.pictureId) & 0x7fff, isNewFrame ? 1 : 0);
          const isBase = isNewFrame && video.temporalLayer === 0;
          assert.equal((video.tl0PicIdx - before.tl0PicIdx) & 0xff, isBase ? 1 : 0);
        }
        last = packet;
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(sent > 10_000);
});

test('after its NACKs, what a subscriber misses are packets that never came', () => {
  let repaired = 0;
  fc.assert(
    fc.property(fc.oneof(shaken, rough), world => {
      const { bench, delivered, sequenceOf } = run(world);
      const lost = new Map<string, number[]>();
      for (const [name, sequence] of sequenceOf) {
        if (delivered.has(name)) continue;
        const stream = name.split('.').slice(0, 2).join('.');
        lost.set(stream, [...(lost.get(stream) ?? []), sequence]);
      }
      repaired += bench.projection.counters.retransmitted;
      const packets = bySequence(bench.sent);
      for (let i = 1; i < packets.length; i++) {
        const missing = packets[i][0] - packets[i - 1][0] - 1;
        const before = packets[i - 1][1].video;
        const after = packets[i][1].video;
        if (missing === 0 || before === undefined || after === undefined) continue;
        const stream = `${before.layer}.${before.generation}`;
        const from = sequenceOf.get(nameOf(before))!;
        const isSameStream = stream === `${after.layer}.${after.generation}`;
        const to = isSameStream ? sequenceOf.get(nameOf(after))! : from + 120;
        const neverCame = (lost.get(stream) ?? []).filter(sequence => sequence > from && sequence < to).length;
        assert.ok(missing <= neverCame, `${missing} missing after ${nameOf(before)}, ${neverCame} never came`);
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(repaired > 0);
});

test('the first packet of every layer, and of every restart, is the first of a key frame', () => {
  fc.assert(
    fc.property(fc.oneof(calm, rough), world => {
      let stream = '';
      for (const [, { video }] of bySequence(run(world).bench.sent)) {
        if (video === undefined) continue;
        const own = `${video.layer}.${video.generation}`;
        if (own !== stream) assert.ok(video.startsKeyFrame, `${frameOf(video)} after ${stream}`);
        stream = own;
      }
    }),
    { numRuns: 40 },
  );
});

test('a packet asked for again has the payload and the place it had, whatever happened since', () => {
  let resent = 0;
  fc.assert(
    fc.property(rough, world => {
      const { bench } = run(world);
      for (const sent of bench.sent.slice(-200)) {
        const bytes = bench.resend(0, sent.sequence, 0);
        if (bytes === undefined) continue;
        resent++;
        const again = readSent(0, bytes);
        const view = Buffer.from(bytes);
        assert.equal(view.readUint32BE(8), RTX_SSRC);
        assert.equal(again.payloadType, 121);
        assert.equal(again.timestamp, sent.timestamp);
        assert.equal(view.readUint16BE(12), sent.sequence);
        assert.deepEqual(view.subarray(14), Buffer.from(sent.bytes.subarray(12)));
      }
    }),
    { numRuns: 40 },
  );
  assert.ok(resent > 300, `${resent} resent`);
});

test('timestamps follow the capture time over any number of switches', () => {
  fc.assert(
    fc.property(calm, world => {
      const { bench, captureMsOf } = run(world);
      const first = bench.sent[0];
      const origin = captureMsOf.get(nameOf(first.video!))!;
      for (const packet of bench.sent) {
        if (packet.video === undefined) continue;
        const elapsedMs = captureMsOf.get(nameOf(packet.video))! - origin;
        const errorTicks = distance32(packet.timestamp, (first.timestamp + Math.round(elapsedMs * 90)) >>> 0);
        assert.ok(Math.abs(errorTicks) <= 90 * 70, `${errorTicks / 90} ms off`);
      }
    }),
    { numRuns: 40 },
  );
});
