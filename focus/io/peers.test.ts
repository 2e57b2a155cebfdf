/** Focuses that serve each other's rooms: clients at two of them see each other, and neither can tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DisconnectReason,
  LeaveRequest_Action,
  ParticipantInfo_State,
  UpdateParticipantMetadata,
} from '@livekit/protocol';
import { eventually } from './focus.fixture.ts';
import { withNetwork } from './network.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

const metrics = async (url: string) => (await fetch(`${url}/metrics`)).text();

test('two clients at two focuses are in one room: they see each other come, change and leave', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await SignalClient.open(one.url, await accessToken({ identity: 'alice' }));
    const aliceJoined = await alice.next('join');
    const token = await accessToken({
      identity: 'bob',
      video: { roomJoin: true, room: 'talk', canUpdateOwnMetadata: true },
    });
    const bob = await SignalClient.open(two.url, token);
    const bobJoined = await bob.next('join');

    assert.equal(bobJoined.room?.sid, aliceJoined.room?.sid);
    assert.deepEqual(
      bobJoined.otherParticipants.map(({ identity }) => identity),
      ['alice'],
    );
    await alice.until('update', ({ participants }) =>
      participants.some(({ sid }) => sid === bobJoined.participant?.sid),
    );
    assert.equal(await network.memory.owner('talk'), 'one');
    assert.equal(two.focus.host.rooms().length, 0, 'the room is at its home only');
    assert.deepEqual([...network.bridge.conferences.values()].length, 1);
    await eventually(() => network.bridge.endpoints.size === 2);

    bob.send({
      case: 'updateMetadata',
      value: new UpdateParticipantMetadata({ name: 'Robert', metadata: 'm', requestId: 1 }),
    });
    await alice.until('update', ({ participants }) => participants.some(({ name }) => name === 'Robert'));
    assert.match(await metrics(two.url), /causeway_focus_relayed_sessions\{[^}]*direction="out"[^}]*\} 1/);
    assert.match(await metrics(one.url), /causeway_focus_relayed_sessions\{[^}]*direction="in"[^}]*\} 1/);

    bob.send({ case: 'leave', value: {} as never });
    const left = await alice.until(
      'update',
      ({ participants }) => participants[0]?.state === ParticipantInfo_State.DISCONNECTED,
    );
    assert.equal(left.participants[0].identity, 'bob');
    await bob.closed;
    await eventually(async () =>
      /causeway_focus_relayed_sessions\{[^}]*direction="out"[^}]*\} 0/.test(await metrics(two.url)),
    );
    alice.close();
  }));
