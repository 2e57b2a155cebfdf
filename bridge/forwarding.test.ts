import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSpec } from '../protocol/control/spec.ts';
import { writeNack, writePli } from '../protocol/rtcp/feedback.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_RTPFB, RTCP_SR, RTPFB_NACK, RTPFB_TRANSPORT_CC } from '../protocol/rtcp/packet.ts';
import { writeSenderReport } from '../protocol/rtcp/report.ts';
import { BridgeBox, CONFERENCE, type FakeTransport } from './testing/bridge-box.ts';
import { opusPacket, redPacket, vp8Packet } from './testing/packets.ts';
import { AUDIO, payloadOf, projection, rtcpOf, rtpOf, VIDEO } from './testing/vocabulary.ts';

describe('media through one bridge', () => {
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

  test('what a source went on sending while it was muted is not asked for again', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    const send = (sequence: number, isKeyFrame = false) =>
      box.receive(1, vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame }));
    send(1, true);
    box.put(1, { version: 2, sources: [{ ...VIDEO, muted: true }] });
    for (let sequence = 2; sequence <= 30; sequence++) if (sequence !== 20) send(sequence);
    box.put(1, { version: 3, sources: [VIDEO] });
    send(31, true);
    box.run(500);
    assert.equal(rtcpOf(box.transport(1), RTCP_RTPFB, RTPFB_NACK).length, 0);
    assert.equal(viewer.rtp.length, 2);
  });

  test('a picture that is disabled and enabled again begins under numbers of its own, even where it begins in the past', () => {
    const box = new BridgeBox('a');
    box.put(1, { sources: [VIDEO] });
    const viewer = box.put(2, { projections: [projection(1, VIDEO)] });
    for (let sequence = 1; sequence <= 3; sequence++) {
      box.receive(1, vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame: sequence === 1 }));
    }
    box.put(2, { version: 2, projections: [projection(1, VIDEO, { enabled: false })] });
    box.run(20);
    box.put(2, { version: 3, projections: [projection(1, VIDEO)] });
    box.run(20);
    box.receive(1, vp8Packet({ ssrc: 31, sequence: 4 }));
    const sequences = viewer.rtp.map(datagram => rtpOf(datagram).sequence);
    assert.deepEqual(
      sequences,
      [0, 1, 2, 3, 4, 5, 6].map(step => (sequences[0] + step) & 0xffff),
    );
    const timestamps = viewer.rtp.map(datagram => rtpOf(datagram).timestamp);
    for (let at = 1; at < timestamps.length; at++) assert.ok(((timestamps[at] - timestamps[at - 1]) | 0) > 0);
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
});
