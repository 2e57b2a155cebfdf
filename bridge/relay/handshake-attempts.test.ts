import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinkRole } from '../../protocol/octo/keys.ts';
import { HELLO_REQUEST } from './handshake.ts';
import { HandshakeAttempts } from './handshake-attempts.ts';

/** Counts the handshakes that are begun; they answer nothing. */
function attempts(role: LinkRole) {
  let nowMs = 0;
  const counted = { begun: 0, nudged: 0 };
  const machine = new HandshakeAttempts(
    {
      role,
      start: () => {
        counted.begun++;
        return {
          isCommitted: false,
          handleDatagram: () => true,
          handleNudge: () => counted.nudged++,
          handleTimeout: () => {},
          close: () => {},
        };
      },
      random: () => 0.5,
      nowMs: () => nowMs,
      send: () => {},
      onKeys: () => {},
      onFailed: () => {},
    },
    'AA:BB',
  );
  const receive = (atMs: number, datagram: Uint8Array) => {
    nowMs = atMs;
    machine.handleDatagram(nowMs, datagram, 0, datagram.length, true);
  };
  return { machine, counted, receive };
}

const FLIGHT = Uint8Array.of(22, 0xfe, 0xfd);

test('a client whose handshake goes on takes a nudge as a hint to repeat its flight', () => {
  const { machine, counted, receive } = attempts('client');
  machine.handleTimeout(0, true);
  receive(450, FLIGHT);
  receive(900, HELLO_REQUEST);
  assert.deepEqual(counted, { begun: 1, nudged: 1 });
});

test('a client whose handshake has stalled begins another when the server nudges: the server has given the first one up', () => {
  const { machine, counted, receive } = attempts('client');
  machine.handleTimeout(0, true);
  receive(100, FLIGHT);
  receive(600, HELLO_REQUEST);
  assert.deepEqual(counted, { begun: 2, nudged: 0 });
  receive(650, HELLO_REQUEST);
  assert.deepEqual(counted, { begun: 2, nudged: 1 }, 'however often it nudges, the new one has its time');
});
