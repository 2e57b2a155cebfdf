import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { DataPacket } from '@livekit/protocol';
import { type EndpointId, formatId } from '../protocol/ids.ts';
import { BridgeBox, CONFERENCE, conferenceSpec } from './testing/bridge-box.ts';
import { opusPacket, vp8Packet } from './testing/packets.ts';
import { AUDIO, dataPacket, payloadOf, projection, rtpOf, VIDEO } from './testing/vocabulary.ts';

const ADA = 1;
const BOB = 2;
const ALL = ['a', 'b', 'c'];

describe('ada moves from bridge a to bridge b, and bob watches on bridge c', () => {
  let a: BridgeBox;
  let b: BridgeBox;
  let c: BridgeBox;
  const ofAda = { identity: 'user-1', sources: [AUDIO, VIDEO] };

  beforeEach(() => {
    const peers = new Map<string, BridgeBox>();
    [a, b, c] = ALL.map(name => new BridgeBox(name, peers));
    a.put(ADA, ofAda);
    c.put(BOB, { identity: 'user-2', projections: [projection(ADA, AUDIO), projection(ADA, VIDEO, { layerMax: 0 })] });
    says(1, 'a');
    run(50);
  });

  /** The document that has ada on this bridge, for all bridges in that order. */
  function says(version: number, where: string, order: readonly BridgeBox[] = [a, b, c]): void {
    for (const box of order)
      box.bridge.putConference(CONFERENCE, conferenceSpec(version, ALL, { [ADA]: where, [BOB]: 'c' }));
  }

  function run(durationMs: number): void {
    for (const box of [a, b, c]) box.run(durationMs);
  }

  function talks(box: BridgeBox, sequence: number): void {
    box.receive(ADA, opusPacket({ ssrc: 77, sequence, mid: '0', payload: `${sequence}` }));
  }

  const heard = () => c.transport(BOB).rtp.filter(datagram => rtpOf(datagram).payloadType === 109);

  for (const first of ['a', 'b', 'c'] as const) {
    test(`what he hears is one stream without a gap or a double, when bridge ${first} is the first to know`, () => {
      for (let sequence = 1; sequence <= 20; sequence++) talks(a, sequence);
      b.put(ADA, ofAda);
      // On the way both have packets of hers: the last ones come to the bridge before, the first ones to the other.
      const order = [a, b, c].sort((one, other) => Number(other.id === first) - Number(one.id === first));
      for (let step = 0; step < 3; step++) {
        order[step].bridge.putConference(CONFERENCE, conferenceSpec(2, ALL, { [ADA]: 'b', [BOB]: 'c' }));
      }
      for (let sequence = 18; sequence <= 20; sequence++) talks(a, sequence);
      run(50);
      for (let sequence = 21; sequence <= 40; sequence++) talks(b, sequence);
      a.bridge.deleteEndpoint(CONFERENCE, ADA as EndpointId);
      run(50);
      for (let sequence = 41; sequence <= 60; sequence++) talks(b, sequence);
      assert.deepEqual(
        heard().map(payloadOf),
        Array.from({ length: 60 }, (_, index) => `${index + 1}`),
      );
      const sequences = heard().map(datagram => rtpOf(datagram).sequence);
      assert.deepEqual(
        sequences,
        sequences.map((_, index) => (sequences[0] + index) % 0x10000),
      );
      assert.equal(new Set(heard().map(datagram => rtpOf(datagram).ssrc)).size, 1);
    });
  }

  test('which SSRCs only her packets have named is told, and read by the bridge she comes to', () => {
    const streams = () => a.events.filter(event => event.kind === 'streams').at(-1)?.streams;
    a.receive(ADA, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'q', isKeyFrame: true }));
    a.receive(ADA, vp8Packet({ ssrc: 33, sequence: 1, mid: '1', rid: 'f', isKeyFrame: true }));
    run(10);
    assert.deepEqual(streams(), [
      { sourceId: VIDEO.sourceId, layer: 0, ssrc: 31, isRtx: false },
      { sourceId: VIDEO.sourceId, layer: 2, ssrc: 33, isRtx: false },
    ]);
    assert.deepEqual(
      a.bridge.endpointEvents().find(event => event.kind === 'streams')?.streams,
      streams(),
      'told again to a focus that connects later',
    );
    const known = (streams() ?? []).map(({ layer, ssrc, isRtx }) => ({ layer, ssrc, isRtx }));
    b.put(ADA, { ...ofAda, sources: [AUDIO, { ...VIDEO, streams: known }] });
    says(2, 'b');
    run(50);
    b.receive(ADA, vp8Packet({ ssrc: 33, sequence: 2 }));
    b.receive(ADA, vp8Packet({ ssrc: 34, sequence: 2 }));
    const bound = [...b.endpoint(ADA).streams.all()].map(({ ssrc, layer }) => [ssrc, layer.index]);
    assert.deepEqual(bound, [[33, 2]]);
    run(10);
    assert.equal(b.events.filter(event => event.kind === 'streams').length, 0, 'the focus knows it');
  });

  test('an SSRC that the offer named is not told', () => {
    a.put(ADA, { ...ofAda, version: 2, sources: [{ ...AUDIO, ssrcs: [77] }] });
    talks(a, 1);
    run(10);
    assert.deepEqual(
      a.events.filter(event => event.kind === 'streams'),
      [],
    );
  });

  test('of messages that were kept she is not sent those that she has had, by sender and number', () => {
    const kept = (sid: string, sequence: number) => {
      const packet = DataPacket.fromBinary(dataPacket('kept'));
      packet.participantSid = sid;
      packet.sequence = sequence;
      return packet.toBinary();
    };
    const received = [
      { sid: 'PA_2', sequence: 9 },
      { sid: 'PA_3', sequence: 2 },
    ];
    b.put(ADA, { ...ofAda, openChannels: { reliable: 1, lossy: 3 }, received });
    const { resumed } = b.transport(ADA);
    assert.deepEqual(resumed?.channels, { reliable: 1, lossy: 3 });
    const had = (sid: string, sequence: number) => resumed?.isReceived(kept(sid, sequence));
    assert.deepEqual([had('PA_2', 9), had('PA_2', 10), had('PA_3', 2), had('PA_3', 3)], [true, false, true, false]);
    assert.equal(had('PA_4', 1), false, 'of a sender that it has not heard yet');
    assert.equal(had('PA_2', 0), false, 'a message of the server has no number');
  });

  test('two bridges tell her of arrivals on clocks that are far apart, however alike their own are', () => {
    const reference = (box: BridgeBox) => {
      const feedback = box.transport(ADA).rtcp.find(packet => packet[1] === 205 && (packet[0] & 0x1f) === 15);
      assert.ok(feedback !== undefined, `${box.id} has told ${formatId(ADA as EndpointId)}`);
      return feedback.readUIntBE(16, 3);
    };
    // Each box draws the same numbers.
    b.put(9);
    b.put(ADA, ofAda);
    for (const box of [a, b]) {
      box.receive(ADA, opusPacket({ ssrc: 77, sequence: 1, mid: '0', transportSequence: 1 }));
      box.run(200);
    }
    // libwebrtc takes steps of more than three seconds for another clock.
    assert.ok(Math.abs(reference(a) - reference(b)) * 64 > 3_000);
  });
});
