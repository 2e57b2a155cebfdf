import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distance16, distance32 } from '../../protocol/sequence.ts';
import { Camera, ProjectionBench, SSRC } from './projection.fixture.ts';
import { seededRandom } from './simulated-source.ts';
import { subscriberFormat } from './subscriber-format.ts';

const FRAME_TICKS = 3_000;
const ALL = { enabled: true, layerMax: 2, temporalMax: 3 };

test('nothing is sent before the first key frame, then everything', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  assert.deepEqual(camera.send([0]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
  assert.equal(camera.send([0], { isKeyFrame: true, packets: 3 }).length, 3);
  assert.equal(camera.bench.projection.waitingForLayer, -1);
  assert.equal(camera.send([0]).length, 1);
});

test("the header is the subscriber's: its SSRC, its payload type, the marker where the frame ends", () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first, second] = camera.send([0], { isKeyFrame: true, packets: 2 });
  assert.equal(Buffer.from(first.bytes).readUint32BE(8), SSRC);
  assert.equal(first.payloadType, 120);
  assert.equal(first.marker, false);
  assert.equal(second.marker, true);
});

test('the first picture comes from any layer, the better one follows at its key frame', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection } = camera.bench;
  assert.equal(projection.targetLayer, 2);
  camera.send([0], { isKeyFrame: true });
  assert.equal(projection.currentLayer, 0);
  assert.equal(projection.waitingForLayer, 2);
  assert.deepEqual(
    camera.send([0, 1, 2]).map(sent => sent.video?.layer),
    [0],
  );
  assert.deepEqual(
    camera.send([1, 2], { isKeyFrame: true }).map(sent => sent.video?.layer),
    [2],
  );
  assert.equal(projection.currentLayer, 2);
  assert.equal(projection.counters.layerSwitches, 1);
});

test('a layer that stops is left for the best one that flows, and taken up again', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  camera.send([2], { isKeyFrame: true });
  layers[2].flows = false;
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.reason, 'best-below-asked');
  assert.equal(projection.waitingForLayer, 1);
  camera.send([1], { isKeyFrame: true });
  assert.equal(projection.currentLayer, 1);
  layers[2].flows = true;
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.reason, 'as-asked');
  assert.equal(projection.waitingForLayer, 2);
});

test('a lower layer asked for takes over at its key frame; until then the old one goes on', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  camera.send([2], { isKeyFrame: true });
  projection.configure({ ...ALL, layerMax: 0 });
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(camera.send([2]).length, 1);
  assert.deepEqual(
    camera.send([0, 2], { isKeyFrame: true }).map(sent => sent.video?.layer),
    [0],
  );
});

test('only the layers that are needed are wanted, the one asked for while nothing flows', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  for (const layer of layers) layer.flows = false;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b100);
  layers[1].flows = true;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b110);
  camera.send([1], { isKeyFrame: true });
  layers[2].flows = true;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b110);
  camera.send([2], { isKeyFrame: true });
  assert.equal(projection.wantedMask, 0b100);
  projection.configure({ ...ALL, enabled: false });
  assert.equal(projection.wantedMask, 0);
});

test('a disabled projection sends nothing, not even what is asked for again; enabled, it waits for a key frame', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const { projection, layers } = camera.bench;
  const [sent] = camera.send([0], { isKeyFrame: true });
  projection.configure({ ...ALL, enabled: false });
  assert.deepEqual(camera.send([0], { isKeyFrame: true }), []);
  assert.equal(camera.bench.resend(camera.nowMs, sent.sequence, 0), undefined);
  assert.equal(projection.waitingForLayer, -1);
  camera.nowMs += 5_000;
  projection.configure(ALL);
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.waitingForLayer, 0);
  assert.deepEqual(camera.send([0]), []);
  const [after] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(after.sequence, sent.sequence), 1);
  assert.equal(((after.video?.pictureId ?? 0) - (sent.video?.pictureId ?? 0)) & 0x7fff, 1);
  assert.ok(Math.abs(distance32(after.timestamp, sent.timestamp) - 90 * 5_100) < 2);
});

test('every frame that is forwarded can be decoded from frames forwarded before', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const { projection } = camera.bench;
  const pattern = [
    { temporalLayer: 0, isLayerSync: false },
    { temporalLayer: 2, isLayerSync: true },
    { temporalLayer: 1, isLayerSync: true },
    { temporalLayer: 2, isLayerSync: false },
  ];
  const random = seededRandom(8);
  /** Newest frame sent of each temporal layer, as a count of base frames; a frame not in sync refers to the layer below in its own cycle. */
  const newest = [-1, -1, -1, -1];
  let dropped = 0;
  for (let i = 0; i < 2_000; i++) {
    if (i % 13 === 0) projection.configure({ ...ALL, temporalMax: Math.floor(random() * 3) });
    const shape = pattern[i % 4];
    const cycle = Math.floor(i / 4);
    const sent = camera.send([0], { ...shape, isKeyFrame: i === 0, packets: 2 });
    assert.ok(sent.length === 2 || sent.length === 0, 'whole frames only');
    if (sent.length === 0) {
      dropped++;
      continue;
    }
    const needed = shape.temporalLayer === 0 || shape.isLayerSync ? 0 : shape.temporalLayer - 1;
    if (shape.temporalLayer > 0) assert.equal(newest[needed], cycle);
    newest[shape.temporalLayer] = cycle;
  }
  assert.ok(dropped > 200 && dropped < 1_800);
});

test('after a gap that no hop repairs, video waits for a key frame and closes up', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first] = camera.send([0], { isKeyFrame: true });
  camera.layers[0].sequence += 150;
  assert.deepEqual(camera.send([0]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
  const [next] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(next.sequence, first.sequence), 1);
});

test('a key frame whose picture id jumped begins anew, and what is missing before it keeps its place', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first] = camera.send([0], { isKeyFrame: true });
  camera.nowMs += 33;
  const lost = camera.frame(0);
  camera.layers[0].pictureId = (camera.layers[0].pictureId + 0x3000) & 0x7fff;
  const [jumped] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(jumped.sequence, first.sequence), 2);
  assert.equal(((jumped.video?.pictureId ?? 0) - (first.video?.pictureId ?? 0)) & 0x7fff, 1);
  const [filled] = camera.deliver(lost);
  assert.equal(distance16(filled.sequence, first.sequence), 1);
});

test('a key frame that came too long ago to be followed up begins nothing', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [late] = camera.frame(0, { isKeyFrame: true });
  for (let i = 0; i < 120; i++) camera.send([0]);
  assert.deepEqual(camera.deliver([late]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
});

test('a switch brings all temporal layers asked for by then, without waiting for layer sync', () => {
  const camera = new Camera(new ProjectionBench('video', 2));
  camera.bench.projection.configure({ enabled: true, layerMax: 1, temporalMax: 0 });
  camera.send([0], { isKeyFrame: true });
  assert.deepEqual(camera.send([0], { temporalLayer: 2 }), []);
  camera.bench.projection.configure({ enabled: true, layerMax: 1, temporalMax: 3 });
  camera.send([1], { isKeyFrame: true });
  assert.equal(camera.send([1], { temporalLayer: 2 }).length, 1);
});

test('a frame that takes long to come does not move the next one', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  camera.nowMs += 33;
  const [head, tail] = camera.frame(0, { isKeyFrame: true, packets: 2 });
  camera.nowMs += 33;
  const next = camera.frame(0);
  const [first] = camera.deliver([head]);
  camera.nowMs += 1_800;
  camera.deliver([tail]);
  camera.nowMs += 600;
  const [second] = camera.deliver(next);
  assert.ok(Math.abs(distance32(second.timestamp, first.timestamp) - FRAME_TICKS) < 60);
});

test('a packet that comes after a switch still fills its place from before it', () => {
  const camera = new Camera(new ProjectionBench('video', 2));
  camera.bench.projection.configure({ ...ALL, layerMax: 1 });
  camera.send([0], { isKeyFrame: true });
  camera.nowMs += 33;
  const [, late, last] = camera.frame(0, { packets: 3 });
  const [before] = camera.deliver([last]);
  const [switched] = camera.send([1], { isKeyFrame: true });
  const [filled] = camera.deliver([late]);
  assert.equal(distance16(before.sequence, filled.sequence), 1);
  assert.equal(filled.timestamp, before.timestamp);
  assert.equal(distance16(switched.sequence, before.sequence), 1);
});

test('a late remnant of a dropped frame becomes an empty packet, a late whole frame is forwarded', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  camera.send([0], { isKeyFrame: true });
  camera.bench.projection.configure({ ...ALL, temporalMax: 0 });
  camera.send([0]);
  camera.nowMs += 33;
  const dropped = camera.frame(0, { temporalLayer: 2, packets: 2 });
  const missed = camera.frame(0, { temporalLayer: 2 });
  assert.deepEqual(camera.deliver([dropped[1]]), []);
  camera.send([0]);
  const [remnant] = camera.deliver([dropped[0]]);
  assert.equal(remnant.video, undefined);
  assert.equal(remnant.bytes.length, 12);
  assert.equal(remnant.marker, false);
  const [whole] = camera.deliver(missed);
  assert.equal(whole.video?.temporalLayer, 2);
  assert.deepEqual(camera.deliver([dropped[1]]), []);
});

test('a codec the subscriber lacks is dropped and counted, and no key frame is asked for', () => {
  const format = subscriberFormat([{ codec: 'h264', payloadType: 102, rtxPayloadType: null }], []);
  const camera = new Camera(new ProjectionBench('video', 1, { format }));
  assert.deepEqual(camera.send([0], { isKeyFrame: true }), []);
  assert.equal(camera.bench.projection.counters.droppedCodec, 1);
  assert.equal(camera.bench.projection.waitingForLayer, -1);
});
