/** Random joins, leaves, crashes and losses at several focuses: what the store keeps never contradicts itself, and ends as the focuses have it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BridgeId } from '../../../protocol/ids.ts';
import type { ParticipantRecord, PlacementView } from '../store.ts';
import { sampleReport } from '../store-contract.ts';
import { LEASE_MS } from './prelude-script.ts';
import { type RedisServer, startRedis } from './redis-server.fixture.ts';
import { connectFocus, newPrefix, type TestFocus, targetOf } from './redis-store.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

const ROOMS = ['r0', 'r1', 'r2'];
const BRIDGES = ['b0', 'b1', 'b2'];
const CAP = 4;
const STEPS = 150;

/** Mulberry32: a seeded generator, so that a failure repeats. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const upToCap = (view: PlacementView) => ({
  bridgeId: view.bridges.find(({ bridgeId }) => (view.inConference.get(bridgeId) ?? 0) < CAP)?.bridgeId ?? null,
});

interface Member {
  readonly focus: string;
  readonly room: string;
  readonly record: ParticipantRecord;
}

class World {
  readonly prefix = newPrefix();
  readonly focuses = new Map<string, TestFocus>();
  /** Who should be there: by SID. */
  readonly members = new Map<string, Member>();
  readonly #random: () => number;
  #names = 0;
  #shiftMs = 0;
  #sids = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  async start(): Promise<void> {
    const name = `focus-${++this.#names}`;
    const focus = await connectFocus(targetOf({ address: server.address, key_prefix: this.prefix }), name);
    this.focuses.set(name, focus);
    focus.advanceMs(this.#shiftMs);
    await this.report(focus);
    await focus.store.upkeep();
  }

  async report({ store }: TestFocus): Promise<void> {
    for (const bridgeId of BRIDGES) await store.putBridge(sampleReport(bridgeId));
  }

  /** One step of the world; its name, for the message of a failure. */
  async step(): Promise<string> {
    const names = [...this.focuses.keys()];
    const name = this.pick(names);
    const focus = this.focuses.get(name)!;
    const event = this.#random();
    if (event < 0.5) {
      const joins = Array.from({ length: 1 + Math.floor(this.#random() * 4) }, () => this.#join(this.pick(names)));
      // Answers of several focuses come in any order: who was replaced goes after everybody has come.
      for (const replaced of (await Promise.all(joins)).flat()) this.members.delete(replaced.sid);
      return 'joins';
    }
    if (event < 0.8) {
      await this.#leave();
      return 'a leave';
    }
    if (event < 0.9) {
      await focus.store.upkeep();
      return 'upkeep';
    }
    if (event < 0.95) {
      await this.#crash(name, focus);
      return 'a crash';
    }
    await this.#empty();
    return 'the store emptied';
  }

  async #join(name: string): Promise<ParticipantRecord[]> {
    const [room, identity, sid] = [this.pick(ROOMS), `p${Math.floor(this.#random() * 12)}`, `PA_${++this.#sids}`];
    const fields = { room, identity, sid, region: 'eu', owner: name, participantsMax: 0 };
    const request = { ...fields, createAs: { roomSid: `RM_${sid}` } };
    const assigned = await this.focuses.get(name)!.store.assign(request, upToCap);
    if (assigned.kind !== 'placed') {
      assert.equal(assigned.kind, 'no-bridge');
      return [];
    }
    this.members.set(sid, { focus: name, room, record: assigned.participant });
    return assigned.replaced === null ? [] : [assigned.replaced];
  }

  async #leave(): Promise<void> {
    if (this.members.size === 0) return;
    const { focus, record } = this.pick([...this.members.values()]);
    this.members.delete(record.sid);
    assert.ok(await this.focuses.get(focus)!.store.release(record.conferenceId, record.endpointId, record.sid));
  }

  /** A focus dies, its lease ends, another takes its place. */
  async #crash(name: string, focus: TestFocus): Promise<void> {
    for (const alive of this.focuses.values()) await alive.store.upkeep();
    focus.close();
    this.focuses.delete(name);
    for (const [sid, member] of this.members) if (member.focus === name) this.members.delete(sid);
    await this.start();
    for (const alive of this.focuses.values()) await alive.store.upkeep();
    for (const alive of this.focuses.values()) alive.advanceMs(LEASE_MS);
    this.#shiftMs += LEASE_MS;
    // The others' leases have ended as well now: the first to renew its own lets go of theirs, and they put everything back.
    for (const alive of this.focuses.values()) await alive.store.upkeep();
    for (const alive of this.focuses.values()) await this.report(alive);
  }

  /** The focuses notice one after the other. */
  async #empty(): Promise<void> {
    for (const focus of this.focuses.values()) await focus.store.upkeep();
    for (const key of (await server.command('KEYS', `{${this.prefix}}*`)) as string[]) await server.command('DEL', key);
    for (const focus of this.focuses.values()) await focus.store.upkeep();
    for (const focus of this.focuses.values()) await this.report(focus);
  }

  async check(after: string): Promise<void> {
    const { store } = this.pick([...this.focuses.values()]);
    const there: string[] = [];
    for (const { conferenceId, room } of await store.conferences()) {
      const participants = await store.participants(conferenceId);
      there.push(...participants.map(({ sid }) => sid));
      await this.#checkFields(`{${this.prefix}}:conf:${conferenceId}`, room, participants);
      const perBridge = Map.groupBy(participants, ({ bridgeId }) => bridgeId);
      for (const [bridgeId, on] of perBridge) assert.ok(on.length <= CAP, `${after}: ${on.length} on ${bridgeId}`);
    }
    assert.deepEqual(there.toSorted(), [...this.members.keys()].toSorted(), after);
  }

  async #checkFields(key: string, room: string, participants: readonly ParticipantRecord[]): Promise<void> {
    const list = (await server.command('HGETALL', key)) as string[];
    const fields = new Map(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!] as const] : [])));
    assert.equal(Number(fields.get('size')), participants.length);
    const counts = JSON.parse(fields.get('counts')!) as Record<BridgeId, number>;
    const expected = Map.groupBy(participants, ({ bridgeId }) => bridgeId)
      .entries()
      .map(([bridgeId, on]) => [bridgeId, on.length]);
    assert.deepEqual(counts, Object.fromEntries(expected), room);
    const endpoints = [...fields.keys()].filter(name => name.startsWith('e:'));
    assert.equal(endpoints.length, participants.length);
    for (const { endpointId, identity } of participants) assert.equal(fields.get(`e:${endpointId}`), identity);
    assert.ok(Math.max(0, ...participants.map(({ endpointId }) => endpointId)) < Number(fields.get('next')));
  }
}

/** 12 and 21: a focus that was taken for dead puts back a conference that the others closed. */
for (const seed of [1, 2, 12, 21]) {
  test(`after any joins, leaves, crashes and losses the store has exactly who is there, counted right (seed ${seed})`, async () => {
    const world = new World(seededRandom(seed));
    try {
      for (let index = 0; index < 3; index++) await world.start();
      for (let step = 0; step < STEPS; step++) {
        const event = await world.step();
        await world.check(`seed ${seed}, step ${step}, ${event}`);
      }
    } finally {
      for (const focus of world.focuses.values()) focus.close();
    }
  });
}
