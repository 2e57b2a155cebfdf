import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REPEAT_MS, REPEAT_MS_MAX } from './receive/key-frame-requests.ts';
import { seededRandom } from './relay/simulated-pair.ts';
import { Cascade } from './testing/cascade.ts';

const VIEWERS = 99;
const STORM_MS = 1_000;
const DELAY_MS = 60;

/** A camera at a, and ninety-nine viewers spread over these bridges, all settled. */
function crowd(names: readonly string[]): Cascade {
  const world = new Cascade(names, names.length > 1 ? DELAY_MS : 0);
  world.publish(1, 'a');
  world.run(1_000);
  for (let viewer = 0; viewer < VIEWERS; viewer++) world.watch(100 + viewer, names[viewer % names.length], 1);
  world.run(5_000);
  return world;
}

/** Everybody asks for a key frame, three times each, some time within a second; returns how often the publisher was asked, over that and what follows. */
function storm(world: Cascade, answers = true): number {
  const camera = world.cameras.get(1)!;
  const before = camera.askedOverAll;
  const random = seededRandom(7);
  const asks = Array.from({ length: 3 * VIEWERS }, (_, index) => ({
    atMs: random() * STORM_MS,
    viewer: 100 + (index % VIEWERS),
  }));
  asks.sort((a, b) => a.atMs - b.atMs);
  if (!answers) camera.isDeaf = true;
  let elapsedMs = 0;
  world.run(STORM_MS, () => {
    elapsedMs += 10;
    while (asks.length > 0 && asks[0].atMs <= elapsedMs) world.askForKeyFrame(asks.shift()!.viewer, 1);
  });
  world.run(2_000);
  return camera.askedOverAll - before;
}

describe('ninety-nine viewers who all ask for a key frame within a second', () => {
  test('trouble the publisher no more from three bridges than from one', () => {
    const local = storm(crowd(['a']));
    const relayed = storm(crowd(['a', 'b', 'c']));
    assert.ok(local >= 2 && local <= STORM_MS / 200 + 1, `${local} from one bridge`);
    assert.ok(relayed <= local + 1, `${relayed} from three bridges, ${local} from one`);
  });

  test('trouble it no more when all of them sit behind one link', () => {
    const world = new Cascade(['a', 'b'], DELAY_MS);
    world.publish(1, 'a');
    world.run(1_000);
    for (let viewer = 0; viewer < VIEWERS; viewer++) world.watch(100 + viewer, 'b', 1);
    world.run(5_000);
    const requests = world.box('b').relay.keyFrameRequests;
    const asked = storm(world);
    assert.ok(asked <= STORM_MS / 200 + 1, `${asked}`);
    const crossed = world.box('b').relay.keyFrameRequests - requests;
    assert.ok(crossed <= STORM_MS / 200 + 1, `${crossed} requests crossed the link`);
  });

  test('trouble a publisher that does not answer ever more seldom', () => {
    const asked = storm(crowd(['a', 'b', 'c']), false);
    let [allowed, waitMs] = [0, REPEAT_MS];
    for (let atMs = 0; atMs <= STORM_MS + 2_000; atMs += waitMs, waitMs = Math.min(REPEAT_MS_MAX, waitMs * 2))
      allowed++;
    assert.ok(asked <= allowed, `${asked}, at most ${allowed}`);
  });
});

test('who asks while the key frame is on its way over the link does not have another one made', () => {
  const world = crowd(['a', 'b']);
  const camera = world.cameras.get(1)!;
  const before = camera.made[2];
  world.askForKeyFrame(100, 1);
  while (camera.made[2] === before) world.run(10);
  const made = camera.made[2];
  // At a it has been made; at b it has not arrived.
  world.askForKeyFrame(101, 1);
  world.run(1_000);
  assert.equal(camera.made[2], made);
});
