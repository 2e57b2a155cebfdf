import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from '../../soak/chance.ts';
import { HOSTILE_KINDS, HostileDatagrams } from './hostile-datagrams.ts';

const HEARD = [Buffer.alloc(200, 0xe0), Buffer.alloc(40, 0xe8), Buffer.from([22, 0xfe, 0xfd, 1])];

function take(seed: number, count: number) {
  const datagrams = new HostileDatagrams(new Chance(seed), HEARD);
  return Array.from({ length: count }, () => datagrams.next());
}

test('all kinds take turns, and a seed always gives the same', () => {
  const made = take(3, 600);
  for (const kind of HOSTILE_KINDS) assert.equal(made.filter(one => one.kind === kind).length, 100);
  assert.deepEqual(take(3, 600), made);
  assert.notDeepEqual(take(4, 600), made);
});

test('only a replay is what was heard, and what was heard stays as it is', () => {
  const before = HEARD.map(bytes => Buffer.from(bytes));
  for (const { kind, bytes } of take(5, 3_000)) {
    const isHeard = HEARD.some(heard => heard.equals(bytes));
    // Four bytes of somebody's handshake are no header: there is nothing behind it to forge.
    if (kind !== 'forged' || bytes.length > 20) assert.equal(isHeard, kind === 'replayed', kind);
  }
  assert.deepEqual(HEARD, before);
});

test('without a frame to start from there is nothing to forge', () => {
  assert.throws(() => new HostileDatagrams(new Chance(1), [HEARD[2]]), /no frame has been heard/);
});
