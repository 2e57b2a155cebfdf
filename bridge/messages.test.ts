import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataPacket, DataPacket_Kind, UserPacket } from '@livekit/protocol';
import { BACKLOG_BYTES_DRAINED, BACKLOG_BYTES_MAX, PATIENCE_MS, SLOW_BYTES_PER_S } from './receiver-pace.ts';
import { BridgeBox, CONFERENCE, conferenceSpec, type FakeTransport } from './testing/bridge-box.ts';

/** Ada (1) and bob (2) on bridge `a`, cleo (3) on bridge `b`. */
function meeting() {
  const peers = new Map<string, BridgeBox>();
  const [a, b] = [new BridgeBox('a', peers), new BridgeBox('b', peers)];
  const spec = conferenceSpec(1, ['a', 'b'], { 1: 'a', 2: 'a', 3: 'b' });
  for (const box of [a, b]) box.bridge.putConference(CONFERENCE, spec);
  const ada = a.put(1, { identity: 'user-1' });
  const bob = a.put(2, { identity: 'user-2' });
  const cleo = b.put(3, { identity: 'user-3' });
  return { a, b, ada, bob, cleo };
}

function packet(text: string, to: readonly string[] = []): Uint8Array {
  const user = new UserPacket({ payload: Buffer.from(text) });
  const value = { case: 'user' as const, value: user };
  return new DataPacket({ kind: DataPacket_Kind.RELIABLE, destinationIdentities: [...to], value }).toBinary();
}

function heardBy(transport: FakeTransport): string[] {
  return transport.data.map(({ bytes }) => {
    const { value } = DataPacket.fromBinary(bytes);
    return value.case === 'user' ? Buffer.from(value.value.payload).toString() : '';
  });
}

test('while a link has no room its senders wait with their reliable messages, and then all arrive, in order', () => {
  const { a, ada, bob, cleo } = meeting();
  a.relay.obstacle = 'link-full';
  for (const text of ['one', 'two', 'three']) ada.receiveData('reliable', packet(text));
  a.run(1000);
  assert.deepEqual([heardBy(bob), heardBy(cleo)], [[], []]);
  assert.deepEqual([ada.isDataHeld, ada.unreadData.length], [true, 2]);
  const { endpoints } = a.bridge.describeConference(a.nowMs, CONFERENCE);
  assert.deepEqual(
    endpoints.map(({ dataHeld }) => dataHeld),
    [{ because: 'link-full', at: 'b', forMs: 1000 }, null],
  );
  a.relay.obstacle = undefined;
  a.run(10);
  assert.deepEqual(heardBy(bob), ['one', 'two', 'three']);
  assert.deepEqual(heardBy(cleo), ['one', 'two', 'three']);
  assert.equal(ada.isDataHeld, false);
});

test('a held sender does not wait with lossy messages, nor another sender with anything', () => {
  const { a, ada, bob, cleo } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('held'));
  ada.receiveData('lossy', packet('lossy'));
  bob.receiveData('reliable', packet('from bob'));
  a.run(100);
  assert.deepEqual(heardBy(cleo), ['lossy', 'from bob']);
  assert.deepEqual(heardBy(ada), ['from bob']);
});

test('a sender waits only for those its messages are for', () => {
  const { ada, bob, cleo } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('to cleo', ['user-3']));
  assert.deepEqual([heardBy(cleo), ada.isDataHeld], [['to cleo'], false]);
  ada.receiveData('reliable', packet('to bob', ['user-2']));
  assert.deepEqual([heardBy(bob), ada.isDataHeld], [[], true]);
});

test('a receiver that is behind holds its senders until it has caught up, not until it is just below the limit', () => {
  const { a, ada, bob } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('waits'));
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX - 1;
  a.run(100);
  assert.equal(ada.isDataHeld, true);
  bob.dataBacklogBytes = BACKLOG_BYTES_DRAINED;
  a.run(10);
  assert.deepEqual([heardBy(bob), ada.isDataHeld], [['waits'], false]);
});

test('a receiver that drains holds its senders for as long as it takes; one that does not, for five seconds', () => {
  const { a, ada, bob } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('waits'));
  for (let tick = 0; tick < 3000; tick++) {
    bob.dataDrainedBytes += (1.1 * SLOW_BYTES_PER_S) / 100;
    a.run(10);
  }
  assert.equal(ada.isDataHeld, true, 'after 30 s');
  a.run(2 * PATIENCE_MS);
  assert.deepEqual([heardBy(bob), ada.isDataHeld], [['waits'], false]);
  assert.equal(a.bridge.messages.totals.excused, 1);
  ada.receiveData('reliable', packet('next'));
  assert.equal(ada.isDataHeld, false, 'nor is it waited for again');
});

test('a receiver that catches up is waited for as before', () => {
  const { a, ada, bob } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('waits'));
  a.run(2 * PATIENCE_MS);
  bob.dataBacklogBytes = 0;
  a.run(10);
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('waits again'));
  assert.equal(ada.isDataHeld, true);
});

test('a receiver that is behind holds senders on other bridges through them', () => {
  const { a, b, ada, cleo } = meeting();
  cleo.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('arrives'));
  assert.deepEqual([...a.relay.heldByPeers], [1]);
  assert.deepEqual(heardBy(cleo), ['arrives']);
  cleo.dataBacklogBytes = 0;
  b.run(10);
  assert.deepEqual([...a.relay.heldByPeers], []);
});

test('a receiver that goes is not waited for', () => {
  const { a, ada, bob, cleo } = meeting();
  bob.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('waits'));
  a.bridge.deleteEndpoint(CONFERENCE, a.endpoint(2).id);
  a.run(10);
  assert.deepEqual([heardBy(cleo), ada.isDataHeld], [['waits'], false]);
});

test('what a client sent before it went is sent on, held or not', () => {
  const { a, ada, bob, cleo } = meeting();
  a.relay.obstacle = 'link-full';
  for (const text of ['one', 'two', 'three']) ada.receiveData('reliable', packet(text));
  ada.sink.onClosed('dtls-closed');
  assert.deepEqual(
    [heardBy(bob), heardBy(cleo)],
    [
      ['one', 'two', 'three'],
      ['one', 'two', 'three'],
    ],
  );
  a.bridge.deleteEndpoint(CONFERENCE, a.endpoint(1).id);
  a.run(10);
  assert.equal(heardBy(bob).length, 3);
});

test('of a participant that is two endpoints one sends and the other receives, and nothing comes back', () => {
  const { a, b, bob, cleo } = meeting();
  const dan = { identity: 'user-4', sid: 'PA_dan' };
  const sending = a.put(4, { ...dan, dataChannels: 'from-client' });
  const receiving = a.put(0x80000004, { ...dan, mayPublishData: false, dataChannels: 'to-client' });
  assert.deepEqual([sending.opensData, receiving.opensData], [false, true]);
  for (const kind of ['reliable', 'lossy'] as const) {
    sending.receiveData(kind, packet(`${kind} of dan`));
    bob.receiveData(kind, packet(`${kind} of bob`));
    cleo.receiveData(kind, packet(`${kind} of cleo`));
    receiving.receiveData(kind, packet('not from here'));
  }
  bob.receiveData('reliable', packet('for dan', ['user-4']));
  bob.receiveData('reliable', packet('for cleo', ['user-3']));
  a.run(100);
  b.run(100);
  a.run(100);
  assert.deepEqual(heardBy(sending), []);
  const ofOthers = ['reliable of bob', 'reliable of cleo', 'lossy of bob', 'lossy of cleo'];
  assert.deepEqual(heardBy(receiving).sort(), [...ofOthers, 'for dan'].sort());
  assert.deepEqual(heardBy(bob), ['reliable of dan', 'reliable of cleo', 'lossy of dan', 'lossy of cleo']);
});

test('an endpoint without data channels is sent nothing, and nobody waits for it', () => {
  const { a, ada, bob } = meeting();
  const silent = a.put(0x80000004, { identity: 'user-4', sid: 'PA_dan', dataChannels: 'none' });
  silent.dataBacklogBytes = BACKLOG_BYTES_MAX;
  ada.receiveData('reliable', packet('hello'));
  a.run(10);
  assert.deepEqual([heardBy(silent), heardBy(bob)], [[], ['hello']]);
});

test('what a participant sends waits for its own receiving side no more than it comes there', () => {
  const { a, bob } = meeting();
  const dan = { identity: 'user-4', sid: 'PA_dan' };
  const sending = a.put(4, { ...dan, dataChannels: 'from-client' });
  a.put(0x80000004, { ...dan, dataChannels: 'to-client' }).dataBacklogBytes = BACKLOG_BYTES_MAX;
  sending.receiveData('reliable', packet('hello'));
  a.run(10);
  assert.deepEqual(heardBy(bob), ['hello']);
});

test('what somebody sends who is on the way to another bridge does not come back to the side that receives, whichever of its sides is there first', () => {
  const { a, b, bob } = meeting();
  const dan = { identity: 'user-4', sid: 'PA_dan' };
  const sending = a.put(4, { ...dan, dataChannels: 'from-client' });
  const receiving = b.put(0x80000004, { ...dan, mayPublishData: false, dataChannels: 'to-client' });
  sending.receiveData('reliable', packet('of dan'));
  bob.receiveData('reliable', packet('of bob'));
  b.run(10);
  assert.deepEqual(heardBy(receiving), ['of bob']);
});

test('who leaves for another bridge is given no more reliable messages where it was, and those it is sent there from then on', () => {
  const { a, b, ada, bob, cleo } = meeting();
  const there = b.put(2, { identity: 'user-2', sid: 'PA_2' });
  const spec = conferenceSpec(2, ['a', 'b'], { 1: 'a', 2: 'a', 3: 'b' });
  const endpoints = spec.endpoints.map(each => (each.identity === 'user-2' ? { ...each, movingTo: 'b' } : each));
  ada.receiveData('reliable', packet('before', ['user-2']));
  for (const box of [a, b]) box.bridge.putConference(CONFERENCE, { ...spec, endpoints });
  ada.receiveData('reliable', packet('after', ['user-2']));
  ada.receiveData('lossy', packet('lossy', ['user-2']));
  cleo.receiveData('reliable', packet('of cleo', ['user-2']));
  b.run(10);
  assert.deepEqual(heardBy(bob), ['before', 'lossy']);
  assert.deepEqual(heardBy(there), ['after', 'lossy', 'of cleo']);
});

test('of a client that sends again what it is not sure of, each message is passed on once', () => {
  const { ada, bob } = meeting();
  const numbered = (sequence: number) => {
    const again = DataPacket.fromBinary(packet(`${sequence}`));
    again.sequence = sequence;
    return again.toBinary();
  };
  for (const sequence of [1, 2, 3, 2, 3, 4]) ada.receiveData('reliable', numbered(sequence));
  assert.deepEqual(heardBy(bob), ['1', '2', '3', '4']);
});
