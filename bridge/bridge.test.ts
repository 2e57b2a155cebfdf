import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DataPacket } from '@livekit/protocol';
import type { ConferenceId, EndpointId } from '../protocol/ids.ts';
import { BridgeError } from './errors.ts';
import { BridgeBox, CONFERENCE, conferenceSpec, endpointSpec } from './testing/bridge-box.ts';
import { opusPacket } from './testing/packets.ts';
import { AUDIO, dataPacket, projection, textOf, VIDEO } from './testing/vocabulary.ts';

describe('the documents and messages of one bridge', () => {
  test('data reaches those it is for, stamped with its sender, and needs permission', () => {
    const box = new BridgeBox('a');
    box.put(1, { identity: 'ada' });
    const bob = box.put(2, { identity: 'bob' });
    const chi = box.put(3, { identity: 'chi', mayPublishData: false });
    box.transport(1).sink.onData('reliable', dataPacket('for all'));
    box.transport(1).sink.onData('lossy', dataPacket('for bob', ['bob']));
    box.transport(3).sink.onData('reliable', dataPacket('not permitted'));
    assert.deepEqual(
      bob.data.map(({ kind, bytes }) => [kind, textOf(bytes)]),
      [
        ['reliable', 'for all'],
        ['lossy', 'for bob'],
      ],
    );
    assert.equal(DataPacket.fromBinary(bob.data[0].bytes).participantIdentity, 'ada');
    assert.equal(chi.data.length, 1);
    assert.equal(box.counters.drops.get('data-not-permitted'), 1);
  });

  test('the round trip that one endpoint of a participant measures is that of both', () => {
    const box = new BridgeBox('a');
    const dan = { identity: 'dan', sid: 'PA_dan' };
    box.put(1, { identity: 'ada', sid: 'PA_ada' });
    box.put(4, { ...dan, dataChannels: 'from-client' });
    box.put(0x80000004, { ...dan, dataChannels: 'to-client' });
    const { endpoints } = box.bridge.conferences.get(CONFERENCE)!;
    endpoints.get(0x80000004 as EndpointId)!.roundTrip.handleSample(80);
    const known = box.bridge.describeConference(box.nowMs, CONFERENCE).endpoints;
    assert.deepEqual(
      known.map(({ endpointId, rttMs }) => [endpointId, rttMs]),
      [
        ['00000001', null],
        ['00000004', 80],
        ['80000004', 80],
      ],
    );
  });

  test('an older document is refused with the version in force, and changes nothing', () => {
    const box = new BridgeBox('a');
    box.put(1, { version: 5, sources: [AUDIO] });
    assert.throws(
      () => box.bridge.putEndpoint(0, CONFERENCE, 1 as EndpointId, endpointSpec({ version: 4 })),
      (error: unknown) => error instanceof BridgeError && error.code === 'stale-version' && error.version === 5,
    );
    assert.equal([...box.endpoint(1).sources].length, 1);
    box.bridge.putConference(CONFERENCE, conferenceSpec(3, ['a'], {}));
    assert.throws(() => box.bridge.putConference(CONFERENCE, conferenceSpec(2, ['a'], {})), BridgeError);
  });

  test('limits refuse what is too much by name', () => {
    const box = new BridgeBox('a', new Map(), { endpoints: 1, conferences: 1 });
    box.put(1);
    const put = (conference: number, id: number) =>
      box.bridge.putEndpoint(0, conference as ConferenceId, id as EndpointId, endpointSpec({}));
    assert.throws(() => put(CONFERENCE, 2), { code: 'endpoint-limit' });
    assert.throws(() => put(8, 2), { code: 'conference-limit' });
    box.bridge.deleteEndpoint(CONFERENCE, 1 as EndpointId);
    assert.equal(put(CONFERENCE, 2).version, 1, 'what has gone makes room');
  });

  test('an endpoint that is deleted leaves nothing behind', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO, VIDEO] });
    const listener = box.put(2, { projections: [projection(1, AUDIO), projection(1, VIDEO)] });
    const publisher = box.transport(1);
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    box.bridge.deleteEndpoint(CONFERENCE, 1 as EndpointId);
    assert.ok(publisher.isClosed);
    box.bridge.deleteEndpoint(CONFERENCE, 2 as EndpointId);
    assert.equal(box.bridge.conferences.size, 0);
    assert.equal(box.bridge.endpointCount, 0);
    assert.equal(box.bridge.sourceCount(), 0);
    assert.equal(listener.rtp.length, 1);
    assert.equal(box.port.freeSlots, 64, 'every outgoing slot is free again');
  });

  test('a draining bridge keeps whom it has and takes nobody new, until it is undone', () => {
    const box = new BridgeBox('a');
    box.put(1);
    box.bridge.setDraining(true);
    assert.throws(() => box.put(2), { code: 'draining' });
    box.put(1, { version: 2 });
    box.bridge.setDraining(false);
    box.put(2);
    assert.equal(box.bridge.endpointCount, 2);
  });
});
