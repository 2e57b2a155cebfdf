import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CONFERENCE } from './testing/bridge-box.ts';
import { Cascade, LINK_BPS } from './testing/cascade.ts';
import { opusPacket } from './testing/packets.ts';
import { AUDIO, payloadOf, projection } from './testing/vocabulary.ts';

const DELAY_MS = 50;

/** Camera 1 at a, watched by 2 at b; by default in the steady state. */
function pair(): Cascade {
  const world = new Cascade(['a', 'b'], DELAY_MS);
  world.publish(1, 'a');
  world.watch(2, 'b', 1);
  world.run(3_000);
  return world;
}

function bitsOver(world: Cascade, durationMs: number, from = 'a', to = 'b'): number {
  const { counters } = world.link(from, to);
  const before = counters.bytesOut;
  world.run(durationMs);
  return ((counters.bytesOut - before) * 8 * 1000) / durationMs;
}

function described(world: Cascade, name: string) {
  const box = world.box(name);
  return box.bridge.describeConference(box.nowMs, CONFERENCE);
}

describe('a link that has become full', () => {
  test('sends a smaller layer instead, by one key frame, and the viewer is told why', () => {
    const world = pair();
    const camera = world.cameras.get(1)!;
    world.seen(2, 1);
    const before = camera.askedOverAll;
    world.link('a', 'b').sendBudgetBps = 120_000;
    world.run(1_500);
    assert.match(world.seen(2, 1), /^f*h{15,}$/);
    assert.equal(camera.askedOverAll - before, 1);
    assert.equal(world.subscription(2, 1).projection.reason, 'withheld-by-link');
    assert.deepEqual(
      described(world, 'b').sources[0].layers.map(({ withheld }) => withheld),
      [false, false, true],
    );
    assert.deepEqual(
      described(world, 'a').sources[0].layers.map(({ heldBackFrom }) => heldBackFrom),
      [[], [], ['b']],
    );
    const bps = bitsOver(world, 5_000);
    assert.ok(bps <= 120_000 && bps > LINK_BPS[1] * 0.9, `${bps} bit/s`);
  });

  test('says how much it would take, and what is wanted, sent and held back', () => {
    const world = pair();
    const link = world.link('a', 'b');
    assert.deepEqual([link.demandBps, link.layers], [0, { wanted: 1, sent: 1, withheld: 0 }]);
    link.sendBudgetBps = 120_000;
    world.run(2_000);
    assert.deepEqual(link.layers, { wanted: 2, sent: 1, withheld: 1 });
    assert.ok(Math.abs(link.demandBps - LINK_BPS[2]) < 20_000, `${link.demandBps}`);
    assert.equal(link.counters.layersOverBudget, 1);
  });

  test('that has room again sends the larger layer again, by one key frame, and no viewer misses a frame', () => {
    const world = pair();
    const camera = world.cameras.get(1)!;
    const link = world.link('a', 'b');
    link.sendBudgetBps = 120_000;
    world.run(4_000);
    world.seen(2, 1);
    const before = camera.askedOverAll;
    link.sendBudgetBps = 300_000;
    world.run(4_000);
    const seen = world.seen(2, 1);
    assert.match(seen, /^h+f{20,}$/);
    assert.ok(seen.length >= 79, `${seen.length} frames in 80`);
    assert.equal(camera.askedOverAll - before, 1);
    assert.deepEqual([link.demandBps, link.layers], [0, { wanted: 1, sent: 1, withheld: 0 }]);
    assert.equal(link.counters.layersRaised, 1);
    const bps = bitsOver(world, 2_000);
    assert.ok(bps < LINK_BPS[2] * 1.05, 'the smaller layer does not linger on a full link');
  });

  test('without a limit again sends everything at once, and nothing is said to be held back', () => {
    const world = pair();
    const link = world.link('a', 'b');
    link.sendBudgetBps = 60_000;
    world.run(3_000);
    link.sendBudgetBps = Number.POSITIVE_INFINITY;
    world.run(2_000);
    assert.match(world.seen(2, 1), /f{20,}$/);
    assert.deepEqual([link.demandBps, link.layers], [0, { wanted: 1, sent: 1, withheld: 0 }]);
    assert.equal(world.subscription(2, 1).projection.reason, 'as-asked');
  });

  test('with no room for any picture sends none, and nobody asks for key frames in vain', () => {
    const world = pair();
    const camera = world.cameras.get(1)!;
    world.link('a', 'b').sendBudgetBps = 10_000;
    world.run(500);
    const before = camera.askedOverAll;
    const requests = world.box('b').relay.keyFrameRequests;
    assert.equal(bitsOver(world, 5_000), 0);
    assert.equal(camera.askedOverAll, before);
    assert.equal(world.box('b').relay.keyFrameRequests, requests);
    assert.equal(world.subscription(2, 1).projection.reason, 'withheld-by-link');
    world.link('a', 'b').sendBudgetBps = 300_000;
    world.run(5_000);
    assert.match(world.seen(2, 1), /f{10,}$/, 'and the picture comes back');
  });

  test('takes the largest layer from the camera that fewest watch', () => {
    const world = pair();
    world.publish(3, 'a');
    for (const viewer of [4, 5, 6]) world.watch(viewer, 'b', 3);
    world.run(3_000);
    world.link('a', 'b').sendBudgetBps = 300_000;
    world.run(1_000);
    world.seen(2, 1);
    world.seen(4, 3);
    world.run(2_000);
    assert.match(world.seen(2, 1), /^h+$/);
    assert.match(world.seen(4, 3), /^f+$/);
    for (const viewer of [4, 5, 6]) world.watch(viewer, 'b', 3, -1);
    for (const viewer of [7, 8]) world.watch(viewer, 'b', 1);
    world.run(6_000);
    world.seen(2, 1);
    world.run(1_000);
    assert.match(world.seen(2, 1), /^f+$/, 'what is no longer watched leaves its room to others');
  });

  test('a camera that comes to be watched on a full link begins small, at once, at the cost of the largest', () => {
    const world = pair();
    world.link('a', 'b').sendBudgetBps = 200_000;
    world.run(2_000);
    world.publish(3, 'a');
    world.run(500);
    world.watch(4, 'b', 3);
    world.run(700);
    assert.match(world.seen(4, 3), /q+/);
    const bps = bitsOver(world, 3_000);
    assert.ok(bps <= 200_000, `${bps} bit/s`);
  });

  test('never holds back audio', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    world.box('a').put(1, { sources: [AUDIO], identity: 'user-1' });
    world.box('b').put(2, { identity: 'user-2', projections: [projection(1, AUDIO)] });
    world.publish(3, 'a');
    world.watch(4, 'b', 3);
    world.home(1, 'a');
    world.home(2, 'b');
    world.mesh();
    world.link('a', 'b').sendBudgetBps = 1_000;
    let sequence = 0;
    const speak = () => {
      sequence++;
      world.box('a').receive(1, opusPacket({ ssrc: 77, sequence, mid: '0', payload: `${sequence}` }));
    };
    world.run(200);
    world.run(3_000, speak);
    const heard = world
      .box('b')
      .transport(2)
      .rtp.map(datagram => Number(payloadOf(datagram)));
    assert.ok(heard.length >= 290, `${heard.length} of 300`);
    assert.equal(world.seen(4, 3), '');
  });
});
