import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { StatePart } from '../../protocol/octo/state-part.ts';
import { SimulatedPair, seededRandom } from './simulated-pair.ts';
import { StateReceiver } from './state-receiver.ts';
import { StateSender } from './state-sender.ts';

const TICK_MS = 10;
const RTT_MS = 80;
const PER_PART = 3;
const CONFERENCES = [1, 2] as ConferenceId[];

type Item = { readonly change: number; readonly index: number };

interface Datagram {
  readonly atMs: number;
  /** Which of its owner's lives it is from. */
  readonly life: number;
  readonly conferenceId: ConferenceId;
  readonly part?: StatePart<Item>;
  readonly ack?: number;
}

/**
 * One direction: `teller` has state, `hearer` is to have it. Both may begin anew at any time, and notice each other's new life as a link's dialogue does: from the first datagram of a
 * newer one; older ones are dropped.
 */
class Direction {
  nowMs = 0;
  readonly random: () => number;
  loss = 0.3;
  teller = new StateSender<Item>(isSame);
  hearer = new StateReceiver<Item>();
  readonly telling = new Set<ConferenceId>();
  readonly hearing = new Set<ConferenceId>();
  /** What was set last, of each conference that is told. */
  readonly state = new Map<ConferenceId, readonly Item[]>();
  /** By conference, what took effect in this life of the teller, oldest first. */
  readonly seen = new Map<ConferenceId, (readonly Item[])[]>();
  datagrams = 0;
  #change = 0;
  #tellerLife = 1;
  #hearerLife = 1;
  #knownTeller = 1;
  #knownHearer = 1;
  #toHearer: Datagram[] = [];
  #toTeller: Datagram[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
    for (const id of CONFERENCES) this.#share(id);
  }

  change(): void {
    const id = CONFERENCES[this.#below(2)];
    const dice = this.random();
    if (dice < 0.6) this.#set(id);
    else if (dice < 0.68) this.#leaveTeller(id);
    else if (dice < 0.76) this.#leaveHearer(id);
    else if (dice < 0.9) this.#share(id);
    else if (dice < 0.95) this.#restartTeller();
    else this.#restartHearer();
  }

  /** From now on both share everything, and nothing is lost. */
  heal(): void {
    for (const id of CONFERENCES) this.#share(id);
    this.loss = 0;
  }

  tick(): void {
    this.nowMs += TICK_MS;
    for (const { conferenceId, version, entries } of this.teller.poll(this.nowMs, RTT_MS)) {
      const parts = Math.max(1, Math.ceil(entries.length / PER_PART));
      for (let part = 0; part < parts; part++) {
        const some = entries.slice(part * PER_PART, (part + 1) * PER_PART);
        const stated = { incarnation: this.#tellerLife, version, part, parts, entries: some };
        this.#send(this.#toHearer, { conferenceId, part: stated, life: this.#tellerLife });
      }
    }
    for (const conferenceId of this.hearer.pollAsks(this.nowMs)) {
      this.#send(this.#toTeller, { conferenceId, ack: 0, life: this.#hearerLife });
    }
    this.#toHearer = this.#arrive(this.#toHearer, each => this.#hear(each));
    this.#toTeller = this.#arrive(this.#toTeller, each => this.#answer(each));
  }

  #hear({ life, conferenceId, part }: Datagram): void {
    if (life < this.#knownTeller || part === undefined) return;
    if (life > this.#knownTeller) {
      this.#knownTeller = life;
      this.hearer.restart(this.nowMs);
      this.seen.clear();
    }
    if (!this.hearing.has(conferenceId)) return;
    const { ack, isChanged } = this.hearer.handlePart(conferenceId, part);
    if (ack !== 0) this.#send(this.#toTeller, { conferenceId, ack, life: this.#hearerLife });
    if (!isChanged) return;
    this.seen.set(conferenceId, [...(this.seen.get(conferenceId) ?? []), this.hearer.stateOf(conferenceId)]);
  }

  #answer({ life, conferenceId, ack }: Datagram): void {
    if (life < this.#knownHearer || ack === undefined) return;
    if (life > this.#knownHearer) {
      this.#knownHearer = life;
      this.teller.restart();
    }
    this.teller.handleAck(conferenceId, { incarnation: life, version: ack });
  }

  #share(id: ConferenceId): void {
    if (!this.telling.has(id)) {
      this.telling.add(id);
      this.teller.addConference(id);
      this.state.set(id, []);
      this.#set(id);
    }
    this.hearing.add(id);
    this.hearer.addConference(this.nowMs, id);
  }

  #set(id: ConferenceId): void {
    if (!this.telling.has(id)) return;
    this.#change++;
    const items = Array.from({ length: this.#below(10) }, (_, index) => ({ change: this.#change, index }));
    assert.equal(this.teller.set(id, items), true);
    this.state.set(id, items);
  }

  #leaveTeller(id: ConferenceId): void {
    this.telling.delete(id);
    this.teller.removeConference(this.nowMs, id);
    this.state.delete(id);
  }

  #leaveHearer(id: ConferenceId): void {
    this.hearing.delete(id);
    this.hearer.removeConference(id);
    this.seen.delete(id);
  }

  #restartTeller(): void {
    this.#tellerLife++;
    this.teller = new StateSender<Item>(isSame);
    for (const id of this.telling) {
      this.teller.addConference(id);
      this.#set(id);
    }
  }

  #restartHearer(): void {
    this.#hearerLife++;
    this.hearer = new StateReceiver<Item>();
    this.seen.clear();
    for (const id of this.hearing) this.hearer.addConference(this.nowMs, id);
  }

  #send(queue: Datagram[], datagram: Omit<Datagram, 'atMs'>): void {
    this.datagrams++;
    for (let copy = 0; copy < (this.random() < 0.2 ? 2 : 1); copy++) {
      if (this.random() < this.loss) continue;
      queue.push({ ...datagram, atMs: this.nowMs + RTT_MS / 4 + this.random() * RTT_MS });
    }
  }

  #arrive(queue: readonly Datagram[], handle: (datagram: Datagram) => void): Datagram[] {
    const due = queue.filter(({ atMs }) => atMs <= this.nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const each of due) handle(each);
    return queue.filter(({ atMs }) => atMs > this.nowMs);
  }

  #below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
}

function isSame(left: Item, right: Item): boolean {
  return left.change === right.change && left.index === right.index;
}

test('whatever was lost, reordered, repeated, left or restarted: both sides agree soon after, and nothing ever went back', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const world = new Direction(seed);
      for (let step = 0; step < 60; step++) {
        world.change();
        for (let ticks = Math.floor(world.random() * 15); ticks > 0; ticks--) world.tick();
        for (const states of world.seen.values()) {
          const changes = states.flatMap(items => items.slice(0, 1)).map(({ change }) => change);
          assert.deepEqual(
            changes,
            changes.toSorted((a, b) => a - b),
          );
          for (const items of states)
            assert.equal(new Set(items.map(({ change }) => change)).size, Math.min(1, items.length));
        }
      }
      world.heal();
      // The longest wait for a repeat, or for a question, is a second.
      for (let elapsedMs = 0; elapsedMs < 2_500; elapsedMs += TICK_MS) world.tick();
      for (const id of CONFERENCES) assert.deepEqual(world.hearer.stateOf(id), world.state.get(id));
      const quiet = world.datagrams;
      for (let elapsedMs = 0; elapsedMs < 5_000; elapsedMs += TICK_MS) world.tick();
      assert.equal(world.datagrams, quiet, 'and then nobody says anything more');
    }),
    { numRuns: 300 },
  );
});

test('what is withheld reaches the other bridge over a bad path, and is gone when the one who withheld it begins anew', () => {
  const pair = new SimulatedPair(5, { loss: 0.2, jitterMs: 40, duplicates: 0.1 });
  const [conferenceId] = CONFERENCES;
  pair.share(conferenceId);
  pair.runUntil(() => pair.a.link?.state === 'up', 5_000);
  for (let withheldMask = 1; withheldMask <= 4; withheldMask++) {
    const entry = { endpointId: 9 as EndpointId, sourceId: 1 as SourceId, withheldMask, reason: 1 };
    assert.equal(pair.a.relay.setWithheld(conferenceId, pair.b.id, [entry]), true);
    pair.run(70);
  }
  pair.runUntil(() => pair.b.withheld.at(-1)?.withheld[0]?.withheldMask === 4, 5_000);
  assert.equal(pair.b.link?.dialogue.withheldOf(conferenceId)[0].withheldMask, 4);
  pair.a.restart();
  for (const { relay } of [pair.a, pair.b]) relay.setPeers(conferenceId, [pair.a.peer, pair.b.peer]);
  pair.runUntil(() => pair.b.withheld.at(-1)?.withheld.length === 0, 10_000);
});
