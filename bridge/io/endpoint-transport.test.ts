import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SRTP_PROFILES } from '../../protocol/srtp/profiles.ts';
import { BINDING_ERROR, BINDING_SUCCESS } from '../../protocol/stun/constants.ts';
import { CONSENT_MS } from '../ice/ice-agent.ts';
import { DtlsQueue, WAITING_PER_ENDPOINT_MAX } from './dtls-queue.ts';
import { ours, REPORT, Room, rtp, theirs } from './endpoint-transport.fixture.ts';
import { DTLS_TIMEOUT_MS } from './endpoint-transport.ts';

for (const profile of SRTP_PROFILES) {
  test(`media and reports go both ways with SRTP profile ${profile}`, async context => {
    const room = await Room.open(context, { srtpProfiles: [profile] });
    await room.connect();
    const { client } = room;
    client.sendRtp(rtp(1));
    client.sendRtcp(REPORT);
    await room.until(() => room.rtp.length === 1 && room.rtcp.length === 1);
    assert.deepEqual([room.rtp[0], room.rtcp[0]], [rtp(1), REPORT]);
    room.send(rtp(2));
    room.send(REPORT, 'sendRtcp');
    await client.until(() => client.rtp.length === 1 && client.rtcp.length === 1);
    assert.deepEqual([client.rtp[0], client.rtcp[0]], [rtp(2), REPORT]);
    assert.deepEqual([room.log, room.drops], [['connected'], []]);
  });
}

test('a client that is passive is called by us', async context => {
  const room = await Room.open(context, { role: 'server' });
  const { client, transport } = room;
  assert.equal(transport.local.setup, 'passive');
  client.dtls.start();
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(theirs, 'passive'), 0);
  assert.equal(transport.local.setup, 'active');
  await client.check(transport.local);
  await room.until(() => transport.isConnected);
  await client.until(() => client.log.length > 0);
  assert.deepEqual(client.log, ['connected']);
});

test('a client with another certificate than the announced one fails, and gets no keys', async context => {
  const room = await Room.open(context);
  const { client, transport } = room;
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(ours), 0);
  await client.check(transport.local);
  client.dtls.start();
  await room.until(() => room.log.length > 0);
  assert.deepEqual(room.log, ['failed dtls-fingerprint']);
  assert.equal(transport.isConnected, false);
  void client.check(transport.local);
  await room.until(() => room.drops.includes('ice-unknown-ufrag'));
});

test('an answer names the address it goes to and is signed; a role conflict is told', async context => {
  const room = await Room.open(context);
  const { client, transport } = room;
  const answer = await client.check(transport.local);
  assert.equal(answer.type, BINDING_SUCCESS);
  assert.deepEqual(answer.xorMappedAddress, { address: '127.0.0.1', port: client.port });
  assert.equal(answer.hasIntegrity(transport.local.password), true);
  assert.equal(answer.hasFingerprint, true);
  const conflict = await client.check(transport.local, { controlling: undefined, controlled: 5n });
  assert.deepEqual([conflict.type, conflict.errorCode], [BINDING_ERROR, 487]);
  assert.equal(conflict.hasIntegrity(transport.local.password), true);
});

test('a stranger gets neither an answer nor an address, whatever it sends', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client, transport } = room;
  const secret = client.sendRtp(rtp(1));
  await room.until(() => room.rtp.length === 1);
  await client.openSocket();
  const bad = { ufrag: transport.local.ufrag, password: 'guessed-password-of-some-length' };
  void client.check(bad, {}, 1);
  void client.check({ ufrag: 'nobody', password: bad.password }, {}, 1);
  void client.check({ ...transport.local, ufrag: transport.local.ufrag.toLowerCase().concat('x') }, {}, 1);
  client.sendFrom(1, secret);
  client.sendFrom(1, Buffer.from('16fefd0000000000000000000c010000000000000000000000', 'hex'));
  await room.until(() => room.drops.length === 5);
  assert.deepEqual(room.drops, ['ice-bad-integrity', 'ice-unknown-ufrag', 'ice-unknown-ufrag', 'stranger', 'stranger']);
  room.send(rtp(2));
  await client.until(() => client.rtp.length === 1);
  assert.deepEqual(client.arrivedAt, [client.port]);
});

test('media follows the nomination to a new address', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client, transport } = room;
  await client.openSocket();
  await client.check(transport.local, { useCandidate: undefined }, 1);
  room.send(rtp(1));
  await client.until(() => client.rtp.length === 1);
  await client.check(transport.local, {}, 1);
  room.send(rtp(2));
  await client.until(() => client.rtp.length === 2);
  assert.deepEqual(client.arrivedAt, [client.portOf(0), client.portOf(1)]);
  client.sendRtp(rtp(3), 1);
  client.sendRtp(rtp(4), 0);
  await room.until(() => room.rtp.length === 2);
});

test('an ICE restart has new credentials, keeps the session, and ends the old ones when the new are used', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client, transport } = room;
  const before = transport.local;
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(), 0);
  assert.deepEqual(transport.local, before, 'the same again changes nothing');
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(), 1);
  assert.notEqual(transport.local.ufrag, before.ufrag);
  assert.equal((await client.check(before)).type, BINDING_SUCCESS);
  await client.openSocket();
  assert.equal((await client.check(transport.local, {}, 1)).type, BINDING_SUCCESS);
  void client.check(before);
  await room.until(() => room.drops.length === 1);
  assert.deepEqual(room.drops, ['ice-unknown-ufrag']);
  room.send(rtp(1));
  await client.until(() => client.rtp.length === 1);
  assert.deepEqual(client.arrivedAt, [client.portOf(1)]);
});

test('another fingerprint on the same transport is refused', async context => {
  const room = await Room.open(context);
  await room.connect();
  room.transport.setRemote(room.nowMs, room.client.ice, room.dtlsOf(ours), 1);
  assert.deepEqual(room.log, ['connected', 'closed dtls-changed']);
});

test('DTLS that comes before the offer is dropped, and its repetition after it is taken', async context => {
  const room = await Room.open(context);
  const { client, transport } = room;
  await client.check(transport.local);
  client.dtls.start();
  await room.until(() => room.drops.length === 1);
  assert.deepEqual(room.drops, ['dtls-early']);
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(), 0);
  await room.until(() => transport.isConnected);
});

test('nothing is sent before the keys are there, and no slot is lost', async context => {
  const room = await Room.open(context);
  for (let count = 0; count < 5000; count++) room.send(rtp(1));
  assert.deepEqual([room.port.counters.sent, room.drops.length], [0, 5000]);
  assert.deepEqual(new Set(room.drops), new Set(['srtp-no-keys']));
  assert.equal(room.transport.sendData('lossy', Buffer.from('x')), false);
  assert.equal(room.transport.sendData('reliable', Buffer.from('waits')), true);
});

test('a client that never comes fails after 30 s, counted from its offer', async context => {
  const room = await Room.open(context);
  const { transport } = room;
  transport.setRemote(1000, null, null, 0);
  transport.handleTimeout(1_000_000);
  assert.deepEqual(room.log, []);
  transport.setRemote(1_000_000, room.client.ice, room.dtlsOf(), 0);
  transport.handleTimeout(1_000_000 + CONSENT_MS);
  assert.deepEqual(room.log, []);
  transport.handleTimeout(1_000_001 + CONSENT_MS);
  assert.deepEqual(room.log, ['failed ice-timeout']);
});

test('a handshake that does not end fails after 15 s, counted from the first check', async context => {
  const room = await Room.open(context);
  const { client, transport } = room;
  transport.setRemote(room.nowMs, client.ice, room.dtlsOf(), 0);
  room.nowMs = 5000;
  await client.check(transport.local);
  transport.handleTimeout(5000 + DTLS_TIMEOUT_MS);
  assert.deepEqual(room.log, []);
  transport.handleTimeout(5001 + DTLS_TIMEOUT_MS);
  assert.deepEqual(room.log, ['failed dtls-timeout']);
});

test('a client that goes silent is gone after 30 s; an authentic packet counts as a sign of life, a forged one does not', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client, transport } = room;
  room.nowMs = 21_000;
  client.sendRtp(rtp(1));
  await room.until(() => room.rtp.length === 1);
  assert.equal(transport.heardMs, 21_000);
  room.nowMs = 40_000;
  client.sendFrom(0, rtp(2));
  await room.until(() => room.drops.length === 1);
  transport.handleTimeout(21_000 + CONSENT_MS);
  assert.deepEqual(room.log, ['connected']);
  transport.handleTimeout(21_001 + CONSENT_MS);
  assert.deepEqual(room.log, ['connected', 'closed consent-lost']);
});

test('a client that says goodbye is gone at once, and what it sends then is a stranger’s', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client } = room;
  client.dtls.close();
  await room.until(() => room.log.length === 2);
  assert.deepEqual(room.log, ['connected', 'closed dtls-closed']);
  client.sendRtp(rtp(1));
  await room.until(() => room.drops.length === 1);
  assert.deepEqual(room.drops, ['stranger']);
});

test('closing tells the client, and nothing more is heard of it', async context => {
  const room = await Room.open(context);
  await room.connect();
  const { client, transport } = room;
  transport.close('moved');
  await client.until(() => client.log.length === 2);
  assert.deepEqual(client.log, ['connected', 'closed dtls-closed']);
  transport.handleTimeout(1e9);
  assert.deepEqual(room.log, ['connected']);
  assert.equal(transport.endedBecause, 'moved');
});

test('a handshake goes on when the queue has its turn, not in the receive call', async context => {
  const turns: (() => void)[] = [];
  const queue = new DtlsQueue({ nowMs: () => 0, schedule: turn => turns.push(turn) });
  const room = await Room.open(context, {}, queue);
  room.transport.setRemote(room.nowMs, room.client.ice, room.dtlsOf(), 0);
  await room.client.check(room.transport.local);
  const sent = room.port.counters.sent;
  room.client.dtls.start();
  await until(() => queue.length === 1);
  assert.equal(room.port.counters.sent, sent);
  turns.shift()?.();
  await until(() => queue.length === 1);
  assert.equal(room.transport.isConnected, false);
  turns.shift()?.();
  assert.equal(room.transport.isConnected, true);
});

test('a full queue is a reason to drop, and an endpoint that is closed leaves nothing in it', async context => {
  const queue = new DtlsQueue({ nowMs: () => 0, schedule: () => {} });
  const room = await Room.open(context, {}, queue);
  room.transport.setRemote(room.nowMs, room.client.ice, room.dtlsOf(), 0);
  await room.client.check(room.transport.local);
  for (let count = 0; count <= WAITING_PER_ENDPOINT_MAX; count++) room.client.sendFrom(0, Buffer.alloc(20, 22));
  await room.until(() => room.drops.length > 0);
  assert.deepEqual(room.drops, ['dtls-queue-full']);
  assert.equal(queue.length, WAITING_PER_ENDPOINT_MAX);
  room.transport.close();
  assert.equal(queue.length, 0);
});

/** Asks once in every turn of the event loop. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(resolve => setImmediate(resolve));
}
