/**
 * Random joins, moves, leaves, crashes and losses at several focuses, some of them without the store: what it keeps never contradicts itself, and ends as the
 * focuses have it.
 */
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
const SEEDS = process.env['CAUSEWAY_STORE_SEEDS'] ?? '1,2,12,21';

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
  readonly room: string;
  readonly record: ParticipantRecord;
}

class World {
  readonly prefix = newPrefix();
  readonly focuses = new Map<string, TestFocus>();
  /** Who should be there: by SID. */
  readonly members = new Map<string, Member>();
  readonly #random: () => number;
  /** Those whom their home took for older than who was there. */
  readonly #refused: ParticipantRecord[] = [];
  #names = 0;
  #shiftMs = 0;
  #sids = 0;
  /** Conference and endpoint IDs that were ever given out. */
  readonly #endpoints = new Set<string>();

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
    await focus.turn();
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
    if (event < 0.4) {
      await this.#joinAtOnce(names);
      return 'joins';
    }
    if (event < 0.6) {
      await this.#leave(this.pickMember());
      return 'a leave';
    }
    if (event < 0.75) {
      await this.#move(this.pickMember());
      return 'a move';
    }
    if (event < 0.85) {
      await focus.turn();
      return 'upkeep';
    }
    if (event < 0.92) {
      const how = this.#random() < 0.5 ? 'requests' : 'answers';
      await this.#withoutStore(name, focus, how);
      return `${how} lost`;
    }
    if (event < 0.96) {
      await this.#crash(name, focus);
      return 'a crash';
    }
    await this.#empty();
    return 'the store emptied';
  }

  /** Answers of several focuses come in any order: those of one of them sometimes after everybody else's. Who was replaced goes after everybody has come. */
  async #joinAtOnce(names: readonly string[]): Promise<void> {
    const late = this.#random() < 0.5 ? this.pick(names) : undefined;
    const letAnswer = late === undefined ? () => {} : this.focuses.get(late)!.delayAnswers();
    const joins = Array.from({ length: 1 + Math.floor(this.#random() * 4) }, () => {
      const name = this.pick(names);
      return { name, replaced: this.#join(name, this.pick(ROOMS)) };
    });
    await Promise.allSettled(joins.filter(({ name }) => name !== late).map(({ replaced }) => replaced));
    letAnswer();
    for (const { sid } of (await Promise.all(joins.map(({ replaced }) => replaced))).flat()) this.members.delete(sid);
    for (const { conferenceId, endpointId, sid, owner } of this.#refused.splice(0)) {
      assert.ok(!this.members.has(sid), `${sid} was refused, and nobody replaced it`);
      await this.focuses.get(owner)!.store.release(conferenceId, endpointId, sid);
    }
  }

  async #join(name: string, room: string): Promise<ParticipantRecord[]> {
    const [identity, sid] = [`p${Math.floor(this.#random() * 12)}`, `PA_${++this.#sids}`];
    const fields = { room, identity, sid, region: 'eu', owner: name, participantsMax: 0 };
    const request = { ...fields, createAs: { roomSid: `RM_${sid}` } };
    const assigned = await this.focuses.get(name)!.store.assign(request, upToCap);
    if (assigned.kind !== 'placed') {
      assert.equal(assigned.kind, 'no-bridge');
      return [];
    }
    const { conference, participant, replaced } = assigned;
    assert.equal(participant.owner, conference.owner);
    const { conferenceId, endpointId } = participant;
    assert.ok(!this.#endpoints.has(`${conferenceId} ${endpointId}`), `${endpointId} twice`);
    this.#endpoints.add(`${conferenceId} ${endpointId}`);
    if (!this.focuses.get(conference.owner)!.store.adopt(conference, participant)) this.#refused.push(participant);
    this.members.set(sid, { room, record: participant });
    return replaced === null ? [] : [replaced];
  }

  async #leave(member: Member | undefined): Promise<void> {
    if (member === undefined) return;
    const { sid, conferenceId, endpointId, owner } = member.record;
    this.members.delete(sid);
    assert.ok(await this.focuses.get(owner)!.store.release(conferenceId, endpointId, sid));
  }

  async #move(member: Member | undefined): Promise<void> {
    if (member === undefined) return;
    const { record, room } = member;
    const moved = await this.focuses.get(record.owner)!.store.move(record, upToCap);
    if (moved.kind === 'no-bridge') return;
    assert.ok(moved.kind === 'moved', moved.kind);
    assert.deepEqual(moved.participant, { ...record, bridgeId: moved.participant.bridgeId });
    this.members.set(record.sid, { room, record: moved.participant });
  }

  pickMember(owner?: string): Member | undefined {
    const members = [...this.members.values()];
    return this.pick(owner === undefined ? members : members.filter(({ record }) => record.owner === owner));
  }

  /** A home goes on without the store, which is told of all of it afterwards. */
  async #withoutStore(name: string, focus: TestFocus, how: 'requests' | 'answers'): Promise<void> {
    const own = (await focus.store.conferences()).filter(({ owner }) => owner === name);
    focus.fail(how);
    for (let index = 0; index < 5 && own.length > 0; index++) {
      const event = this.#random();
      if (event < 0.6) {
        const replaced = await this.#join(name, this.pick(own).room);
        for (const { sid } of replaced) this.members.delete(sid);
      } else if (event < 0.8) await this.#leave(this.pickMember(name));
      else await this.#move(this.pickMember(name));
    }
    focus.fail(undefined);
    await this.#pass(7);
  }

  /** Everybody beats each second. */
  async #pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.#shiftMs += 1_000;
      for (const alive of this.focuses.values()) alive.advanceMs(1_000);
      for (const alive of this.focuses.values()) {
        await this.report(alive);
        await alive.turn();
      }
    }
  }

  /** A focus dies, its lease ends, another takes its place; whoever is told takes over what it had. */
  async #crash(name: string, focus: TestFocus): Promise<void> {
    focus.close();
    this.focuses.delete(name);
    await this.start();
    await this.#pass(LEASE_MS / 1_000 + 1);
    for (const [to, { store, orphans }] of this.focuses) {
      for (const { room, conferenceId, owner } of orphans.splice(0)) {
        assert.equal(owner, name);
        const taken = await store.takeConference(room, conferenceId, owner, to);
        for (const record of taken!.participants) this.members.set(record.sid, { room, record });
      }
    }
  }

  /** The focuses notice one after the other. */
  async #empty(): Promise<void> {
    for (const focus of this.focuses.values()) await focus.turn();
    for (const key of (await server.command('KEYS', `{${this.prefix}}*`)) as string[]) await server.command('DEL', key);
    for (const focus of this.focuses.values()) await focus.turn();
    for (const focus of this.focuses.values()) await this.report(focus);
  }

  async check(after: string): Promise<void> {
    const { store } = this.pick([...this.focuses.values()]);
    const there: ParticipantRecord[] = [];
    for (const { conferenceId, room } of await store.conferences()) {
      const participants = await store.participants(conferenceId);
      there.push(...participants);
      await this.#checkFields(`{${this.prefix}}:conf:${conferenceId}`, room, participants);
      const perBridge = Map.groupBy(participants, ({ bridgeId }) => bridgeId);
      for (const [bridgeId, on] of perBridge) assert.ok(on.length <= CAP, `${after}: ${on.length} on ${bridgeId}`);
    }
    const bySid = (a: ParticipantRecord, b: ParticipantRecord) => (a.sid < b.sid ? -1 : 1);
    const expected = [...this.members.values()].map(({ record }) => record);
    assert.deepEqual(there.toSorted(bySid), expected.toSorted(bySid), after);
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

for (const seed of SEEDS.split(',').map(Number)) {
  test(`after any joins, moves, leaves, crashes and losses the store has exactly who is there, counted right (seed ${seed})`, async () => {
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
