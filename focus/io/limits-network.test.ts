/** What a key may take, where several focuses share its rooms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { joinActive, resume, withNetwork } from './network.fixture.ts';
import { accessToken, SignalClient, signalUrl } from './signal-client.fixture.ts';
import { refusal } from './upgrade.fixture.ts';

const ONE_EACH = { 'limit.participants_per_key': 1 };

test('who resumes at the next home counts for its key there, until it leaves', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      const alice = await joinActive(network, one, 'alice');
      await network.kill(one);
      const again = await resume(two, 'alice', alice.sid);
      await network.report();
      const bob = await accessToken({ identity: 'bob' });
      assert.equal((await refusal(signalUrl(two.url, bob))).status, 429);
      await new RoomServiceClient(two.url, 'devkey', 'secret').removeParticipant('talk', 'alice');
      await again.closed;
      (await SignalClient.open(two.url, bob)).close();
    },
    ONE_EACH,
  ));

test('who is forwarded by way of a focus that is not the home takes nothing there for longer than the call', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      await joinActive(network, one, 'ann');
      const api = new RoomServiceClient(two.url, 'devkey', 'secret');
      await api.forwardParticipant('talk', 'ann', 'stage');
      await api.removeParticipant('stage', 'ann');
      await api.forwardParticipant('talk', 'ann', 'stage');
      assert.equal(one.focus.host.room('stage')?.participants.size, 1);
    },
    ONE_EACH,
  ));
