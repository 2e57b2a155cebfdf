import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, readCommandLine } from './command-line.ts';

function read(line: string, env: Record<string, string> = {}) {
  return readCommandLine(line.split(' ').filter(Boolean), env);
}

function commandOf(line: string): Command {
  const read = readCommandLine(line.split(' '), {});
  assert.ok(read.kind === 'run', JSON.stringify(read));
  return read.command;
}

test('each command is read with its arguments', () => {
  assert.deepEqual(commandOf('status'), { kind: 'status' });
  assert.deepEqual(commandOf('rooms --json'), { kind: 'rooms' });
  assert.deepEqual(commandOf('participants talk'), { kind: 'participants', room: 'talk' });
  assert.deepEqual(commandOf('why ann'), { kind: 'why', participant: 'ann' });
  const eu1 = { kind: 'bridge', name: 'eu-1' };
  const draining = { state: 'draining', mode: 'move' };
  assert.deepEqual(commandOf('drain eu-1'), { kind: 'drain', target: eu1, order: draining, isFollowed: false });
  assert.deepEqual(commandOf('drain --undo eu-1'), {
    kind: 'drain',
    target: eu1,
    order: { state: 'running' },
    isFollowed: false,
  });
  assert.deepEqual(commandOf('drain --region eu --deadline 2m --follow'), {
    kind: 'drain',
    target: { kind: 'region', name: 'eu' },
    order: { ...draining, deadlineSeconds: 120 },
    isFollowed: true,
  });
  const focus = { kind: 'drain-focus', focusId: 'f1' };
  assert.deepEqual(commandOf('drain --focus f1'), { ...focus, order: { state: 'draining' }, isFollowed: false });
  assert.deepEqual(commandOf('drain --focus f1 --undo'), { ...focus, order: { state: 'running' }, isFollowed: false });
  assert.deepEqual(commandOf('drain --focus f1 --deadline 2m --follow'), {
    ...focus,
    order: { state: 'draining', forMs: 120_000 },
    isFollowed: true,
  });
  assert.deepEqual(commandOf('drain eu-1 --wait --exit --deadline 1h'), {
    kind: 'drain',
    target: eu1,
    order: { state: 'draining', mode: 'wait', deadlineSeconds: 3600, exit: true },
    isFollowed: false,
  });
  assert.deepEqual(commandOf('move ann'), { kind: 'move', participant: 'ann' });
  assert.deepEqual(commandOf('move ann --to eu-2 --room a'), {
    kind: 'move',
    participant: 'ann',
    bridgeId: 'eu-2',
    room: 'a',
  });
  assert.deepEqual(commandOf('move-room a ann b'), {
    kind: 'move-room',
    room: 'a',
    participant: 'ann',
    destination: 'b',
  });
  const token = { kind: 'token', room: 'talk', identity: 'guest', name: '', lifetimeSeconds: 21_600 };
  assert.deepEqual(commandOf('token --room talk'), { ...token, isAdmin: false, isListener: false });
  const other = { identity: 'ann', name: 'Ann', lifetimeSeconds: 5400, isAdmin: true, isListener: true };
  assert.deepEqual(commandOf('token --room talk --identity ann --name Ann --ttl 90m --admin --listen'), {
    ...token,
    ...other,
  });
});

test('the focus and the key come from the options, then from the variables that lk reads, then from development', () => {
  const connection = (line: string, env = {}) => {
    const answer = read(line, env);
    assert.ok(answer.kind === 'run');
    return Object.values(answer.connection);
  };
  const env = { LIVEKIT_URL: 'wss://focus.example/', LIVEKIT_API_KEY: 'k', LIVEKIT_API_SECRET: 's' };
  assert.deepEqual(connection('rooms'), ['http://127.0.0.1:7880', 'devkey', 'secret']);
  assert.deepEqual(connection('rooms', env), ['https://focus.example', 'k', 's']);
  assert.deepEqual(connection('rooms --url ws://a:1 --api-key x --api-secret y', env), ['http://a:1', 'x', 'y']);
});

test('help is given when it is asked for, and when nothing is', () => {
  assert.deepEqual([read('').kind, read('--help').kind, read('drain --help').kind], ['help', 'help', 'help']);
});

test('whatever else is refused with what is allowed', () => {
  const cases: readonly [line: string, message: RegExp][] = [
    ['stats', /^"stats" is no command: one of status, rooms, /],
    ['constructor', /is no command/],
    ['participants', /^participants takes ROOM, got none; see causeway --help$/],
    ['move a b', /^move takes PARTICIPANT, got a b/],
    ['move-room a b', /^move-room takes ROOM PARTICIPANT TO, got a b/],
    ['status now', /^status takes no argument, got now/],
    ['rooms --undo', /^rooms has no option --undo/],
    ['drain eu-1 --room talk', /^drain has no option --room/],
    ['status --region eu', /^status has no option --region/],
    ['drain', /^drain takes BRIDGE, got none/],
    ['drain eu-1 --region eu', /^drain takes no argument, got eu-1/],
    ['drain eu-1 --focus f1', /^drain takes no argument, got eu-1/],
    ['drain --focus f1 --exit', /^--focus goes without --region, --wait and --exit/],
    ['drain --focus f1 --undo --deadline 9s', /^--undo goes without --deadline/],
    ['status --focus f1', /^status has no option --focus/],
    ['drain eu-1 --deadline soon', /^--deadline is "soon": a number with s, m, h or d, from 1s to 1d/],
    ['drain eu-1 --undo --wait', /^--undo goes without/],
    ['drain eu-1 --wait --deadline 9s', /^--wait moves nobody/],
    ['rooms --jsn', /Unknown option '--jsn'/],
    ['token', /^token needs --room ROOM/],
    ['token --room talk --ttl 5', /^--ttl is "5": a number with s, m, h or d, from 1s to 30d/],
    ['token --room talk --ttl 31d', /^--ttl is "31d"/],
    ['rooms --url ftp://a', /^--url is "ftp:\/\/a": an http, https, ws or wss URL/],
  ];
  for (const [line, message] of cases) {
    const answer = read(line);
    assert.ok(answer.kind === 'wrong', line);
    assert.match(answer.message, message);
    assert.equal(answer.message.includes('\n'), false);
  }
});
