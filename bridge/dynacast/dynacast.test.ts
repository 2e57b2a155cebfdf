import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { type EndpointId, formatId, type SourceId } from '../../protocol/ids.ts';
import { PSFB_PLI, RTCP_PSFB } from '../../protocol/rtcp/packet.ts';
import { BridgeBox, CONFERENCE, conferenceSpec } from '../testing/bridge-box.ts';
import { vp8Packet } from '../testing/packets.ts';
import { AUDIO, payloadOf, projection, rtcpOf, VIDEO } from '../testing/vocabulary.ts';
import { FRESH_MS, PAUSE_MS } from './layer-needs.ts';

const LOW = 1;
const HIGH = 4;
const ALL = 7;
const SETTLED_MS = FRESH_MS + PAUSE_MS + 100;
const RIDS = ['q', 'h', 'f'];

type NeededLayers = Extract<BridgeEvent, { kind: 'needed-layers' }>;

function told(box: BridgeBox): NeededLayers[] {
  return box.events.filter((event): event is NeededLayers => event.kind === 'needed-layers');
}

/** A publisher on bridge `a` who sends what it is told to, as a client with dynacast does; bridges `a`, `b` and `c` are a mesh. */
class Mesh {
  readonly peers = new Map<string, BridgeBox>();
  readonly a = new BridgeBox('a', this.peers);
  readonly b = new BridgeBox('b', this.peers);
  readonly c = new BridgeBox('c', this.peers);
  readonly #homes: Record<number, string> = { 1: 'a' };
  readonly #versions = new Map<number, number>();
  #version = 0;
  readonly #sequences = [0, 0, 0];
  #sent = ALL;
  readonly #answered = [0, 0, 0];

  constructor() {
    this.put(this.a, 1, { sources: [AUDIO, VIDEO] });
  }

  get boxes(): BridgeBox[] {
    return [this.a, this.b, this.c];
  }

  get mask(): number | undefined {
    return told(this.a).at(-1)?.layers;
  }

  put(box: BridgeBox, id: number, spec: Parameters<BridgeBox['put']>[1] = {}) {
    const version = (this.#versions.get(id) ?? 0) + 1;
    this.#versions.set(id, version);
    this.#homes[id] = box.id;
    const transport = box.put(id, { version, identity: `user-${id}`, ...spec });
    this.#tellAll();
    return transport;
  }

  /** Somebody who watches the publisher at up to `layerMax`; null: is here, and does not. */
  watch(box: BridgeBox, id: number, layerMax: number | null, enabled = true) {
    const projections = layerMax === null ? [] : [projection(1, VIDEO, { layerMax, enabled })];
    return this.put(box, id, { projections });
  }

  leave(box: BridgeBox, id: number): void {
    box.bridge.deleteEndpoint(CONFERENCE, id as EndpointId);
    delete this.#homes[id];
    this.#tellAll();
  }

  /** Media at 20 frames/s, of what the publisher was told to send; a layer that begins does so with a key frame, and others send one when they are asked. */
  run(durationMs: number, isObedient = true): void {
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += 50) {
      const mask = isObedient ? (this.mask ?? ALL) : ALL;
      const begun = mask & ~this.#sent;
      this.#sent = mask;
      for (const [layer, rid] of RIDS.entries()) {
        if ((mask & (1 << layer)) === 0) continue;
        const sequence = ++this.#sequences[layer];
        const asked = this.keyFramesAsked(layer);
        const isKeyFrame = asked > this.#answered[layer] || sequence === 1 || (begun & (1 << layer)) !== 0;
        this.#answered[layer] = asked;
        const packet = { ssrc: 40 + layer, sequence, mid: '1', rid, isKeyFrame, payload: rid };
        this.a.receive(1, vp8Packet(packet));
      }
      for (const box of this.boxes) box.run(50);
    }
  }

  /** PLIs that the publisher was sent; all of them, or those for one layer. */
  keyFramesAsked(layer?: number): number {
    const asked = rtcpOf(this.a.transport(1), RTCP_PSFB, PSFB_PLI);
    return layer === undefined ? asked.length : asked.filter(({ mediaSsrc }) => mediaSsrc === 40 + layer).length;
  }

  #tellAll(): void {
    this.#version++;
    const spec = conferenceSpec(this.#version, ['a', 'b', 'c'], this.#homes);
    for (const box of this.boxes) box.bridge.putConference(CONFERENCE, spec);
  }
}

describe('what nobody in the mesh watches is not needed', () => {
  test('of a source without subscribers anywhere, no layer', () => {
    const mesh = new Mesh();
    mesh.run(SETTLED_MS);
    assert.deepEqual(
      told(mesh.a).map(({ endpointId, sourceId, layers }) => [endpointId, sourceId, layers]),
      [
        [formatId(1 as EndpointId), VIDEO.sourceId, ALL],
        [formatId(1 as EndpointId), VIDEO.sourceId, 0],
      ],
      'audio is not spoken of',
    );
    assert.deepEqual([...told(mesh.b), ...told(mesh.c)], [], 'only its own bridge speaks of a source');
  });

  test('a layer that one of three bridges wants is needed; when it wants a smaller one, only that', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.a, 2, 0);
    mesh.watch(mesh.b, 3, 0);
    mesh.watch(mesh.c, 4, 2);
    mesh.run(SETTLED_MS);
    assert.equal(mesh.mask, HIGH | LOW);
    mesh.watch(mesh.c, 4, 0);
    mesh.run(PAUSE_MS + 2_000);
    assert.equal(mesh.mask, LOW);
  });

  test('subscribed and not to be sent anything is not watching', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 2, false);
    mesh.watch(mesh.a, 2, 2, false);
    mesh.run(SETTLED_MS);
    assert.equal(mesh.mask, 0);
  });

  test('a bridge that leaves the conference wants nothing any more', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 2);
    mesh.run(SETTLED_MS);
    assert.equal(mesh.mask, HIGH | LOW);
    mesh.leave(mesh.b, 3);
    mesh.run(PAUSE_MS + 2_000);
    assert.equal(mesh.mask, 0);
  });

  test('an endpoint whose media has gone watches nothing', () => {
    const mesh = new Mesh();
    const viewer = mesh.watch(mesh.a, 2, 2);
    mesh.run(SETTLED_MS);
    viewer.sink.onClosed('silent');
    mesh.run(PAUSE_MS + 2_000);
    assert.equal(mesh.mask, 0);
  });
});

describe('a layer that somebody comes to watch', () => {
  test('is needed at once, here and across a link, and stays wanted while it does not flow', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 0);
    mesh.run(SETTLED_MS);
    assert.equal(mesh.mask, LOW);
    mesh.watch(mesh.b, 3, 2);
    for (const box of mesh.boxes) box.run(60);
    assert.equal((mesh.mask ?? 0) & HIGH, HIGH);
    // A publisher that cannot send it: only the smallest keeps coming.
    for (let sequence = 1_000; sequence < 1_400; sequence++) {
      mesh.a.receive(1, vp8Packet({ ssrc: 40, sequence, payload: 'q' }));
      for (const box of mesh.boxes) box.run(50);
    }
    assert.equal((mesh.mask ?? 0) & HIGH, HIGH, 'the wish outlives the silence');
  });

  test('a switch up needs no key frame but the one that the layer begins with', () => {
    for (const where of ['a', 'b'] as const) {
      const mesh = new Mesh();
      const viewer = mesh.watch(mesh[where], 2, 0);
      mesh.run(SETTLED_MS);
      const before = mesh.keyFramesAsked();
      mesh.watch(mesh[where], 2, 2);
      mesh.run(300);
      assert.equal(payloadOf(viewer.rtp.at(-1)!).at(-1), 'f', `the large picture, on ${where}`);
      mesh.run(2 * PAUSE_MS);
      assert.equal(mesh.mask, HIGH | LOW);
      assert.equal(mesh.keyFramesAsked() - before, 0, `key frames asked for, on ${where}`);
    }
  });

  test('many who come at once to a paused source ask for at most one key frame a layer', () => {
    const mesh = new Mesh();
    mesh.run(SETTLED_MS);
    const before = mesh.keyFramesAsked();
    for (let id = 10; id < 40; id++) mesh.watch(mesh.boxes[id % 3], id, id % 3);
    mesh.run(1_500);
    assert.equal(mesh.mask, ALL);
    const asked = mesh.keyFramesAsked() - before;
    assert.ok(asked <= 3, `${asked} key frames asked for`);
    for (let id = 10; id < 40; id++) {
      const letters = mesh.boxes[id % 3].transport(id).rtp.map(datagram => payloadOf(datagram).at(-1));
      assert.equal(letters.at(-1), RIDS[id % 3], `the picture of viewer ${id}`);
    }
  });

  test('a key frame is asked for when the one that was to come has not', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 0);
    mesh.run(SETTLED_MS);
    const before = mesh.keyFramesAsked();
    mesh.watch(mesh.b, 3, 2);
    for (let sequence = 1_000; sequence < 1_010; sequence++) {
      mesh.a.receive(1, vp8Packet({ ssrc: 42, sequence, mid: '1', rid: 'f', payload: 'f' }));
      for (const box of mesh.boxes) box.run(50);
    }
    assert.ok(mesh.keyFramesAsked() > before);
  });

  test('of a publisher that does not obey, it is there as without any of this', () => {
    const mesh = new Mesh();
    const viewer = mesh.watch(mesh.b, 3, 0);
    mesh.run(SETTLED_MS, false);
    const before = mesh.keyFramesAsked(2);
    mesh.watch(mesh.b, 3, 2);
    mesh.run(200, false);
    assert.equal(mesh.keyFramesAsked(2) - before, 1, 'the key frame of a layer that flows is asked for');
    assert.equal(payloadOf(viewer.rtp.at(-1)!).at(-1), 'f');
  });
});

describe('what a focus and an operator are told', () => {
  test('a focus that has just connected is told of every source', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 0);
    mesh.run(SETTLED_MS);
    const snapshot = mesh.a.bridge.endpointEvents();
    assert.deepEqual(
      snapshot.filter(({ kind }) => kind === 'needed-layers'),
      [told(mesh.a).at(-1)],
    );
  });

  test('the description says who needs a layer, what the publisher was told, and why', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.a, 2, 0);
    mesh.watch(mesh.b, 3, 2);
    mesh.run(SETTLED_MS);
    const { sources } = mesh.a.bridge.describeConference(mesh.a.nowMs, CONFERENCE);
    assert.deepEqual(
      sources.find(({ kind }) => kind === 'video')?.layers.map(({ needed }) => needed),
      [
        { told: 'send', why: 'watched', endpoints: [formatId(2 as EndpointId)], bridges: [] },
        { told: 'pause', why: 'unwatched', endpoints: [], bridges: [] },
        { told: 'send', why: 'watched', endpoints: [], bridges: ['b'] },
      ],
    );
    assert.equal(mesh.a.bridge.pausedLayerCount(), 1);
  });

  test('whoever asks for more than there is stands beside the best there is', () => {
    const mesh = new Mesh();
    mesh.put(mesh.a, 1, { sources: [{ ...VIDEO, rids: ['q', 'h'] }] });
    mesh.watch(mesh.a, 2, 2);
    mesh.watch(mesh.b, 3, 2);
    mesh.run(SETTLED_MS);
    const [source] = mesh.a.bridge.describeConference(mesh.a.nowMs, CONFERENCE).sources;
    assert.deepEqual(source.layers[1].needed?.endpoints, [formatId(2 as EndpointId)]);
    assert.deepEqual(source.layers[1].needed?.bridges, ['b']);
    assert.equal(mesh.mask, 3);
  });

  test('pauses and restarts are counted, those of sources that have ended too', () => {
    const mesh = new Mesh();
    mesh.watch(mesh.b, 3, 0);
    mesh.run(SETTLED_MS);
    mesh.watch(mesh.b, 3, 2);
    mesh.run(300);
    mesh.leave(mesh.a, 1);
    const { layersPaused, layersRestarted, neededLayersUpdates } = mesh.a.bridge.countMedia();
    const masks = told(mesh.a).map(({ layers }) => layers);
    const [, low, more] = masks;
    assert.deepEqual([masks.length, low], [3, LOW], `told ${masks}`);
    assert.deepEqual([layersPaused, layersRestarted, neededLayersUpdates], [2, more === ALL ? 2 : 1, 3]);
  });
});

test('in any order of joins, looks, mutes and leaves, what is needed comes to be what somebody is to be given', () => {
  const step = fc.record({
    what: fc.constantFrom('watch', 'watch', 'look', 'leave', 'mute', 'wait'),
    who: fc.integer({ min: 10, max: 16 }),
    layerMax: fc.option(fc.nat(2), { nil: null, freq: 4 }),
    waitMs: fc.nat(PAUSE_MS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), steps => {
      const mesh = new Mesh();
      const watching = new Map<number, number>();
      const put = (muted: boolean) => mesh.put(mesh.a, 1, { sources: [AUDIO, { ...VIDEO, muted }] });
      for (const { what, who, layerMax, waitMs } of steps) {
        const box = mesh.boxes[who % 3];
        if (what === 'mute') put(who % 2 === 0);
        else if (what === 'leave') {
          if (watching.delete(who)) mesh.leave(box, who);
        } else if (what !== 'wait') {
          watching.set(who, layerMax ?? -1);
          mesh.watch(box, who, layerMax);
        }
        mesh.run(waitMs);
        const source = mesh.a.bridge.conferences.get(CONFERENCE)!.source(1 as EndpointId, VIDEO.sourceId as SourceId)!;
        for (const layer of watching.values()) {
          if (layer >= 0 && waitMs >= 200) assert.ok(source.needs!.isSent(layer), `layer ${layer} is watched`);
        }
      }
      put(false);
      mesh.run(FRESH_MS + 2 * PAUSE_MS);
      let needed = 0;
      for (const layer of watching.values()) if (layer >= 0) needed |= (1 << layer) | LOW;
      assert.equal(mesh.mask, needed);
    }),
    { numRuns: 40 },
  );
});
