import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSpec } from '../protocol/control/spec.ts';
import type { EndpointId } from '../protocol/ids.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_SR } from '../protocol/rtcp/packet.ts';
import { writeSenderReport } from '../protocol/rtcp/report.ts';
import { BridgeBox, CONFERENCE, conferenceSpec } from './testing/bridge-box.ts';
import { opusPacket, vp8Packet } from './testing/packets.ts';
import { AUDIO, dataPacket, payloadOf, projection, rtcpOf, textOf, VIDEO } from './testing/vocabulary.ts';

describe('media and messages between two bridges', () => {
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

  test('who moves to the other bridge is heard there once, by those here and there, whichever document comes first', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    a.put(3, { identity: 'user-3', projections: [projection(1, AUDIO)] });
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', payload: 'before' }));
    b.put(1, { sources: [AUDIO, VIDEO], identity: 'user-1' });
    b.receive(1, opusPacket({ ssrc: 77, sequence: 2, mid: '0', payload: 'too early' }));
    assert.deepEqual(b.transport(2).rtp.map(payloadOf), ['before'], 'the document has it at a');
    for (const box of [b, a])
      box.bridge.putConference(CONFERENCE, conferenceSpec(2, ['a', 'b'], { 1: 'b', 2: 'b', 3: 'a' }));
    a.bridge.deleteEndpoint(CONFERENCE, 1 as EndpointId);
    a.run(50);
    b.receive(1, opusPacket({ ssrc: 77, sequence: 3, payload: 'after' }));
    assert.deepEqual(b.transport(2).rtp.map(payloadOf), ['before', 'after']);
    assert.deepEqual(a.transport(3).rtp.map(payloadOf), ['before', 'after']);
  });

  test('a packet that a link has put together again is plain bytes, and forwarded like any other', () => {
    const { a, b } = mesh({ projections: [projection(1, AUDIO)] });
    const { relay } = a;
    const { sendPacket } = relay;
    relay.sendPacket = (link, ...rest) => {
      const plain = Uint8Array.from(rest[5].subarray(rest[6], rest[6] + rest[7]));
      b.intake.onRelayedPacket(a.id, rest[0], rest[1], rest[2], rest[3], plain, 0, plain.length);
      b.ingress.endBurst();
      relay.sendPacket = sendPacket;
      assert.equal(link.peerId, 'b');
    };
    a.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', payload: 'repaired' }));
    a.receive(1, opusPacket({ ssrc: 77, sequence: 2, payload: 'next' }));
    assert.deepEqual(b.transport(2).rtp.map(payloadOf), ['repaired', 'next']);
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

  /** A subscriber at b that shows the largest layer; `askedAgain` says how many key frames a's publisher has been asked for since the last call. */
  function watching() {
    const { a, b } = mesh({ projections: [projection(1, VIDEO)] });
    const send = (sequence: number) =>
      a.receive(1, vp8Packet({ ssrc: 31, sequence, mid: '1', rid: 'f', isKeyFrame: sequence === 1 }));
    for (let sequence = 1; sequence <= 20; sequence++) {
      send(sequence);
      a.run(50);
      b.run(50);
    }
    let seen = 0;
    const askedAgain = () => {
      const plis = rtcpOf(a.transport(1), RTCP_PSFB, PSFB_PLI).length;
      const more = plis - seen;
      seen = plis;
      return more;
    };
    askedAgain();
    return { a, b, send, askedAgain };
  }

  test('when a link is up again, each end sees to a key frame and waits for nobody to ask', () => {
    const { a, b, askedAgain } = watching();
    a.intake.onLinkState(b.id, 'up');
    a.run(20);
    assert.equal(askedAgain(), 1, 'the sending end');
    a.receive(1, vp8Packet({ ssrc: 31, sequence: 21, isKeyFrame: true }));
    a.run(1000);
    b.run(1000);
    assert.equal(askedAgain(), 0);
    b.intake.onLinkState(a.id, 'up');
    b.run(20);
    a.run(20);
    assert.equal(askedAgain(), 1, 'the receiving end');
  });

  test('a picture that a loss on the link has left with a hole gets a key frame, a whole one does not', () => {
    const { a, b, send, askedAgain } = watching();
    b.intake.onFramesLost(a.id);
    b.run(20);
    a.run(20);
    assert.equal(askedAgain(), 0, 'what was lost is not of this picture');
    send(22);
    b.intake.onFramesLost(a.id);
    b.run(20);
    a.run(20);
    assert.equal(askedAgain(), 1);
  });

  test('a hole that a late packet fills, or a key frame ends, needs no key frame', () => {
    const { a, b, send, askedAgain } = watching();
    const tellLoss = () => {
      b.intake.onFramesLost(a.id);
      b.run(20);
      a.run(20);
      return askedAgain();
    };
    send(22);
    send(21);
    assert.equal(tellLoss(), 0);
    send(24);
    a.receive(1, vp8Packet({ ssrc: 31, sequence: 25, isKeyFrame: true }));
    assert.equal(tellLoss(), 0);
  });

  test('a path that loses all the time is not answered with a storm of key frames', () => {
    const { a, b, send, askedAgain } = watching();
    for (let sequence = 22; sequence < 22 + 2 * 160; sequence += 2) {
      if (sequence % 10 === 2) a.receive(1, vp8Packet({ ssrc: 31, sequence, isKeyFrame: true }));
      else send(sequence);
      b.intake.onFramesLost(a.id);
      a.run(50);
      b.run(50);
    }
    const asked = askedAgain();
    assert.ok(asked >= 2 && asked <= 4, `${asked} in 8 s`);
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
