import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropsIn } from './kernel-drops.ts';

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   94: 00000000:D6F7 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 540185 2 00000000ba7aaa7b 7
  306: 0100007F:97CB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 540131 2 00000000f63ca301 35
`;

test('drops are those of the ports asked for', () => {
  assert.equal(dropsIn(TABLE, new Set([0xd6f7])), 7);
  assert.equal(dropsIn(TABLE, new Set([0xd6f7, 0x97cb])), 42);
  assert.equal(dropsIn(TABLE, new Set([1])), 0);
});
