/** Endpoints that no focus has are taken off their bridges; what the store has only lost for a while is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { ParticipantRecord } from '../store/store.ts';
import { Leftovers } from './leftovers.ts';

const BRIDGE = 'eu-1' as BridgeId;
const CONFERENCE = 7 as ConferenceId;
const ENDPOINT = 3 as EndpointId;

class World {
  /** Endpoints that the store has; undefined: it is away. */
  stored: number[] | undefined = [];
  here: number[] = [];
  readonly removed: number[] = [];
  readonly leftovers = new Leftovers({
    store: {
      participants: async () => {
        if (this.stored === undefined) throw new Error('away');
        return this.stored.map(endpointId => ({ endpointId }) as ParticipantRecord);
      },
    },
    isHere: (_conferenceId, endpointId) => this.here.includes(endpointId),
    remove: (_bridgeId, _conferenceId, endpointId) => this.removed.push(endpointId),
  });

  constructor() {
    this.leftovers.noteStranger(0, BRIDGE, CONFERENCE, ENDPOINT);
  }

  async until(nowMs: number, fromMs = 0): Promise<number[]> {
    for (let at = fromMs; at <= nowMs; at += 250) await this.leftovers.handleTick(at);
    return this.removed;
  }
}

test('what the store does not have is removed once, after it was looked up twice', async () => {
  const world = new World();
  assert.deepEqual(await world.until(19_000), []);
  assert.deepEqual(await world.until(60_000, 19_250), [ENDPOINT]);
});

test('what the store gets back in time stays, whatever it lost afterwards', async () => {
  const world = new World();
  await world.until(11_000);
  world.stored = [ENDPOINT];
  await world.until(21_000, 11_250);
  world.stored = [];
  assert.deepEqual(await world.until(60_000, 21_250), []);
});

test('the second endpoint of somebody whom the store has is none', async () => {
  const world = new World();
  world.leftovers.noteStranger(0, BRIDGE, CONFERENCE, (0x8000_0000 + 5) as EndpointId);
  world.stored = [5, ENDPOINT];
  assert.deepEqual(await world.until(60_000), []);
});

test('a store that is away says nothing, and its first answer alone does not count', async () => {
  const world = new World();
  await world.until(11_000);
  world.stored = undefined;
  assert.deepEqual(await world.until(400_000, 11_250), []);
  world.stored = [];
  await world.until(411_000, 400_250);
  assert.deepEqual(world.removed, []);
  assert.deepEqual(await world.until(440_000, 411_250), [ENDPOINT]);
});

test('an endpoint that has become one of a room here, or that has ended, is left alone', async () => {
  const adopted = new World();
  adopted.here = [ENDPOINT];
  assert.deepEqual(await adopted.until(60_000), []);
  const ended = new World();
  await ended.until(11_000);
  ended.leftovers.noteGone(BRIDGE, CONFERENCE, ENDPOINT);
  assert.deepEqual(await ended.until(60_000, 11_250), []);
});
