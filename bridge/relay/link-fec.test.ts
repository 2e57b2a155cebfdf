import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_FEC_SETTINGS } from './fec-policy.ts';
import type { Link } from './link.ts';
import { CLASS_AUDIO, CLASS_VIDEO, type MediaClass } from './media-class.ts';
import { type CallResult, quantile, SimulatedCall } from './simulated-call.ts';
import { type Path, SimulatedPair, seededRandom } from './simulated-pair.ts';

const VIDEO_BPS = 2_500_000;
const DELAY_MS = 100;
const FRAME_TYPE_FEC = 11;
const FRAME_TYPE_NACK = 7;

function pairWithFec(seed: number, path: Partial<Path> = {}, fec = DEFAULT_FEC_SETTINGS): SimulatedPair {
  return new SimulatedPair(seed, { delayMs: DELAY_MS, ...path }, fec);
}

/** Loses `share` of the datagrams in runs of `length` (Gilbert), in both directions, from now on. */
function loseInBursts(pair: SimulatedPair, seed: number, share: number, length: number): void {
  const random = seededRandom(seed);
  const toGood = 1 / length;
  const toBad = (toGood * share) / (1 - share);
  let isBad = false;
  pair.filter = () => {
    isBad = isBad ? random() >= toGood : random() < toBad;
    return !isBad;
  };
}

function linkOf(bridge: { link: Link | undefined }): Link {
  assert.ok(bridge.link);
  return bridge.link;
}

function reasonsOf(pair: SimulatedPair): string[] {
  return linkOf(pair.a)
    .fec.states()
    .map(state => state.reason);
}

/** How much later than the path's delay the packets of a class came, from `first` on; those that never came are Infinity. */
function addedOf({ sent, addedMs }: CallResult, first: number, mediaClass?: MediaClass): number[] {
  return sent
    .filter(packet => packet.number >= first && (mediaClass === undefined || packet.mediaClass === mediaClass))
    .map(packet => addedMs.get(packet.number) ?? Number.POSITIVE_INFINITY);
}

/** The share of those that were lost that came within `limitMs`. */
function shareRepairedWithin(added: readonly number[], limitMs: number): number {
  const lost = added.filter(ms => ms > 1);
  return lost.filter(ms => ms <= limitMs).length / lost.length;
}

test('2 % loss at 200 ms round trip: under 0.1 % missing, and nine in ten of the lost packets are back within 20 ms', () => {
  const pair = pairWithFec(21);
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.02;
  call.run(3000);
  const first = call.sent.length;
  call.run(60_000);
  const bytes = { ...linkOf(pair.a).counters };
  const result = call.end();
  const added = addedOf(result, first);
  assert.equal(result.duplicates, 0);
  const missing = added.filter(ms => ms === Number.POSITIVE_INFINITY).length;
  assert.ok(missing / added.length < 0.001, `${missing} of ${added.length}`);
  assert.ok(quantile(added, 0.95) <= 20, `${quantile(added, 0.95)} ms`);
  assert.ok(shareRepairedWithin(added, 20) > 0.9, `${shareRepairedWithin(added, 20)} of all`);
  assert.ok(shareRepairedWithin(added, 100) > 0.95, `${shareRepairedWithin(added, 100)} within the playout budget`);
  const audio = addedOf(result, first, CLASS_AUDIO);
  assert.ok(shareRepairedWithin(audio, 20) > 0.95, `${shareRepairedWithin(audio, 20)} of audio`);
  assert.ok(bytes.fecBytesOut / bytes.bytesOut < 0.2, `${bytes.fecBytesOut / bytes.bytesOut}`);
  assert.ok(linkOf(pair.b).counters.nacksSent < 60, 'what parity brings back is not asked for');
});

test('10 % loss in bursts of five at 200 ms: parity repairs what it can and repeats the rest', () => {
  const withFec = pairWithFec(22);
  const without = pairWithFec(22, {}, { ...DEFAULT_FEC_SETTINGS, shareMax: 0 });
  const [late, lateWithout] = [withFec, without].map(pair => {
    const call = new SimulatedCall(pair, VIDEO_BPS);
    loseInBursts(pair, 220, 0.1, 5);
    call.run(5000);
    const first = call.sent.length;
    call.run(30_000);
    const result = call.end();
    assert.equal(result.duplicates, 0);
    const added = addedOf(result, first);
    const missing = added.filter(ms => ms === Number.POSITIVE_INFINITY).length;
    assert.ok(missing / added.length < 0.005, `${missing} of ${added.length}`);
    return added.filter(ms => ms > 100).length / added.length;
  });
  assert.ok(late < lateWithout * 0.75, `${late} of the packets late, ${lateWithout} without parity`);
  const { counters, meter } = linkOf(withFec.a);
  assert.ok(counters.fecBytesOut / counters.bytesOut < 0.25);
  assert.ok(meter.burstLengthOut > 3 && meter.burstLengthOut < 8, `${meter.burstLengthOut}`);
  const { counters: received } = linkOf(withFec.b);
  assert.ok(received.replayed < received.recovered / 4, 'repeats of what parity brings back are not asked for');
});

test('without loss not one FEC frame is sent, however long the round trip and however packets overtake', () => {
  const pair = pairWithFec(23, { jitterMs: 8, duplicates: 0.05 });
  const call = new SimulatedCall(pair, VIDEO_BPS);
  call.run(20_000);
  const { addedMs, sent } = call.end();
  assert.equal(addedMs.size, sent.length);
  assert.equal(linkOf(pair.a).counters.fecSent, 0);
  assert.deepEqual(reasonsOf(pair), ['off-no-loss', 'off-no-loss', 'off-no-loss']);
});

test('while a repeat is in time nothing is sent beside it', () => {
  const pair = pairWithFec(24, { delayMs: 25 });
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.05;
  call.run(10_000);
  assert.equal(linkOf(pair.a).counters.fecSent, 0);
  assert.deepEqual(reasonsOf(pair), Array(3).fill('off-nack-is-in-time'));
});

test('ten seconds after the last loss it is over, also on a path that reorders', () => {
  const pair = pairWithFec(25, { jitterMs: 15 });
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.02;
  call.run(5000);
  assert.ok(linkOf(pair.a).counters.fecSent > 100);
  pair.path.loss = 0;
  call.run(11_500);
  assert.deepEqual(reasonsOf(pair), Array(3).fill('off-no-loss'));
  const { fecSent } = linkOf(pair.a).counters;
  call.run(5000);
  const result = call.end();
  assert.equal(linkOf(pair.a).counters.fecSent, fecSent);
  assert.equal(result.duplicates, 0);
});

for (const [name, videoBps] of [
  ['a call with video', VIDEO_BPS],
  ['a lone talker', 0],
] as const) {
  test(`of ${name} parity never takes more than its share of the last second, at 30 % loss`, () => {
    const pair = pairWithFec(26);
    const call = new SimulatedCall(pair, videoBps);
    const sent: { atMs: number; bytes: number; isParity: boolean }[] = [];
    const random = seededRandom(260);
    pair.filter = (bytes, from) => {
      const isParity = (bytes[0] & 0x0f) === FRAME_TYPE_FEC;
      if (from === pair.a) sent.push({ atMs: pair.nowMs, bytes: bytes.length, isParity });
      return random() >= 0.3;
    };
    call.run(20_000);
    let parityTotal = 0;
    let from = 0;
    let all = 0;
    let parity = 0;
    for (const frame of sent) {
      all += frame.bytes;
      if (frame.isParity) {
        parity += frame.bytes;
        parityTotal += frame.bytes;
      }
      for (; sent[from].atMs <= frame.atMs - 1000; from++) {
        all -= sent[from].bytes;
        if (sent[from].isParity) parity -= sent[from].bytes;
      }
      // Whenever parity is sent it is within the share of the second before.
      if (frame.isParity) assert.ok(parity / all <= 0.25, `${parity} of ${all} at ${frame.atMs}`);
    }
    const total = sent.reduce((sum, frame) => sum + frame.bytes, 0);
    assert.ok(parityTotal / total <= 0.25, `${parityTotal / total}`);
    assert.ok(parityTotal / total > 0.12, `${parityTotal / total}: the share is used`);
    assert.equal(reasonsOf(pair)[CLASS_AUDIO].startsWith('on'), true);
  });
}

test('a lone talker is protected within the share too, by groups that wait for each other', () => {
  const pair = pairWithFec(27);
  const call = new SimulatedCall(pair, 0);
  pair.path.loss = 0.02;
  call.run(15_000);
  const first = call.sent.length;
  call.run(60_000);
  const added = addedOf(call.end(), first);
  assert.ok(shareRepairedWithin(added, 90) > 0.7, `${shareRepairedWithin(added, 90)}`);
  const [audio] = linkOf(pair.a).fec.states();
  assert.ok(audio.share <= 0.25, `${audio.share}`);
});

test('a path that takes no more gets no more parity, but for audio', () => {
  const pair = pairWithFec(28);
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.05;
  linkOf(pair.a).sendBudgetBps = 1_000_000;
  call.run(5000);
  const [audio, keyFrames, video] = linkOf(pair.a).fec.states();
  assert.ok(audio.share > 0);
  assert.deepEqual([keyFrames.share, video.share], [0, 0]);
  assert.equal(video.reason, 'on-share-is-spent');
  assert.ok(linkOf(pair.a).counters.fecHeldBack > 0);
});

test('keys change under loss with parity in the air: each packet once, and parity goes on', () => {
  const pair = pairWithFec(29, { delayMs: 60 });
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.run(3_599_000 - pair.nowMs, () => {}, 200);
  const before = linkOf(pair.a).counters.handshakes;
  call.skipTo(pair.nowMs);
  pair.path.loss = 0.03;
  call.run(8000);
  assert.ok(linkOf(pair.a).counters.handshakes > before);
  const recovered = linkOf(pair.b).counters.fecRecovered;
  const { fecSent } = linkOf(pair.a).counters;
  call.run(3000);
  const result = call.end();
  assert.equal(result.duplicates, 0);
  assert.ok(linkOf(pair.a).counters.fecSent > fecSent + 50);
  assert.ok(linkOf(pair.b).counters.fecRecovered > recovered + 10, 'repairs go on under the new keys');
  assert.ok(result.addedMs.size / result.sent.length > 0.999);
  assert.equal(linkOf(pair.b).counters.violations, 0);
});

test('a peer that starts again in the middle of parity gets media and parity again', () => {
  const pair = pairWithFec(30);
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.03;
  call.run(4000);
  assert.ok(linkOf(pair.a).counters.fecSent > 50);
  pair.b.restart();
  call.share();
  call.run(5000);
  assert.ok(linkOf(pair.b).counters.packetsIn > 500);
  assert.ok(linkOf(pair.b).counters.fecRecovered > 10);
  assert.equal(linkOf(pair.b).counters.violations, 0);
});

test('duplicates and reordering with loss: each packet once, unchanged', () => {
  const pair = pairWithFec(31, { jitterMs: 25, duplicates: 0.2 });
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.03;
  call.run(20_000);
  const result = call.end();
  assert.equal(result.duplicates, 0);
  assert.ok(linkOf(pair.b).counters.fecRecovered > 100);
  assert.ok(result.addedMs.size / result.sent.length > 0.999, `${result.addedMs.size} of ${result.sent.length}`);
  assert.equal(linkOf(pair.b).counters.violations, 0);
});

test('an original that comes after its repair is dropped', () => {
  const pair = pairWithFec(32);
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.03;
  call.run(4000);
  pair.path.loss = 0;
  // Every hundredth media frame is held back until its repair is long done.
  const held: Buffer[] = [];
  let count = 0;
  pair.filter = (bytes, from) => {
    const isMedia = from === pair.a && (bytes[0] & 0x0f) === 0;
    if (isMedia && ++count % 100 === 0) held.push(bytes);
    return !isMedia || count % 100 !== 0;
  };
  call.run(3000);
  pair.filter = () => true;
  const { replayed } = linkOf(pair.b).counters;
  const delivered = pair.b.packets.length;
  for (const bytes of held) pair.b.receive(bytes);
  const dropped = linkOf(pair.b).counters.replayed - replayed;
  assert.ok(dropped > 5, `${dropped}`);
  assert.equal(pair.b.packets.length - delivered, held.length - dropped);
  assert.equal(call.end().duplicates, 0);
});

test('NACKs for FEC frames are rare: the next FEC frame says which they were', () => {
  const pair = pairWithFec(33);
  const call = new SimulatedCall(pair, VIDEO_BPS);
  pair.path.loss = 0.02;
  call.run(4000);
  pair.path.loss = 0;
  let fecLost = 0;
  let nacks = 0;
  const random = seededRandom(330);
  pair.filter = (bytes, from) => {
    if (from === pair.b && (bytes[0] & 0x0f) === FRAME_TYPE_NACK) nacks++;
    if (from !== pair.a || (bytes[0] & 0x0f) !== FRAME_TYPE_FEC || random() >= 0.2) return true;
    fecLost++;
    return false;
  };
  call.run(5000);
  assert.ok(fecLost > 50);
  assert.ok(nacks < fecLost / 5, `${nacks} for ${fecLost}`);
  assert.equal(linkOf(pair.a).fec.states()[CLASS_VIDEO].reason.startsWith('on'), true, 'they count as loss');
});
