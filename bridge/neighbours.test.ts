import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId } from '../protocol/ids.ts';
import { type Hearing, LOOK_PERIOD_MS, NEIGHBOUR_SILENT_MS, Neighbours } from './neighbours.ts';

const link = (peerId: string, state: Hearing['state'], heardMs: number): Hearing => ({
  peerId: peerId as BridgeId,
  state,
  heardMs,
});

/** Looks as often as a bridge does, until `untilMs`. */
function look(neighbours: Neighbours, fromMs: number, untilMs: number, links: readonly Hearing[]): string[] {
  const told: string[] = [];
  for (let nowMs = fromMs; nowMs <= untilMs; nowMs += LOOK_PERIOD_MS) {
    for (const { bridgeId, state } of neighbours.look(nowMs, links)) told.push(`${nowMs} ${bridgeId} ${state}`);
  }
  return told;
}

test('a neighbour is told heard once its link is up, silent after 600 ms without a frame, heard again with the next', () => {
  const neighbours = new Neighbours();
  assert.deepEqual(look(neighbours, 0, 200, [link('b', 'connecting', Number.NEGATIVE_INFINITY)]), []);
  assert.deepEqual(look(neighbours, 250, 250, [link('b', 'up', 250)]), ['250 b heard']);
  assert.deepEqual(look(neighbours, 300, 2_000, [link('b', 'up', 250)]), [`${250 + NEIGHBOUR_SILENT_MS} b silent`]);
  assert.deepEqual(look(neighbours, 2_050, 2_100, [link('b', 'down', 250)]), []);
  assert.deepEqual(look(neighbours, 2_150, 2_200, [link('b', 'up', 2_150)]), ['2150 b heard']);
});

test('a link that ended is told gone, and so is one whose peer said good-bye: neither is a silence', () => {
  const neighbours = new Neighbours();
  look(neighbours, 0, 0, [link('b', 'up', 0), link('c', 'up', 0)]);
  assert.deepEqual(look(neighbours, 50, 50, [link('c', 'down', 0)]), ['50 b gone', '50 c gone']);
  assert.deepEqual(look(neighbours, 100, 2_000, [link('c', 'down', 0)]), []);
  assert.deepEqual(neighbours.events(), []);
});

test('a bridge that was stalled listens before it calls its neighbours silent', () => {
  const neighbours = new Neighbours();
  look(neighbours, 0, 0, [link('b', 'up', 0)]);
  assert.deepEqual(look(neighbours, 5_000, 5_100, [link('b', 'up', 0)]), []);
  assert.deepEqual(look(neighbours, 5_150, 5_150, [link('b', 'up', 5_120)]), []);
});

test('a focus that connects is told of every link that was up', () => {
  const neighbours = new Neighbours();
  look(neighbours, 0, 700, [link('b', 'up', 0), link('c', 'up', 700), link('d', 'connecting', 0)]);
  assert.deepEqual(neighbours.events(), [
    { kind: 'link', bridgeId: 'b', state: 'silent' },
    { kind: 'link', bridgeId: 'c', state: 'heard' },
  ]);
});
