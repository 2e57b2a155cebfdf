import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LINGER_MS } from './linger.ts';
import { CONFERENCE } from './testing/bridge-box.ts';
import { Cascade, LINK_BPS } from './testing/cascade.ts';

const DELAY_MS = 50;

/** Camera 1 at a, watched by 2 at b. */
function pair(layerMax = 2): Cascade {
  const world = new Cascade(['a', 'b'], DELAY_MS);
  world.publish(1, 'a');
  world.run(1_000);
  world.watch(2, 'b', 1, layerMax);
  world.run(3_000);
  return world;
}

function bytesOver(world: Cascade, durationMs: number): number {
  const { counters } = world.link('a', 'b');
  const before = counters.bytesOut;
  world.run(durationMs);
  return counters.bytesOut - before;
}

describe('which layers cross a link', () => {
  test('one from the first moment on, by one key frame', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    const camera = world.publish(1, 'a');
    world.run(1_000);
    const before = camera.askedOverAll;
    world.watch(2, 'b', 1);
    world.run(3_000);
    assert.equal(camera.askedOverAll - before, 1);
    const { packets } = world.box('a').relay;
    assert.deepEqual([packets[0], packets[1]], [0, 0]);
    assert.match(world.seen(2, 1), /^f{50,}$/);
  });

  test('nothing that cannot be decoded: a layer begins with its key frame', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    const camera = world.publish(1, 'a');
    world.run(1_000);
    camera.asked.fill(0);
    world.watch(2, 'b', 1);
    world.run(1_000);
    const { packets } = world.box('a').relay;
    const seen = world.seen(2, 1);
    assert.ok(packets[2] - seen.length <= 1, `${packets[2]} crossed, ${seen.length} were shown`);
  });

  test('switching down and up again is one key frame each, and never a frame less', () => {
    const world = pair();
    const camera = world.cameras.get(1)!;
    for (const layerMax of [1, 2, 0, 2, 1, 0]) {
      world.seen(2, 1);
      const before = [...camera.asked];
      world.watch(2, 'b', 1, layerMax);
      world.run(2_500);
      const asked = camera.asked.map((count, layer) => count - before[layer]);
      assert.deepEqual(
        asked,
        [0, 1, 2].map(layer => (layer === layerMax ? 1 : 0)),
      );
      const seen = world.seen(2, 1);
      assert.ok(seen.length >= 49, `${seen.length} of 50 frames`);
      assert.match(seen, new RegExp(`${'qhf'[layerMax]}{25,}$`));
    }
  });

  test('a single stream without simulcast crosses for whoever asks for more than there is', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    const camera = world.publish(1, 'a');
    camera.sends[1] = false;
    camera.sends[2] = false;
    world.watch(2, 'b', 1);
    world.run(2_000);
    assert.match(world.seen(2, 1), /^q{30,}$/);
  });

  test('a layer that the camera begins to send later is taken up by the key frame it begins with', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    const camera = world.publish(1, 'a');
    camera.sends[2] = false;
    world.watch(2, 'b', 1);
    world.run(6_000);
    assert.match(world.seen(2, 1), /^h+$/);
    const before = camera.made[2];
    camera.sends[2] = true;
    world.run(2_000);
    assert.match(world.seen(2, 1), /^h{0,8}f{30,}$/);
    assert.equal(camera.made[2] - before, 1);
  });
});

describe('a layer that nobody watches any more', () => {
  test('lingers for a second and then sends not one byte', () => {
    const world = pair();
    world.watch(2, 'b', 1, -1);
    const lingering = bytesOver(world, LINGER_MS - 100);
    assert.ok(lingering * 8 > LINK_BPS[2] * 0.7, `${lingering} bytes`);
    world.run(300);
    assert.equal(bytesOver(world, 10_000), 0);
  });

  test('ends at once when its subscription does, whoever watches another layer', () => {
    const world = pair();
    world.watch(3, 'b', 1, 0);
    world.run(3_000);
    world.unwatch(2, 1);
    world.run(2 * DELAY_MS + 30);
    world.box('a').relay.packets.fill(0);
    world.run(500);
    assert.deepEqual(world.box('a').relay.packets, [10, 0, 0]);
  });

  test('a viewer who looks away and back costs one key frame, and no start of the layer', () => {
    const world = pair();
    const camera = world.cameras.get(1)!;
    const { wanted } = world.link('a', 'b').layers;
    for (let flap = 0; flap < 5; flap++) {
      const before = camera.askedOverAll;
      world.watch(2, 'b', 1, -1);
      world.run(400, () => assert.equal(world.link('a', 'b').layers.wanted, wanted, 'the want stands'));
      world.seen(2, 1);
      world.watch(2, 'b', 1);
      world.run(1_000, () => assert.equal(world.link('a', 'b').layers.wanted, wanted, 'the want stands'));
      assert.equal(camera.askedOverAll - before, 1);
      assert.match(world.seen(2, 1), /^f{12,}$/);
    }
  });

  test('viewers who come and go in turn do not have it started again', () => {
    const world = pair();
    world.watch(3, 'b', 1);
    world.run(2_000);
    for (let turn = 0; turn < 6; turn++) {
      world.watch(turn % 2 === 0 ? 2 : 3, 'b', 1, -1);
      world.watch(turn % 2 === 0 ? 3 : 2, 'b', 1);
      world.run(700);
      assert.deepEqual(world.link('a', 'b').layers, { wanted: 1, sent: 1, withheld: 0 });
    }
  });
});

describe('how many watch', () => {
  test('is told within about a second, and what is watched at once', () => {
    const world = pair();
    const told = () => [...world.supply('a', 'b').values()].map(({ viewers }) => viewers);
    assert.deepEqual(told(), [[0, 0, 1]]);
    for (const viewer of [3, 4, 5]) world.watch(viewer, 'b', 1);
    world.run(500);
    assert.deepEqual(told(), [[0, 0, 1]], 'not yet');
    world.run(1_000);
    assert.deepEqual(told(), [[0, 0, 4]]);
    world.watch(3, 'b', 1, 0);
    world.run(DELAY_MS + 40);
    assert.equal(told()[0][0], 1, 'another layer does not wait');
    world.run(3_000);
    assert.deepEqual(told(), [[1, 0, 3]]);
  });
});

test('a conference that leaves a bridge stops its media at once, at both ends', () => {
  const world = pair();
  const box = world.box('a');
  box.bridge.putConference(CONFERENCE, world.spec(['a']));
  assert.equal(bytesOver(world, 1_000), 0, 'the origin is told first');

  const other = pair();
  const b = other.box('b');
  b.bridge.deleteConference(CONFERENCE);
  other.boxes.delete('b');
  other.run(DELAY_MS + 10);
  assert.equal(bytesOver(other, 1_000), 0, 'the viewer is told first, and says so');
});
