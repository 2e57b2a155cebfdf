import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { SimulatedPair } from './simulated-pair.ts';

const CONFERENCE = 0x4d2 as ConferenceId;
const OTHER = 0xf0000001 as ConferenceId;
const ALICE = 0xabcdabcd as EndpointId;
const CAMERA = 1 as SourceId;
const A = 'a' as BridgeId;
const B = 'b' as BridgeId;

function want(endpointId: number, viewers = [1, 2, 3]): Want {
  return { endpointId: endpointId as EndpointId, sourceId: CAMERA, viewers };
}

function connected(seed = 1, path = {}): SimulatedPair {
  const pair = new SimulatedPair(seed, path);
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 5000);
  return pair;
}

function sendPacket(
  pair: SimulatedPair,
  conferenceId = CONFERENCE,
  bytes: Uint8Array = Buffer.from([0x80, 96, 1, 2]),
): void {
  const link = pair.a.link;
  assert.ok(link);
  pair.a.relay.sendPacket(link, conferenceId, ALICE, CAMERA, 2, CLASS_VIDEO, bytes, 0, bytes.length);
}

test('a link is up one handshake after both bridges know of the conference, whichever knows first', () => {
  for (const first of ['a', 'b'] as const) {
    const pair = new SimulatedPair(7, { delayMs: 25 });
    const second = first === 'a' ? 'b' : 'a';
    pair[first].relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    // Half-way between two repeats of the client's first flight: waiting for one would take 70 ms more than the two round trips.
    pair.run(2770);
    pair[second].relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    const tookMs = pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 1000);
    assert.ok(tookMs <= 140, `${first} first: ${tookMs} ms`);
  }
});

test('a packet crosses the link as it was given, with its conference, endpoint, source and layer', () => {
  const pair = connected();
  const bytes = Buffer.from('8060000100000002000000035061796c6f6164', 'hex');
  sendPacket(pair, CONFERENCE, bytes);
  pair.run(50);
  assert.equal(pair.b.packets.length, 1);
  const { atMs, ...seen } = pair.b.packets[0];
  assert.deepEqual(seen, { conferenceId: CONFERENCE, endpointId: ALICE, sourceId: CAMERA, layer: 2, bytes });
  assert.ok(atMs > 0);
});

test('packets before the link is up are dropped and counted, messages wait', () => {
  const pair = new SimulatedPair(1);
  pair.share(CONFERENCE);
  sendPacket(pair);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCE, ALICE, true, Buffer.from('kept')), true);
  assert.equal(pair.a.relay.sendMessage(B, CONFERENCE, ALICE, false, Buffer.from('lost')), false);
  pair.run(500);
  assert.equal(pair.a.link?.counters.droppedDown, 1);
  assert.equal(pair.b.packets.length, 0);
  assert.deepEqual(
    pair.b.messages.map(message => Buffer.from(message.bytes).toString()),
    ['kept'],
  );
});

test('a frame of a conference that the bridges do not share reaches nobody and is counted', () => {
  const pair = connected();
  pair.a.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  sendPacket(pair, OTHER);
  pair.a.relay.requestKeyFrame(B, OTHER, ALICE, CAMERA, 0);
  pair.a.relay.sendMessage(B, OTHER, ALICE, false, Buffer.from('x'));
  pair.a.relay.setWanted(OTHER, B, [want(5)]);
  pair.run(100);
  assert.equal(pair.b.packets.length, 0);
  assert.equal(pair.b.keyFrameRequests.length, 0);
  assert.equal(pair.b.messages.length, 0);
  assert.equal(pair.b.wanted.filter(seen => seen.conferenceId === OTHER).length, 0);
  assert.ok((pair.b.link?.counters.foreign ?? 0) >= 4);
});

test('what comes before the focus has told this bridge of the conference takes effect when it does', () => {
  const pair = connected();
  pair.a.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  pair.a.relay.setWanted(OTHER, B, [want(5)]);
  pair.a.relay.sendMessage(B, OTHER, ALICE, true, Buffer.from('one'));
  pair.a.relay.sendMessage(B, OTHER, ALICE, true, Buffer.from('two'));
  pair.run(800);
  pair.b.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  assert.deepEqual(
    pair.b.messages.map(message => Buffer.from(message.bytes).toString()),
    ['one', 'two'],
  );
  pair.run(100);
  assert.deepEqual(pair.b.wanted.at(-1), { conferenceId: OTHER, wants: [want(5)] });
});

test('reliable messages for a conference that never comes are dropped after three seconds', () => {
  const pair = connected();
  pair.a.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  pair.a.relay.sendMessage(B, OTHER, ALICE, true, Buffer.from('one'));
  pair.run(3200);
  pair.b.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  pair.run(100);
  assert.equal(pair.b.messages.length, 0);
  assert.equal(pair.b.link?.counters.messagesDropped, 1);
});

test('key-frame requests for one layer within 50 ms are one, for two layers two', () => {
  const pair = connected();
  for (let repeat = 0; repeat < 5; repeat++) {
    pair.a.relay.requestKeyFrame(B, CONFERENCE, ALICE, CAMERA, 0);
    pair.a.relay.requestKeyFrame(B, CONFERENCE, ALICE, CAMERA, 1);
    pair.run(10);
  }
  pair.run(100);
  assert.deepEqual(
    pair.b.keyFrameRequests.map(request => request.layer),
    [0, 1],
  );
  pair.a.relay.requestKeyFrame(B, CONFERENCE, ALICE, CAMERA, 0);
  pair.run(100);
  assert.equal(pair.b.keyFrameRequests.length, 3);
});

test('a silent peer is down after one second, and up as soon as the path is back', () => {
  const pair = connected();
  pair.run(1000);
  pair.path.loss = 1;
  const downMs = pair.runUntil(() => pair.a.link?.state === 'down', 2000);
  assert.ok(downMs >= 700 && downMs <= 1100, `${downMs} ms`);
  pair.a.relay.sendMessage(B, CONFERENCE, ALICE, true, Buffer.from('while away'));
  pair.a.relay.setWanted(CONFERENCE, B, [want(9)]);
  pair.run(20_000);
  pair.path.loss = 0;
  const upMs = pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 2000);
  assert.ok(upMs <= 350, `${upMs} ms`);
  pair.run(1500);
  assert.deepEqual(
    pair.b.messages.map(message => Buffer.from(message.bytes).toString()),
    ['while away'],
  );
  assert.deepEqual(pair.b.wanted.at(-1)?.wants, [want(9)]);
});

for (const name of ['a', 'b'] as const) {
  test(`bridge ${name} restarts: the link is up again and both know what the other wants`, () => {
    const pair = connected();
    const [stays, restarts] = name === 'a' ? [pair.b, pair.a] : [pair.a, pair.b];
    const [staysId, restartsId] = name === 'a' ? [B, A] : [A, B];
    stays.relay.setWanted(CONFERENCE, restartsId, [want(1)]);
    restarts.relay.setWanted(CONFERENCE, staysId, [want(2)]);
    pair.run(300);
    assert.deepEqual(stays.wanted.at(-1)?.wants, [want(2)]);
    restarts.restart();
    restarts.wanted = [];
    restarts.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    pair.run(200);
    stays.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
    const upMs = pair.runUntil(() => stays.link?.state === 'up' && restarts.link?.state === 'up', 1000);
    // Before the news of its certificate, one that begins has been refused; it sees half a second later that nothing will come of that.
    assert.ok(upMs <= (name === 'a' ? 900 : 300), `${upMs} ms`);
    pair.run(200);
    assert.deepEqual(stays.wanted.at(-1)?.wants, [], 'the new process has wanted nothing yet');
    assert.deepEqual(restarts.wanted.at(-1)?.wants, [want(1)], 'it is told what we want');
    restarts.relay.setWanted(CONFERENCE, staysId, [want(3)]);
    assert.equal(stays.relay.sendMessage(restartsId, CONFERENCE, ALICE, true, Buffer.from('hello again')), true);
    pair.run(200);
    assert.deepEqual(stays.wanted.at(-1)?.wants, [want(3)]);
    assert.equal(restarts.messages.length, 1);
  });
}

test('a link goes with its last conference, and the peer is down at once', () => {
  const pair = connected();
  pair.a.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  pair.b.relay.setPeers(OTHER, [pair.a.peer, pair.b.peer]);
  pair.a.relay.removeConference(CONFERENCE);
  pair.run(100);
  assert.equal(pair.a.link?.state, 'up', 'the other conference needs it');
  pair.a.relay.setPeers(OTHER, [pair.a.peer]);
  assert.equal(pair.a.link, undefined);
  pair.run(50);
  assert.equal(pair.b.link?.state, 'down');
  assert.equal(pair.a.relay.snapshot().length, 0);
});

test('a conference that leaves a link and returns has its wants again, though the peer never stopped wanting', () => {
  const pair = connected();
  pair.share(OTHER);
  pair.a.relay.setWanted(CONFERENCE, B, [want(4)]);
  pair.run(200);
  pair.b.relay.removeConference(CONFERENCE);
  pair.run(500);
  pair.b.wanted = [];
  pair.b.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
  pair.run(300);
  assert.deepEqual(pair.b.wanted.at(-1), { conferenceId: CONFERENCE, wants: [want(4)] });
});

test('a bridge that leaves a conference wants nothing of it any more', () => {
  const pair = connected();
  pair.share(OTHER);
  pair.a.relay.setWanted(CONFERENCE, B, [want(4)]);
  pair.run(200);
  pair.a.relay.removeConference(CONFERENCE);
  pair.run(200);
  assert.deepEqual(pair.b.wanted.at(-1), { conferenceId: CONFERENCE, wants: [] });
});

test('after a closed link the same conference brings it up again', () => {
  const pair = connected();
  pair.a.relay.removeConference(CONFERENCE);
  pair.run(100);
  pair.a.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 1000);
  pair.a.relay.sendMessage(B, CONFERENCE, ALICE, true, Buffer.from('again'));
  pair.run(200);
  assert.equal(pair.b.messages.length, 1);
});

test('closing says good-bye on every link', async () => {
  const pair = connected();
  await pair.a.relay.close();
  pair.run(50);
  assert.equal(pair.b.link?.state, 'down');
});

test('a peer with another certificate than announced never comes up', () => {
  const pair = new SimulatedPair(3);
  const impostor = { ...pair.b.peer, fingerprint: { algorithm: 'sha-256', value: 'AA:BB' } };
  pair.a.relay.setPeers(CONFERENCE, [pair.a.peer, impostor]);
  pair.b.relay.setPeers(CONFERENCE, [pair.a.peer, pair.b.peer]);
  pair.run(5000);
  assert.notEqual(pair.a.link?.state, 'up');
  assert.ok((pair.a.link?.counters.handshakesFailed ?? 0) > 1);
  assert.ok((pair.a.link?.counters.handshakesFailed ?? 0) < 12, 'attempts back off');
});

test('keys change each hour and no packet is lost over it', () => {
  const pair = connected(5, { delayMs: 60 });
  pair.run(3_599_000 - 1000, () => {}, 200);
  const before = pair.a.link?.counters.handshakes ?? 0;
  let sent = 0;
  pair.run(4000, () => {
    const bytes = Buffer.alloc(40);
    bytes.writeUInt32BE(sent++);
    sendPacket(pair, CONFERENCE, bytes);
    const link = pair.b.link;
    assert.ok(link);
    pair.b.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, bytes, 0, bytes.length);
  });
  pair.run(300);
  assert.equal(pair.a.link?.counters.handshakes, before + 1);
  assert.equal(pair.b.packets.length, sent);
  assert.equal(pair.a.packets.length, sent);
  assert.equal(new Set(pair.b.packets.map(packet => packet.bytes.readUInt32BE())).size, sent);
});

test('a lost last flight holds up nothing while keys change', () => {
  const pair = connected(6, { delayMs: 60 });
  pair.run(3_599_000 - 1000, () => {}, 200);
  let isLost = false;
  pair.filter = (bytes, from) => {
    const isLastFlight = from === pair.b && bytes[0] === 22 && bytes[1] === 2;
    if (!isLastFlight || isLost) return true;
    isLost = true;
    return false;
  };
  const sentMs: number[] = [];
  pair.run(4000, () => {
    const { link } = pair.b;
    assert.ok(link);
    const bytes = Buffer.alloc(40);
    bytes.writeUInt32BE(sentMs.length);
    sentMs.push(pair.nowMs);
    pair.b.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, bytes, 0, bytes.length);
  });
  pair.run(300);
  assert.equal(isLost, true);
  assert.equal(pair.a.packets.length, sentMs.length);
  for (const packet of pair.a.packets) assert.equal(packet.atMs - sentMs[packet.bytes.readUInt32BE()], 60);
});

test('round trip and clock offset are measured', () => {
  const pair = connected(1, { delayMs: 40 });
  pair.run(2000);
  const [snapshot] = pair.a.relay.snapshot();
  assert.ok(Math.abs((snapshot.rttMs ?? 0) - 80) < 1);
  assert.ok(Math.abs(snapshot.clockOffsetMs ?? 99) < 1);
  assert.deepEqual([snapshot.bridgeId, snapshot.region, snapshot.state], [B, 'region-b', 'up']);
});
