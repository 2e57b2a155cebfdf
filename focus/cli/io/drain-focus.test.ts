/** `causeway drain --focus` against two focuses that are there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FocusInNetwork, joinActive, resume, withNetwork } from '../../io/network.fixture.ts';
import { readCommandLine } from '../command-line.ts';
import { runCommand } from './run-command.ts';

function run(at: FocusInNetwork, args: string, write: (text: string) => void = () => {}) {
  const line = readCommandLine(args.split(' '), { LIVEKIT_URL: at.url });
  assert.ok(line.kind === 'run', JSON.stringify(line));
  return runCommand(line.command, line.connection, Date.now(), write);
}

test('a focus is drained and followed until it is empty, and taken back', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const written: string[] = [];
    const { text, json } = await run(two, 'drain --focus one --deadline 1m --follow', line => written.push(line));
    const done = 'one is draining: it has 0 rooms, and 0 clients of rooms elsewhere, 1 room given to others';
    assert.match(text, new RegExp(`^${done}, \\d+ s left\n$`));
    assert.deepEqual((json as { rooms: number }).rooms, 0);
    for (const line of written) assert.match(line, /^one is draining: it has [01] rooms?, /);
    await alice.client.closed;
    const again = await resume(two, 'alice', alice.sid);
    const undone = await run(two, 'drain --focus one --undo --follow');
    assert.equal(undone.text, 'one is running: it has 0 rooms, and 0 clients of rooms elsewhere\n');
    await assert.rejects(run(two, 'drain --focus nine'), /nine/);
    again.close();
  }));

test('a focus that nobody can take over from is followed for no longer than its deadline', () =>
  withNetwork(['one'], async (network, one) => {
    const alice = await joinActive(network, one, 'alice');
    const { text } = await run(one, 'drain --focus one --deadline 1s --follow');
    assert.equal(
      text,
      'one is draining: it has 1 room, and 0 clients of rooms elsewhere, 0 rooms given to others, past its deadline\n',
    );
    assert.ok(alice.client.isOpen);
    alice.client.close();
  }));
