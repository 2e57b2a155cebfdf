import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RtcpPacket } from '../../protocol/rtcp/packet.ts';
import { ReportBlock, writeReceiverReport } from '../../protocol/rtcp/report.ts';
import { EXTENDED_START } from '../../protocol/sequence.ts';
import { DUPLICATE, HISTORY_PACKETS, StreamReceiver, SUSPECT, TOO_OLD } from './stream-receiver.ts';

const OPTIONS = { ssrc: 0xcafe, clockRateHz: 90_000, hasNack: true };

function reportOf(receiver: StreamReceiver, nowMs: number): ReportBlock {
  const bytes = new Uint8Array(32);
  const end = receiver.writeReportBlock(nowMs, bytes, 8);
  assert.equal(end, 32);
  writeReceiverReport(bytes, 0, 1, 1);
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, end);
  packet.next();
  const block = new ReportBlock();
  block.read(packet, 0);
  return block;
}

/** Gives packets with these sequences, 10 ms and one timestamp apart. */
function feed(receiver: StreamReceiver, sequences: Iterable<number>, startMs = 0): number[] {
  let nowMs = startMs;
  const answers: number[] = [];
  for (const sequence of sequences) {
    answers.push(receiver.handlePacket(nowMs, sequence & 0xffff, sequence * 900, 1000));
    nowMs += 10;
  }
  return answers;
}

function* range(from: number, to: number): Generator<number> {
  for (let sequence = from; sequence < to; sequence++) yield sequence;
}

test('sequences are extended over the wrap', () => {
  const receiver = new StreamReceiver(OPTIONS);
  const answers = feed(receiver, [0xfffe, 0xffff, 0, 1]);
  assert.deepEqual(
    answers,
    [0xfffe, 0xffff, 0x10000, 0x10001].map(sequence => EXTENDED_START + sequence),
  );
  assert.equal(reportOf(receiver, 0).highestSequence, 0x10001);
});

test('each packet is let through once, in its place, and none from before the window', () => {
  const delays = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean(), fc.boolean()), {
    maxLength: 1200,
    size: 'max',
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), delays, (start, packets) => {
      const arrivals: { at: number; truth: number }[] = [];
      packets.forEach(([delay, isLost, isDoubled], index) => {
        if (isLost && index > 0) return;
        const truth = EXTENDED_START + start + index;
        arrivals.push({ at: index === 0 ? -1 : index + delay, truth });
        if (isDoubled) arrivals.push({ at: index + delay + 20, truth });
      });
      arrivals.sort((a, b) => a.at - b.at);
      const receiver = new StreamReceiver(OPTIONS);
      const seen = new Set<number>();
      for (const { at, truth } of arrivals) {
        const answer = receiver.handlePacket(at + 1, truth & 0xffff, (truth * 900) >>> 0, 100);
        assert.equal(answer, seen.has(truth) ? DUPLICATE : truth);
        seen.add(truth);
      }
      assert.equal(receiver.received, seen.size);
      assert.equal(receiver.expected, seen.size === 0 ? 0 : Math.max(...seen) - Math.min(...seen) + 1);
    }),
  );
});

test('a packet from before the first is part of the stream, not a gain', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, [100, 99, 101]);
  assert.equal(receiver.expected, 3);
  assert.deepEqual([reportOf(receiver, 100).cumulativeLost, receiver.received], [0, 3]);
});

test('a packet at the edge of the window is accepted, one behind it is too old', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, [1000, 1000 + HISTORY_PACKETS]);
  assert.equal(receiver.handlePacket(50, 1000 + 1, 0, 100), EXTENDED_START + 1001);
  assert.equal(receiver.handlePacket(50, 1000, 0, 100), TOO_OLD);
  assert.equal(receiver.tooOld, 1);
});

test('one stray packet far away moves nothing', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, range(100, 110));
  assert.equal(receiver.handlePacket(200, 30_000, 0, 100), SUSPECT);
  assert.equal(receiver.handlePacket(210, 110, 0, 100), EXTENDED_START + 110);
  assert.equal(receiver.handlePacket(220, 30_001, 0, 100), SUSPECT);
  assert.equal(receiver.restarts, 0);
});

test('a jump that the next packet follows is a restart: numbers go on upwards, loss is not invented, a key frame is needed', () => {
  for (const jump of [5000, -5000, 0x8000]) {
    const receiver = new StreamReceiver(OPTIONS);
    feed(receiver, range(10_000, 10_010));
    const landing = (10_009 + jump) & 0xffff;
    assert.equal(receiver.handlePacket(200, landing, 0, 100), SUSPECT);
    const resumed = receiver.handlePacket(210, landing + 1, 0, 100);
    assert.ok(resumed > EXTENDED_START + 10_009);
    assert.equal(resumed % 0x10000, landing + 1);
    assert.equal(receiver.restarts, 1);
    assert.equal(receiver.pollKeyFrameNeed(), true);
    assert.equal(receiver.pollKeyFrameNeed(), false);
    // Lost is only the one that was kept out, and that is asked for again.
    assert.equal(receiver.expected - receiver.received, 1);
    const asked = new Uint16Array(8);
    assert.equal(receiver.pollNacks(220, 50, asked), 1);
    assert.equal(asked[0], landing);
    assert.equal(receiver.handlePacket(230, landing, 0, 100), resumed - 1);
  }
});

test('a sender that restarts a little behind is followed once its packets come in order', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, range(10_000, 10_010));
  const answers = feed(receiver, range(9000, 9020), 200);
  assert.deepEqual(answers.slice(0, 15), new Array(15).fill(TOO_OLD));
  assert.ok(
    answers.slice(15).every((answer, index) => answer === answers[15] + index && answer > EXTENDED_START + 10_009),
  );
});

test('loss is reported per interval and in all (RFC 3550 appendix A.3)', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(
    receiver,
    [...range(0, 100)].filter(sequence => sequence % 4 !== 1),
  );
  // 0 to 99 without every fourth: 99 is there, 25 are missing.
  let block = reportOf(receiver, 1000);
  assert.deepEqual([block.ssrc, block.fractionLost, block.cumulativeLost], [0xcafe, 64, 25]);
  feed(receiver, range(100, 200), 1000);
  block = reportOf(receiver, 2000);
  assert.deepEqual([block.fractionLost, block.cumulativeLost, block.highestSequence], [0, 25, 199]);
  // Late ones lower what is missing, and never make an interval negative.
  feed(receiver, [1, 5], 2000);
  block = reportOf(receiver, 3000);
  assert.deepEqual([block.fractionLost, block.cumulativeLost], [0, 23]);
});

test('a recovered packet is let through and not asked for again, but the sender still hears of its loss', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, [10, 11, 13]);
  const asked = new Uint16Array(4);
  assert.equal(receiver.pollNacks(30, 50, asked), 1);
  assert.equal(receiver.handleRecovered(60, 12, 0, 1000), EXTENDED_START + 12);
  assert.equal(receiver.handleRecovered(61, 12, 0, 1000), DUPLICATE);
  assert.equal(receiver.pollNacks(5000, 50, asked), 0);
  assert.deepEqual([receiver.received, receiver.recovered, receiver.duplicates], [3, 1, 1]);
  assert.equal(reportOf(receiver, 100).cumulativeLost, 1);
});

test('a recovered packet never starts or moves a stream far', () => {
  const receiver = new StreamReceiver(OPTIONS);
  assert.equal(receiver.handleRecovered(0, 5, 0, 100), TOO_OLD);
  feed(receiver, [100]);
  assert.equal(receiver.handleRecovered(1, 5000, 0, 100), TOO_OLD);
  assert.equal(receiver.handleRecovered(1, 5001, 0, 100), TOO_OLD);
  assert.equal(receiver.highest, EXTENDED_START + 100);
});

test('jitter is zero for a steady stream and follows RFC 3550 appendix A.8 for an unsteady one', () => {
  const steady = new StreamReceiver(OPTIONS);
  feed(steady, range(0, 50));
  assert.equal(steady.jitterMs, 0);

  const offsetsMs = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 100 });
  fc.assert(
    fc.property(offsetsMs, offsets => {
      const receiver = new StreamReceiver(OPTIONS);
      let jitter = 0;
      offsets.forEach((offset, index) => {
        receiver.handlePacket(index * 10 + offset, index, index * 900, 100);
        // Two more of the same frame, later: they say nothing of the network.
        receiver.handlePacket(index * 10 + offset + 5, 30_000, index * 900, 100);
        if (index > 0) jitter += (Math.abs(offset - offsets[index - 1]) - jitter) / 16;
      });
      assert.ok(Math.abs(receiver.jitterMs - jitter) < 1e-6);
    }),
  );
});

test('packets of one frame have no part in jitter', () => {
  const receiver = new StreamReceiver(OPTIONS);
  for (let frame = 0; frame < 20; frame++) {
    for (let part = 0; part < 3; part++)
      receiver.handlePacket(frame * 30 + part * 7, frame * 3 + part, frame * 2700, 100);
  }
  assert.equal(receiver.jitterMs, 0);
});

test('a timestamp that goes back, as with B-frames, is no new frame and no jitter', () => {
  const receiver = new StreamReceiver(OPTIONS);
  [0, 10, 5, 15, 25].forEach((frame, index) => {
    receiver.handlePacket(frame === 5 ? 15 : frame, index, frame * 90, 100);
  });
  assert.equal(receiver.jitterMs, 0);
  assert.equal(receiver.framesPerSecond(25), 40);
});

test('a timestamp that leaps is no jitter, and one that wraps is no leap', () => {
  const receiver = new StreamReceiver(OPTIONS);
  receiver.handlePacket(0, 0, 0xffffff00, 100);
  receiver.handlePacket(10, 1, (0xffffff00 + 900) >>> 0, 100);
  receiver.handlePacket(20, 2, 0x40000000, 100);
  assert.equal(receiver.jitterMs, 0);
});

test('a report block tells when the last sender report came', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, [1]);
  assert.deepEqual([reportOf(receiver, 500).lastSr, reportOf(receiver, 500).delaySinceLastSr], [0, 0]);
  receiver.senderClock.handleReport(1000, 0xe1234567, 0x80000000, 90_000);
  const block = reportOf(receiver, 1500);
  assert.equal(block.lastSr, 0x45678000);
  assert.equal(block.delaySinceLastSr, 32_768);
});

test('nothing is reported before the first packet', () => {
  assert.equal(new StreamReceiver(OPTIONS).writeReportBlock(0, new Uint8Array(0), 0), 0);
});

test('bit rate and frame rate are those of the last second', () => {
  const receiver = new StreamReceiver(OPTIONS);
  let nowMs = 0;
  for (let index = 0; index < 300; index++, nowMs += 10) {
    receiver.handlePacket(nowMs, index, Math.floor(index / 4) * 3600, 500);
  }
  assert.ok(Math.abs(receiver.bitrateBps(nowMs - 10) - 400_000) < 5_000);
  assert.ok(Math.abs(receiver.framesPerSecond(nowMs - 10) - 25) < 1);
  assert.ok(receiver.bitrateBps(nowMs + 500) < 250_000);
  assert.equal(receiver.bitrateBps(nowMs + 1000), 0);
  assert.equal(receiver.framesPerSecond(nowMs + 1000), 0);
});

test('a gap too large to be asked for needs a key frame', () => {
  const receiver = new StreamReceiver(OPTIONS);
  feed(receiver, [0, 100]);
  assert.equal(receiver.pollKeyFrameNeed(), false);
  feed(receiver, [201], 100);
  assert.equal(receiver.pollKeyFrameNeed(), true);
  assert.equal(receiver.pollNacks(200, 50, new Uint16Array(256)), 0);
});

test('without NACK nothing is asked for', () => {
  const receiver = new StreamReceiver({ ...OPTIONS, hasNack: false });
  feed(receiver, [0, 5, 500]);
  assert.equal(receiver.pollNacks(100, 50, new Uint16Array(256)), 0);
  assert.equal(receiver.pollKeyFrameNeed(), false);
});
