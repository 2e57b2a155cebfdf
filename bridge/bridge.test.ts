import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DataPacket, UserPacket } from '@livekit/protocol';
import type { EndpointSpec, ProjectionSpec, SourceSpec } from '../protocol/control/spec.ts';
import { type ConferenceId, type EndpointId, formatId } from '../protocol/ids.ts';
import { writeNack, writePli } from '../protocol/rtcp/feedback.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_RTPFB, RTCP_SR, RTPFB_TRANSPORT_CC, RtcpPacket } from '../protocol/rtcp/packet.ts';
import { writeSenderReport } from '../protocol/rtcp/report.ts';
import { RtpPacket } from '../protocol/rtp/packet.ts';
import { BridgeError } from './errors.ts';
import { BridgeBox, CONFERENCE, conferenceSpec, endpointSpec, type FakeTransport } from './testing/bridge-box.ts';
import { opusPacket, redPacket, vp8Packet } from './testing/packets.ts';

const AUDIO: SourceSpec = { sourceId: 1, kind: 'audio', mid: '0', rids: [], ssrcs: [], rtxSsrcs: [], muted: false };
const VIDEO: SourceSpec = {
  sourceId: 2,
  kind: 'video',
  mid: '1',
  rids: ['q', 'h', 'f'],
  ssrcs: [],
  rtxSsrcs: [],
  muted: false,
};

function projection(origin: number, source: SourceSpec, fields: Partial<ProjectionSpec> = {}): ProjectionSpec {
  return {
    origin: formatId(origin as EndpointId),
    sourceId: source.sourceId,
    kind: source.kind,
    mid: '5',
    ssrc: 0x1000 + source.sourceId,
    rtxSsrc: source.kind === 'video' ? 0x2000 + source.sourceId : null,
    enabled: true,
    layerMax: source.kind === 'video' ? 2 : 0,
    temporalMax: 3,
    ...fields,
  };
}

function rtpOf(datagram: Buffer): RtpPacket {
  const packet = new RtpPacket();
  packet.decode(datagram, 0, datagram.length);
  return packet;
}

function payloadOf(datagram: Buffer): string {
  const packet = rtpOf(datagram);
  return datagram.subarray(packet.payloadOffset, packet.payloadOffset + packet.payloadLength).toString();
}

/** RTCP packets of one type in all that a client was sent. */
function rtcpOf(transport: FakeTransport, type: number, count?: number): { mediaSsrc: number; ssrc: number }[] {
  const found: { mediaSsrc: number; ssrc: number }[] = [];
  const packet = new RtcpPacket();
  for (const compound of transport.rtcp) {
    packet.begin(compound, 0, compound.length);
    while (packet.next()) {
      if (packet.type !== type || (count !== undefined && packet.count !== count)) continue;
      found.push({ mediaSsrc: packet.mediaSsrc, ssrc: packet.ssrc });
    }
  }
  return found;
}

describe('one bridge', () => {
  test('audio of one endpoint reaches the other under the SSRC and payload type it was promised', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    const listener = box.put(2, {
      projections: [projection(1, AUDIO)],
      codecs: [{ codec: 'opus', payloadType: 96, rtxPayloadType: null }],
    });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', payload: 'hello' }));
    assert.equal(listener.rtp.length, 1);
    assert.equal(rtpOf(listener.rtp[0]).ssrc, 0x1001);
    assert.equal(rtpOf(listener.rtp[0]).payloadType, 96);
    assert.equal(payloadOf(listener.rtp[0]), 'hello');
    assert.equal(box.transport(1).rtp.length, 0, 'nobody hears themselves');
  });

  test('RED names Opus as each side numbers it, and is unwrapped for who lacks it', () => {
    const box = new BridgeBox('a');
    const withRed = (opus: number, red: number): EndpointSpec['codecs'] => [
      { codec: 'opus', payloadType: opus, rtxPayloadType: null },
      { codec: 'red', payloadType: red, rtxPayloadType: null },
    ];
    box.put(1, { sources: [AUDIO], codecs: withRed(109, 63) });
    const [chrome, firefox, other] = [withRed(111, 63), withRed(109, 115), withRed(100, 0).slice(0, 1)].map(
      (codecs, index) => box.put(2 + index, { codecs, projections: [projection(1, AUDIO)] }),
    );
    box.receive(1, redPacket(77, 1, '0'));
    const opusNumbers = ({ rtp }: FakeTransport) => [
      rtp[0][rtpOf(rtp[0]).payloadOffset] & 0x7f,
      rtp[0][rtpOf(rtp[0]).payloadOffset + 4],
    ];
    assert.deepEqual(opusNumbers(chrome), [111, 111]);
    assert.deepEqual(opusNumbers(firefox), [109, 109]);
    assert.equal(rtpOf(firefox.rtp[0]).payloadType, 115);
    assert.equal(rtpOf(other.rtp[0]).payloadType, 100);
    assert.equal(payloadOf(other.rtp[0]), 'primary');
  });

  test('media that no source describes is dropped and counted', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    const listener = box.put(2, { projections: [projection(1, AUDIO)] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '9' }));
    box.receive(1, opusPacket({ ssrc: 78, sequence: 1 }));
    assert.equal(listener.rtp.length, 0);
    assert.equal(box.counters.drops.get('ssrc-unknown'), 2);
  });

  test('a muted source sends nothing, whatever its client does', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    const listener = box.put(2, { projections: [projection(1, AUDIO)] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    box.put(1, { version: 2, sources: [{ ...AUDIO, muted: true }] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 2 }));
    assert.equal(listener.rtp.length, 1);
    box.put(1, { version: 3, sources: [AUDIO] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 3 }));
    assert.equal(listener.rtp.length, 2);
    assert.equal(rtpOf(listener.rtp[1]).sequence, (rtpOf(listener.rtp[0]).sequence + 1) & 0xffff, 'no gap is seen');
  });

  test('a subscription made before its source flows from the first packet', () => {
    const box = new BridgeBox('a');
    const listener = box.put(2, { projections: [projection(1, AUDIO)] });
    box.put(1, { sources: [AUDIO] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    assert.equal(listener.rtp.length, 1);
  });

  test('a source that is taken away and comes back is heard again', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    const listener = box.put(2, { projections: [projection(1, AUDIO)] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 60_000, mid: '0' }));
    box.put(1, { version: 2, sources: [] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 60_001 }));
    assert.equal(listener.rtp.length, 1);
    box.put(1, { version: 3, sources: [AUDIO] });
    for (const sequence of [5, 6]) box.receive(1, opusPacket({ ssrc: 79, sequence, mid: '0' }));
    assert.equal(listener.rtp.length, 3);
    const sequences = listener.rtp.map(datagram => rtpOf(datagram).sequence);
    assert.deepEqual(
      sequences,
      [0, 1, 2].map(step => (sequences[0] + step) & 0xffff),
    );
  });

  test('video waits for a key frame, and the publisher is asked for one', () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'f' }));
    assert.equal(viewer.rtp.length, 0);
    box.run(150);
    assert.deepEqual(
      rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).map(({ mediaSsrc }) => mediaSsrc),
      [31],
    );
    box.receive(1, vp8Packet({ ssrc: 31, sequence: 2, isKeyFrame: true }));
    assert.equal(viewer.rtp.length, 1);
    box.run(2_000);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, 1, 'a key frame ends the asking');
  });

  test('the best layer that flows is forwarded, and no other', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    for (let sequence = 1; sequence <= 20; sequence++) {
      for (const [index, rid] of ['q', 'h', 'f'].entries()) {
        box.receive(
          1,
          vp8Packet({ ssrc: 40 + index, sequence, mid: '1', rid, isKeyFrame: sequence % 3 === 1, payload: rid }),
        );
      }
      box.run(50);
    }
    const letters = viewer.rtp.map(datagram => payloadOf(datagram).at(-1));
    assert.ok(letters.lastIndexOf('q') < 4, `a small picture at first at most: ${letters.join('')}`);
    assert.equal(letters.at(-1), 'f');
    const why = box.bridge.describeConference(box.nowMs, CONFERENCE).endpoints[1].subscriptions[0];
    assert.equal(why.layer, 2);
    assert.equal(why.why, 'as-asked');
  });

  test('a subscriber gets no higher layer than it asked for', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO, { layerMax: 0 })] });
    for (let sequence = 1; sequence <= 20; sequence++) {
      for (const [index, rid] of ['q', 'h', 'f'].entries()) {
        box.receive(
          1,
          vp8Packet({ ssrc: 40 + index, sequence, mid: '1', rid, isKeyFrame: sequence % 5 === 1, payload: rid }),
        );
      }
      box.run(50);
    }
    assert.deepEqual([...new Set(viewer.rtp.map(datagram => payloadOf(datagram).at(-1)))], ['q']);
  });

  test('a lost packet is answered from here, on the RTX stream', () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'f', isKeyFrame: true, payload: 'lost' }));
    const lost = rtpOf(viewer.rtp[0]);
    const nack = Buffer.alloc(64);
    const length = writeNack(nack, 0, 1, lost.ssrc, Uint16Array.of(lost.sequence), 1);
    box.receive(2, nack.subarray(0, length));
    const answer = rtpOf(viewer.rtp[1]);
    assert.equal(answer.ssrc, 0x2002);
    assert.equal(answer.payloadType, 121);
    assert.equal(viewer.rtp[1].readUInt16BE(answer.payloadOffset), lost.sequence, 'the original sequence number leads');
    assert.equal(publisher.rtcp.length, 0, "nobody's loss crosses another hop");
  });

  test('a key-frame request of a subscriber is answered by the publisher, once for many', () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [VIDEO] });
    for (const id of [2, 3, 4]) box.put(id, { projections: [projection(1, VIDEO)] });
    box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'f', isKeyFrame: true }));
    // Long after the beginning: a request means that the picture broke.
    box.run(2_500);
    publisher.rtcp.length = 0;
    for (const id of [2, 3, 4]) {
      const pli = Buffer.alloc(12);
      writePli(pli, 0, 1, 0x1002);
      box.receive(id, pli);
    }
    box.run(100);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, 1);
  });

  test('who comes just after a key frame begins with it, and the publisher is not asked', () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [VIDEO] });
    for (let sequence = 1; sequence <= 3; sequence++) {
      box.receive(
        1,
        vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame: sequence === 1, payload: `${sequence}` }),
      );
    }
    box.run(200);
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    assert.deepEqual(
      viewer.rtp.map(datagram => payloadOf(datagram).at(-1)),
      ['1', '2', '3'],
    );
    box.run(300);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, 0);
    const late = box.put(3, { projections: [projection(1, VIDEO)] });
    assert.equal(late.rtp.length, 0, 'an old beginning would run after the present');
    box.run(50);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, 1);
  });

  test('a client that was not ready for the beginning gets it again from here', () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    for (let sequence = 1; sequence <= 3; sequence++) {
      box.receive(
        1,
        vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame: sequence === 1, payload: `${sequence}` }),
      );
    }
    box.run(300);
    const [sent, asked] = [viewer.rtp.length, rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length];
    const pli = Buffer.alloc(12);
    writePli(pli, 0, 1, 0x1002);
    box.receive(2, pli);
    const again = viewer.rtp.slice(sent);
    assert.deepEqual(
      again.map(datagram => [rtpOf(datagram).ssrc, payloadOf(datagram).at(-1)]),
      ['1', '2', '3'].map(payload => [0x2002, payload]),
    );
    box.run(300);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, asked, 'the publisher is not bothered');
    box.receive(2, pli);
    box.run(300);
    assert.equal(rtcpOf(publisher, RTCP_PSFB, PSFB_PLI).length, asked + 1, 'asked again, a new key frame is needed');
  });

  test("sender reports reach subscribers with the subscriber's SSRC", () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    const listener = box.put(2, { projections: [projection(1, AUDIO)] });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', timestamp: 960 }));
    const report = Buffer.alloc(28);
    writeSenderReport(report, 0, 77, 3_900_000_000, 0, 960, 1, 4);
    box.receive(1, report);
    box.run(2_000);
    assert.equal(rtcpOf(listener, RTCP_SR)[0]?.ssrc, 0x1001);
  });

  test("transport-wide feedback names one of the publisher's own streams", () => {
    const box = new BridgeBox('a');
    const publisher = box.put(1, { sources: [AUDIO] });
    for (let sequence = 0; sequence < 10; sequence++) {
      box.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0', transportSequence: 500 + sequence }));
      box.run(20);
    }
    const feedback = rtcpOf(publisher, RTCP_RTPFB, RTPFB_TRANSPORT_CC);
    assert.ok(feedback.length > 0, 'the encoder gets no estimate without it');
    for (const { mediaSsrc } of feedback) assert.equal(mediaSsrc, 77);
  });

  test('speakers are told when they change, the loud one active', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [AUDIO] });
    for (let sequence = 0; sequence < 100; sequence++) {
      box.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0', level: 20 }));
      box.run(20);
    }
    const told = box.events.filter(event => event.kind === 'speakers').at(-1);
    assert.equal(told?.speakers[0]?.endpointId, '00000001');
    assert.equal(told?.speakers[0]?.active, true);
  });

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

describe('two bridges', () => {
  function mesh(viewer: Partial<EndpointSpec>) {
    const peers = new Map<string, BridgeBox>();
    const [a, b] = [new BridgeBox('a', peers), new BridgeBox('b', peers)];
    a.put(1, { sources: [AUDIO, VIDEO], identity: 'user-1' });
    b.put(2, { identity: 'user-2', ...viewer });
    for (const box of [a, b]) box.bridge.putConference(CONFERENCE, conferenceSpec(1, ['a', 'b'], { 1: 'a', 2: 'b' }));
    return { a, b };
  }

  test('what nobody at the other end watches sends no packet', () => {
    const { a, b } = mesh({});
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    a.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'f', isKeyFrame: true }));
    b.run(500);
    assert.deepEqual(a.relay.packets, [0, 0, 0]);
  });

  test('audio crosses the link and reaches the subscriber', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', payload: 'across' }));
    assert.equal(payloadOf(b.transport(2).rtp[0]), 'across');
    assert.equal(b.relay.packets[0], 0, 'a relayed packet never goes on to another bridge');
  });

  test('in the steady state only the watched layer crosses', () => {
    const { a, b } = mesh({ projections: [projection(1, VIDEO)] });
    for (let sequence = 1; sequence <= 60; sequence++) {
      if (sequence === 40) a.relay.packets.fill(0);
      for (const [index, rid] of ['q', 'h', 'f'].entries()) {
        a.receive(1, vp8Packet({ ssrc: 40 + index, sequence, mid: '1', rid, isKeyFrame: sequence % 10 === 1 }));
      }
      a.run(50);
      b.run(50);
    }
    assert.deepEqual(a.relay.packets, [0, 0, 21]);
    b.put(2, { version: 2, identity: 'user-2', projections: [] });
    a.relay.packets.fill(0);
    a.receive(1, vp8Packet({ ssrc: 42, sequence: 61, isKeyFrame: true }));
    assert.deepEqual(a.relay.packets, [0, 0, 0], 'the last unsubscribe ends it at once');
  });

  test('when the publisher stops the watched layer, a smaller one stands in at once', () => {
    const { a, b } = mesh({ projections: [projection(1, VIDEO)] });
    const send = (sequence: number, rids: readonly string[]) => {
      for (const [index, rid] of rids.entries()) {
        a.receive(
          1,
          vp8Packet({ ssrc: 40 + index, sequence, mid: '1', rid, isKeyFrame: sequence % 5 === 1, payload: rid }),
        );
      }
      a.run(50);
      b.run(50);
    };
    for (let sequence = 1; sequence <= 60; sequence++) send(sequence, ['q', 'h', 'f']);
    const before = b.transport(2).rtp.length;
    for (let sequence = 61; sequence <= 80; sequence++) send(sequence, ['q', 'h']);
    const letters = b
      .transport(2)
      .rtp.slice(before)
      .map(datagram => payloadOf(datagram).at(-1));
    assert.ok(letters.length >= 4, `frozen for most of the second: ${letters.join('')}`);
    assert.equal(letters.at(-1), 'h');
  });

  test('a bridge that comes to want a layer just after a key frame is sent it from there', () => {
    const { a, b } = mesh({});
    for (let sequence = 1; sequence <= 3; sequence++) {
      a.receive(
        1,
        vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame: sequence === 1, payload: `${sequence}` }),
      );
    }
    b.put(2, { version: 2, identity: 'user-2', projections: [projection(1, VIDEO)] });
    assert.deepEqual(
      b.transport(2).rtp.map(datagram => payloadOf(datagram).at(-1)),
      ['1', '2', '3'],
    );
    a.run(100);
    assert.equal(rtcpOf(a.transport(1), RTCP_PSFB, PSFB_PLI).length, 0);
  });

  test('a key frame wanted at the other end is asked of the publisher', () => {
    const { a, b } = mesh({ projections: [projection(1, VIDEO)] });
    a.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'f' }));
    b.run(200);
    a.run(100);
    assert.deepEqual(
      rtcpOf(a.transport(1), RTCP_PSFB, PSFB_PLI).map(({ mediaSsrc }) => mediaSsrc),
      [31],
    );
  });

  test("the origin's sender report keeps its clock across the link", () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', timestamp: 960 }));
    const report = Buffer.alloc(28);
    writeSenderReport(report, 0, 77, 3_900_000_000, 0, 960, 1, 4);
    a.receive(1, report);
    b.run(2_000);
    assert.ok(rtcpOf(b.transport(2), RTCP_SR).length > 0);
    const compound = b.transport(2).rtcp.find(bytes => bytes[1] === RTCP_SR)!;
    const seconds = compound.readUInt32BE(8);
    assert.ok(seconds >= 3_900_000_000 && seconds < 3_900_000_010, `NTP seconds ${seconds}`);
  });

  test('an origin whose numbers start again behind is heard again at the other end', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    for (let sequence = 30_000; sequence < 30_020; sequence++)
      a.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0' }));
    for (let sequence = 100; sequence < 160; sequence++) a.receive(1, opusPacket({ ssrc: 77, sequence }));
    const heard = b.transport(2).rtp.length;
    assert.ok(heard > 20 + 35, `${heard} packets`);
    a.receive(1, opusPacket({ ssrc: 77, sequence: 160, payload: 'last' }));
    assert.equal(payloadOf(b.transport(2).rtp.at(-1)!), 'last');
  });

  test('a data message goes only to bridges that serve somebody it is for', () => {
    const { a, b } = mesh({});
    a.put(3, { identity: 'user-3' });
    a.transport(1).sink.onData('reliable', dataPacket('for user-3', ['user-3']));
    a.transport(1).sink.onData('reliable', dataPacket('for user-2', ['user-2']));
    assert.deepEqual(
      b.transport(2).data.map(({ bytes }) => textOf(bytes)),
      ['for user-2'],
    );
    assert.deepEqual(
      a.transport(3).data.map(({ bytes }) => textOf(bytes)),
      ['for user-3'],
    );
  });

  test('frames of an endpoint that the sending bridge does not serve are dropped', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    b.bridge.putConference(CONFERENCE, conferenceSpec(2, ['a', 'b', 'c'], { 1: 'c', 2: 'b' }));
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    assert.equal(b.transport(2).rtp.length, 0);
  });

  test('an endpoint that leaves takes its sources with it', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
    b.bridge.putConference(CONFERENCE, conferenceSpec(2, ['b'], { 2: 'b' }));
    assert.deepEqual([...b.bridge.conferences.get(CONFERENCE)!.sources], []);
    b.bridge.putConference(CONFERENCE, conferenceSpec(3, ['a', 'b'], { 1: 'a', 2: 'b' }));
    b.run(200);
    a.receive(1, opusPacket({ ssrc: 77, sequence: 2 }));
    assert.equal(b.transport(2).rtp.length, 2, 'and brings them back when it returns');
  });
});

function dataPacket(text: string, destinationIdentities: string[] = []): Uint8Array {
  const value = new UserPacket({ payload: new TextEncoder().encode(text) });
  return new DataPacket({ destinationIdentities, value: { case: 'user', value } }).toBinary();
}

function textOf(bytes: Uint8Array): string {
  const { value } = DataPacket.fromBinary(bytes);
  return value.case === 'user' ? new TextDecoder().decode(value.value.payload) : '';
}
