/** Operators ask any focus, and mean all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { DrainProgress } from '../bridges/drains.ts';
import { type FocusInNetwork, SECRET, withNetwork } from './network.fixture.ts';
import { NetworkOperators, type NetworkOperatorsOptions } from './network-operators.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

async function ask(at: FocusInNetwork, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const authorization = `Bearer ${await signServiceToken(SECRET, 'ops')}`;
  const answer = await fetch(new URL(path, at.url), {
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

test('whoever is to be moved is moved by the home of the room, whichever focus is asked', () =>
  withNetwork(
    ['one', 'two'],
    async (_network, one, two) => {
      const alice = await SignalClient.join(one.url, 'alice');
      const other = await accessToken({ identity: 'bob', video: { roomJoin: true, room: 'other' } });
      const bob = await SignalClient.open(two.url, other);
      await bob.next('join');
      // The bridge that they are on is the only one, so that nobody has to go anywhere.
      const moved = await ask(two, '/v1/participants/alice/move', { bridgeId: 'eu-1' });
      assert.deepEqual(moved, { status: 200, body: { room: 'talk', identity: 'alice', outcome: 'same-bridge' } });
      assert.equal((await ask(two, '/v1/participants/nobody/move', {})).status, 404);

      const second = await accessToken({ identity: 'alice', video: { roomJoin: true, room: 'other' } });
      const aliceAgain = await SignalClient.open(two.url, second);
      await aliceAgain.next('join');
      const { status, body } = await ask(one, '/v1/participants/alice/move', {});
      assert.equal(status, 400);
      assert.match(JSON.stringify(body), /it is in several rooms, say in which: other, talk/);
      const chosen = await ask(one, '/v1/participants/alice/move', { room: 'other', bridgeId: 'eu-1' });
      assert.deepEqual((chosen.body as { room: string }).room, 'other');

      one.way.freeze();
      assert.equal((await ask(two, '/v1/participants/nobody/move', {})).status, 503, 'it may be where nobody answers');
      for (const client of [alice, bob, aliceAgain]) client.close();
    },
    { 'peers.call_timeout_ms': 300 },
  ));

test('somebody who is forwarded is moved where it is, and its shadow is not meant by its name', () =>
  withNetwork(['one'], async (_network, one) => {
    const ann = await SignalClient.join(one.url, 'ann');
    await new RoomServiceClient(one.url, 'devkey', 'secret').forwardParticipant('talk', 'ann', 'stage');
    const moved = await ask(one, '/v1/participants/ann/move', { bridgeId: 'eu-1' });
    assert.deepEqual(moved.body, { room: 'talk', identity: 'ann', outcome: 'same-bridge' });
    const { sid } = one.focus.host.room('stage')!.participants.get('ann')!;
    const shadow = await ask(one, `/v1/participants/${sid}/move`, {});
    assert.deepEqual(shadow.body, { room: 'stage', identity: 'ann', outcome: 'forwarded' });
    ann.close();
  }));

test('the latest placements are those of all focuses, and who does not answer is named', () =>
  withNetwork(
    ['one', 'two'],
    async (_network, one, two) => {
      const alice = await SignalClient.join(one.url, 'alice');
      const bob = await SignalClient.open(
        two.url,
        await accessToken({ identity: 'bob', video: { roomJoin: true, room: 'other' } }),
      );
      await bob.next('join');
      type Listed = {
        readonly placements: readonly { identity: string; placement: object }[];
        readonly silent: string[];
      };
      const { placements, silent } = (await ask(one, '/v1/placements')).body as Listed;
      assert.deepEqual(
        placements.map(({ identity }) => identity),
        ['bob', 'alice'],
      );
      assert.deepEqual(Object.keys(placements[0]!.placement).sort(), Object.keys(placements[1]!.placement).sort());
      assert.deepEqual(silent, []);
      two.way.freeze();
      assert.deepEqual(((await ask(one, '/v1/placements')).body as Listed).silent, ['two']);
      alice.close();
    },
    { 'peers.call_timeout_ms': 300 },
  ));

test('how far a drain is, is added up over all focuses; one that does not answer is left out', async () => {
  const own: DrainProgress = { left: 3, moving: 1, moved: 4, failed: 0, lastFailure: null };
  const theirs: DrainProgress = { left: 2, moving: 2, moved: 1, failed: 1, lastFailure: 'signal-away' };
  const answers: unknown[] = [[['b1', theirs]], [['b2', theirs]], []];
  const operators = (gather: () => Promise<unknown>) =>
    new NetworkOperators({
      drainProgress: (bridgeId: string) => (bridgeId === 'b1' ? own : undefined),
      rooms: { gather },
    } as unknown as NetworkOperatorsOptions);
  const asked = ['b1', 'b2', 'b3'] as BridgeId[];
  const progress = await operators(async () => ({ values: answers, silent: ['four'] })).drainProgress(asked);
  assert.deepEqual(Object.fromEntries(progress), {
    b1: { left: 5, moving: 3, moved: 5, failed: 1, lastFailure: 'signal-away' },
    b2: theirs,
  });
  const alone = await operators(async () => Promise.reject(new Error('the store is away'))).drainProgress(asked);
  assert.deepEqual(Object.fromEntries(alone), { b1: own });
});
