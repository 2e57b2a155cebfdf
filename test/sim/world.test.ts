/** That a world is what its seed says, and that its rules can be broken: each of these breaks something of the product, and has to be noticed. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Bridge } from '../../bridge/bridge.ts';
import { Conference } from '../../bridge/conference.ts';
import { KeyFrameRequests } from '../../bridge/receive/key-frame-requests.ts';
import { Relay } from '../../bridge/relay/relay.ts';
import { RelayIntake } from '../../bridge/relay-intake.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { runWorld } from './run-world.ts';

/** A fault need not show in every world; in one of so many it has to. */
const WORLDS = 40;

function firstProblem(): string {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const { failure } = runWorld(seed);
    if (failure !== undefined) return failure.problem;
  }
  return 'nothing was noticed';
}

test('the same seed is the same world, to the last frame', () => {
  const [one, other] = [runWorld(3), runWorld(3)];
  assert.deepEqual(one, other);
  assert.ok(one.frames > 100 && one.flowsChecked > 100, 'and something happens in it');
});

test('a bridge that wants nothing of the others leaves its people without media', (t: TestContext) => {
  t.mock.method(Conference.prototype, 'wants', () => []);
  assert.match(firstProblem(), /nothing shown for/);
});

test('a message that is handed on twice is noticed', (t: TestContext) => {
  const { onRelayedMessage } = RelayIntake.prototype;
  t.mock.method(
    RelayIntake.prototype,
    'onRelayedMessage',
    function (this: RelayIntake, ...args: Parameters<typeof onRelayedMessage>) {
      onRelayedMessage.apply(this, args);
      onRelayedMessage.apply(this, args);
    },
  );
  assert.match(firstProblem(), /comes twice/);
});

test('a message that is not handed on is missed', (t: TestContext) => {
  let messages = 0;
  const { onRelayedMessage } = RelayIntake.prototype;
  t.mock.method(
    RelayIntake.prototype,
    'onRelayedMessage',
    function (this: RelayIntake, ...args: Parameters<typeof onRelayedMessage>) {
      if (++messages % 20 !== 0) onRelayedMessage.apply(this, args);
    },
  );
  assert.match(firstProblem(), /although \d+ has not|ms late/);
});

test('media that goes on after nobody wants it is noticed', (t: TestContext) => {
  const { handleWanted } = Bridge.prototype;
  const wanted = new WeakMap<Bridge, Map<string, Want>>();
  t.mock.method(Bridge.prototype, 'handleWanted', function (this: Bridge, ...args: Parameters<typeof handleWanted>) {
    const [nowMs, peer, conferenceId, wants] = args;
    const ever = wanted.get(this) ?? new Map<string, Want>();
    wanted.set(this, ever);
    const prefix = `${peer}/${conferenceId}/`;
    for (const want of wants) ever.set(`${prefix}${want.endpointId}/${want.sourceId}`, want);
    const all = [...ever].filter(([key]) => key.startsWith(prefix)).map(([, want]) => want);
    handleWanted.call(this, nowMs, peer, conferenceId, all);
  });
  assert.match(firstProblem(), /nobody has wanted it for/);
});

test('a publisher that is asked for key frames again and again is noticed', (t: TestContext) => {
  t.mock.method(KeyFrameRequests.prototype, 'poll', function (this: KeyFrameRequests, nowMs: number) {
    if (this.isWaiting) this.alarm.bringForward(nowMs + 50);
    return this.isWaiting;
  });
  assert.match(firstProblem(), /key-frame requests/);
});

test('a link that outlives its last conference is noticed', (t: TestContext) => {
  t.mock.method(Relay.prototype, 'removeConference', () => {});
  assert.match(firstProblem(), /still has/);
});
