/** A focus that is emptied: its rooms and clients go to others, nobody leaves, and it can be undone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaveRequest_Action } from '@livekit/protocol';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { FocusNetwork } from '../api/focus-routes.ts';
import { eventually } from './focus.fixture.ts';
import { type FocusInNetwork, joinActive, resume, SECRET, sawLeave, withNetwork } from './network.fixture.ts';
import { accessToken, signalUrl } from './signal-client.fixture.ts';
import { refusal } from './upgrade.fixture.ts';

type Focuses = Awaited<ReturnType<FocusNetwork['focuses']>>['focuses'];

const headers = async () => ({
  authorization: `Bearer ${await signServiceToken(SECRET, 'test')}`,
  'content-type': 'application/json',
});

async function setState(asked: FocusInNetwork, focusId: string, body: object): Promise<number> {
  const path = new URL(`/v1/focuses/${focusId}/state`, asked.url);
  return (await fetch(path, { method: 'PUT', headers: await headers(), body: JSON.stringify(body) })).status;
}

async function focuses(asked: FocusInNetwork): Promise<Focuses> {
  const answer = await fetch(new URL('/v1/focuses', asked.url), { headers: await headers() });
  return ((await answer.json()) as { readonly focuses: Focuses }).focuses;
}

test('a drain that is asked of another focus moves rooms and clients, and tells how far it is', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const bob = await joinActive(network, two, 'bob');
    assert.equal(await setState(two, 'one', { state: 'draining' }), 200);
    await Promise.all([alice.client.closed, bob.client.closed]);
    assert.equal((await fetch(new URL('/readyz', one.url))).status, 503);
    const token = await accessToken({ identity: 'carol' });
    assert.equal((await refusal(signalUrl(one.url, token))).status, 503);

    const [aliceAgain, bobAgain] = [await resume(two, 'alice', alice.sid), await resume(two, 'bob', bob.sid)];
    assert.equal(await network.memory.owner('talk'), 'two');
    for (const client of [aliceAgain, bobAgain]) for (const { sid } of [alice, bob]) assert.ok(!sawLeave(client, sid));
    assert.equal(network.bridge.endpoints.size, 2);
    const [drained] = await focuses(two);
    assert.deepEqual([drained!.state, drained!.rooms], ['draining', 0]);
    assert.deepEqual([drained!.drain?.roomsAtStart, drained!.drain?.roomsMoved], [1, 1]);

    assert.equal(await setState(two, 'one', { state: 'running' }), 200);
    await network.report();
    await eventually(async () => (await fetch(new URL('/readyz', one.url))).status === 200);
    const carol = await joinActive(network, one, 'carol');
    assert.equal(one.focus.host.rooms().length, 0, 'what has moved stays');
    carol.client.close();
  }));

test('a drain gives notice: not ready at once, it serves as before until load balancers have seen that', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      const alice = await joinActive(network, one, 'alice');
      const startedAtMs = performance.now();
      await setState(one, 'one', { state: 'draining' });
      assert.equal((await fetch(new URL('/readyz', one.url))).status, 503);
      const bob = await joinActive(network, one, 'bob');
      assert.ok(alice.client.isOpen && bob.client.isOpen);
      await Promise.all([alice.client.closed, bob.client.closed]);
      assert.ok(performance.now() - startedAtMs >= 1_500);
      assert.equal((await refusal(signalUrl(one.url, await accessToken({ identity: 'carol' })))).status, 503);
      for (const { sid, identity } of [
        { ...alice, identity: 'alice' },
        { ...bob, identity: 'bob' },
      ]) {
        (await resume(two, identity, sid)).close();
      }
    },
    { 'peers.drain_notice_ms': 1_500 },
  ));

test('clients that a draining focus relays come back elsewhere', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const bob = await joinActive(network, two, 'bob');
    await setState(two, 'two', { state: 'draining' });
    await bob.client.closed;
    const bobAgain = await resume(one, 'bob', bob.sid);
    assert.ok(alice.client.isOpen);
    assert.ok(!sawLeave(alice.client, bob.sid));
    bobAgain.close();
  }));

test('a focus that leaves has given everything away before it closes', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    await one.focus.leave();
    network.forget(one);
    await one.way.close();
    assert.ok(!alice.client.received.some(message => message.case === 'leave'));
    const again = await resume(two, 'alice', alice.sid);
    assert.deepEqual(
      (await focuses(two)).map(({ focusId }) => focusId),
      ['two'],
    );
    again.close();
  }));

test('the only focus tells everybody to leave, at once', () =>
  withNetwork(
    ['one'],
    async (network, one) => {
      const alice = await joinActive(network, one, 'alice');
      await one.focus.leave();
      network.forget(one);
      await one.way.close();
      assert.equal((await alice.client.next('leave')).action, LeaveRequest_Action.DISCONNECT);
    },
    { 'peers.drain_timeout_ms': 3_600_000 },
  ));

test('a room that its heir does not take stays, and its clients with it', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      const alice = await joinActive(network, one, 'alice');
      two.way.freeze();
      await setState(one, 'one', { state: 'draining' });
      await eventually(async () => (await fetch(new URL('/readyz', one.url))).status === 503);
      await setState(one, 'one', { state: 'running' });
      assert.ok(alice.client.isOpen);
      assert.equal(await network.memory.owner('talk'), 'one');
    },
    { 'peers.call_timeout_ms': 100 },
  ));

test('a focus that is not there cannot be drained, and not everybody may drain one', () =>
  withNetwork(['one'], async (_network, one) => {
    assert.equal(await setState(one, 'nine', { state: 'draining' }), 404);
    assert.equal(await setState(one, 'one', { state: 'gone' }), 400);
    const token = await accessToken({ video: { roomList: true } });
    const path = new URL('/v1/focuses/one/state', one.url);
    const asked = { method: 'PUT', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } };
    assert.equal((await fetch(path, { ...asked, body: '{"state":"draining"}' })).status, 401);
  }));
