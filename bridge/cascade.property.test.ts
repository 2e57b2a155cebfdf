import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from './relay/simulated-pair.ts';
import { CONFERENCE } from './testing/bridge-box.ts';
import { Cascade } from './testing/cascade.ts';

const BRIDGES = ['a', 'b', 'c'];
const CAMERAS: [number, string][] = [
  [1, 'a'],
  [2, 'a'],
  [3, 'b'],
];
const VIEWERS: [number, string][] = [
  [11, 'a'],
  [12, 'b'],
  [13, 'b'],
  [14, 'c'],
  [15, 'c'],
];

/** Three bridges, and everything that can change in them: who watches what, what cameras send, which bridges are in the conference, what links can take. */
class World {
  readonly cascade = new Cascade(BRIDGES, 30);
  readonly asked = new Map<string, number>();
  changes = 0;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    for (const [id, name] of CAMERAS) this.cascade.publish(id, name);
    for (const [id, name] of VIEWERS) for (const [origin] of CAMERAS) this.cascade.watch(id, name, origin, -1);
    this.cascade.run(500);
  }

  change(): void {
    this.changes++;
    const dice = this.#random();
    const [viewer, name] = this.#pick(VIEWERS);
    const [origin] = this.#pick(CAMERAS);
    if (dice < 0.6) this.#watch(viewer, name, origin, this.#below(4) - 1);
    else if (dice < 0.7) {
      this.cascade.unwatch(viewer, origin);
      this.asked.delete(`${viewer}/${origin}`);
    } else if (dice < 0.8) {
      const { sends } = this.cascade.cameras.get(origin)!;
      const layer = this.#below(3);
      sends[layer] = !sends[layer];
    } else if (dice < 0.95)
      this.#link().sendBudgetBps = this.#random() < 0.3 ? Number.POSITIVE_INFINITY : this.#below(600_000);
    else this.cascade.mesh(this.#random() < 0.5 ? BRIDGES : BRIDGES.filter(each => each !== name));
  }

  run(durationMs: number): void {
    this.cascade.run(durationMs);
    this.#check();
  }

  /** Everybody is together, cameras send everything, and links take it. */
  heal(): void {
    this.cascade.mesh();
    for (const { sends } of this.cascade.cameras.values()) sends.fill(true);
    for (const from of BRIDGES)
      for (const to of BRIDGES) if (from !== to) this.cascade.link(from, to).sendBudgetBps = Number.POSITIVE_INFINITY;
  }

  #watch(viewer: number, name: string, origin: number, layerMax: number): void {
    this.cascade.watch(viewer, name, origin, layerMax);
    this.asked.set(`${viewer}/${origin}`, layerMax);
  }

  /** What holds at every moment: books and facts agree, and nothing flows that was not asked for. */
  #check(): void {
    for (const from of BRIDGES) {
      const conference = this.cascade.box(from).bridge.conferences.get(CONFERENCE)!;
      for (const to of BRIDGES) {
        if (from === to) continue;
        const link = this.cascade.link(from, to);
        let sent = 0;
        for (const source of conference.sources) {
          for (const layer of source.layers) {
            if (!layer.links.includes(link)) continue;
            sent++;
            assert.ok(source.isLocal, 'what came over a link never goes on to another');
            const wants = [...conference.supply.wantsOf(link).values()];
            const want = wants.find(each => each.endpointId === source.endpointId);
            assert.ok(
              want?.viewers.some((count, index) => count > 0 && index >= layer.index),
              'sent to somebody who wants it, or more',
            );
            assert.equal(layer.links.indexOf(link), layer.links.lastIndexOf(link));
          }
        }
        assert.equal(link.layers.sent, sent);
        const isMember = conference.bridges.some(({ bridgeId }) => bridgeId === to);
        if (!isMember) assert.deepEqual(link.layers, { wanted: 0, sent: 0, withheld: 0 });
      }
    }
  }

  #link() {
    const from = this.#below(3);
    return this.cascade.link(BRIDGES[from], BRIDGES[(from + 1 + this.#below(2)) % 3]);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#below(items.length)];
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

function homeOf(viewer: number): string {
  return VIEWERS.find(([id]) => id === viewer)![1];
}

test('whatever has happened, everybody soon sees what they ask for, and nothing else crosses a link', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const world = new World(seed);
      for (let step = 0; step < 25; step++) {
        world.change();
        world.run(50 + (step % 5) * 120);
      }
      world.heal();
      world.run(6_000);
      const { cascade } = world;
      const crossing = new Set<string>();
      for (const [pair, layerMax] of world.asked) {
        const [viewer, origin] = pair.split('/').map(Number);
        const { projection } = cascade.subscription(viewer, origin);
        assert.equal(projection.currentLayer, layerMax, `${pair}: ${projection.reason}`);
        const [from, to] = [CAMERAS.find(([id]) => id === origin)![1], homeOf(viewer)];
        if (layerMax >= 0 && from !== to) crossing.add(`${from} ${to} ${origin} ${layerMax}`);
      }
      for (const from of BRIDGES) {
        for (const to of BRIDGES) {
          if (from === to) continue;
          const count = [...crossing].filter(each => each.startsWith(`${from} ${to} `)).length;
          assert.deepEqual(cascade.link(from, to).layers, { wanted: count, sent: count, withheld: 0 }, `${from} ${to}`);
        }
      }
      const asked = [...cascade.cameras.values()].reduce((sum, camera) => sum + camera.askedOverAll, 0);
      assert.ok(asked <= 12 + world.changes, `${asked} key frames asked for in ${world.changes} changes`);
    }),
    { numRuns: 25 },
  );
});

test('whatever is wanted, a full link carries no more than its budget, and something of it', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 40_000, max: 700_000 }), (seed, budgetBps) => {
      const world = new World(seed);
      const { cascade } = world;
      world.heal();
      const link = cascade.link('a', 'b');
      const random = seededRandom(seed);
      for (const viewer of [12, 13]) {
        for (const origin of [1, 2]) cascade.watch(viewer, 'b', origin, Math.floor(random() * 3));
      }
      world.run(1_000);
      link.sendBudgetBps = budgetBps;
      world.run(20_000);
      const before = link.counters.bytesOut;
      cascade.run(3_000);
      const bps = ((link.counters.bytesOut - before) * 8) / 3;
      assert.ok(bps <= budgetBps * 1.02, `${bps} of ${budgetBps}`);
      const wantedBps = link.demandBps === 0 ? bps : Math.min(link.demandBps, budgetBps);
      assert.ok(bps >= Math.min(25_400, wantedBps), `${bps} of ${budgetBps}`);
      for (const origin of [1, 2]) {
        for (const viewer of [12, 13]) cascade.seen(viewer, origin);
      }
      cascade.run(1_000);
      for (const viewer of [12, 13]) {
        for (const origin of [1, 2]) {
          const seen = cascade.seen(viewer, origin);
          const { reason } = cascade.subscription(viewer, origin).projection;
          assert.ok(seen.length >= 18 || reason === 'withheld-by-link', `${seen.length} frames, ${reason}`);
        }
      }
    }),
    { numRuns: 12 },
  );
});
