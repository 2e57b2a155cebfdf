/** Limits of a running focus, where clients meet them. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { createAddressFinder } from './client-address.ts';
import { eventually, withFocus } from './focus.fixture.ts';
import { accessToken, SignalClient, signalUrl } from './signal-client.fixture.ts';
import { refusal, UPGRADE } from './upgrade.fixture.ts';

async function refused(url: string, identity: string, headers: Record<string, string> = {}) {
  return refusal(signalUrl(url, await accessToken({ identity })), { ...UPGRADE, ...headers });
}

test('an address over its rate is refused with 429 and the name of the limit; others and resumes are not', async () => {
  await withFocus({ 'limit.joins_per_second_per_address': 0.01 }, async ({ focus: { url }, assertNothingLeft }) => {
    const from = (address: string) => ({ 'x-forwarded-for': address });
    // A token that lets nobody in still comes from somewhere: it is not counted.
    await assert.rejects(refused(url, 'ann', from('2001:db8::1')), /let it in/);
    const answer = await refused(url, 'bob', from('2001:db8::2'));
    assert.equal(answer.status, 429);
    assert.equal(answer.text, 'too many joins, try again: limit.joins_per_second_per_address is 0.01');
    await assert.rejects(refused(url, 'bob', from('2001:db8:0:1::2')), /let it in/);
    for (const identity of ['carol', 'dave']) (await SignalClient.join(url, identity)).close();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /limits_hit_total\{limit="limit.joins_per_second_per_address",focus="focus-1"\} 1/);
    await assertNothingLeft();
  });
});

test('a key has its participants; who leaves makes room', async () => {
  await withFocus({ 'limit.participants_per_key': 1 }, async ({ focus: { url }, assertNothingLeft }) => {
    const ann = await SignalClient.join(url, 'ann');
    const expected = 'a limit of this server is reached: limit.participants_per_key is 1';
    assert.deepEqual(await refused(url, 'bob'), { status: 429, text: expected });
    ann.close();
    await assertNothingLeft();
    const bob = await SignalClient.join(url, 'bob');
    bob.close();
    await assertNothingLeft();
  });
});

test('who is forwarded to another room is one more participant of the key that asks, until that ends', async () => {
  await withFocus({ 'limit.participants_per_key': 2 }, async ({ focus: { url, host }, assertNothingLeft }) => {
    const api = new RoomServiceClient(url, 'devkey', 'secret');
    const ann = await SignalClient.join(url, 'ann');
    await api.forwardParticipant('talk', 'ann', 'stage');
    const message = 'a limit of this server is reached: limit.participants_per_key is 2';
    const again = api.forwardParticipant('talk', 'ann', 'lobby');
    await assert.rejects(again, { status: 429, code: 'resource_exhausted', message });
    assert.equal(host.room('lobby'), undefined);
    await api.removeParticipant('stage', 'ann');
    await api.forwardParticipant('talk', 'ann', 'lobby');
    ann.close();
    await assertNothingLeft();
  });
});

test('of many that join at once those get in for whom the key has places', async () => {
  await withFocus({ 'limit.participants_per_key': 3 }, async ({ focus: { url }, assertNothingLeft }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => SignalClient.join(url, `client ${index}`)),
    );
    const inside = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(inside.length, 3);
    for (const client of inside) client.close();
    await assertNothingLeft();
  });
});

test('a key has its rooms, whether the API or a join opens them', async () => {
  await withFocus({ 'limit.rooms_per_key': 1 }, async ({ focus: { url } }) => {
    const api = new RoomServiceClient(url, 'devkey', 'secret');
    await api.createRoom({ name: 'first' });
    await api.createRoom({ name: 'first' });
    const message = 'a limit of this server is reached: limit.rooms_per_key is 1';
    await assert.rejects(api.createRoom({ name: 'second' }), { status: 429, code: 'resource_exhausted', message });
    assert.deepEqual(await refused(url, 'ann'), { status: 429, text: message });
    await api.deleteRoom('first');
    const ann = await SignalClient.join(url, 'ann');
    await assert.rejects(api.createRoom({ name: 'second' }), { message });
    ann.close();
  });
});

test('a connection on which nothing moves is closed, on every address; a signalling socket is not', async () => {
  const flags = { 'limit.idle_socket_timeout_ms': 1_000, bind_addresses: ['127.0.0.1', '127.0.0.2'] };
  await withFocus(flags, async ({ focus: { url } }) => {
    const port = Number(new URL(url).port);
    const ann = await SignalClient.join(url, 'ann');
    // The last it is sent for a while: from here on nothing moves on it either.
    await ann.next('refreshToken');
    let open = 0;
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const socket = connect(port, host);
      open++;
      socket.resume();
      socket.on('close', () => open--);
    }
    await eventually(() => open === 0);
    assert.equal(ann.isOpen, true);
    ann.close();
  });
});

test('the client behind trusted proxies is found, and a proxy that names none is nobody', () => {
  const addressOf = createAddressFinder(['10.0.0.0/8']);
  const find = (remoteAddress: string, forwardedFor?: string) =>
    addressOf({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwardedFor } });
  assert.equal(find('192.0.2.1', '198.51.100.1'), '192.0.2.1');
  assert.equal(find('10.0.0.1', '198.51.100.1'), '198.51.100.1');
  assert.equal(find('10.0.0.1', '203.0.113.9, 198.51.100.1, 10.0.0.2'), '198.51.100.1');
  assert.equal(find('10.0.0.1'), undefined);
});
