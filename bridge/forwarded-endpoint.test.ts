/** An endpoint of one conference that is heard in another: its media there, and what goes back to it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BridgeEvent } from '../protocol/control/events.ts';
import { type ConferenceId, type EndpointId, formatId } from '../protocol/ids.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_SR } from '../protocol/rtcp/packet.ts';
import { writeSenderReport } from '../protocol/rtcp/report.ts';
import { BridgeBox, CONFERENCE, conferenceSpec, endpointSpec } from './testing/bridge-box.ts';
import { opusPacket, vp8Packet } from './testing/packets.ts';
import { AUDIO, dataPacket, payloadOf, projection, rtcpOf, VIDEO } from './testing/vocabulary.ts';

/** Where the original is not. */
const ELSEWHERE = 8 as ConferenceId;
const FORWARDS = { conferenceId: formatId(CONFERENCE), endpointId: formatId(1 as EndpointId) };
const SOURCES = [AUDIO, VIDEO];
const RIDS = ['q', 'h', 'f'];

/** Endpoint 1 publishes in one conference, and is endpoint 5 of the other, where 6 watches. */
function world(order: 'original-first' | 'forwarded-first' = 'original-first') {
  const box = new BridgeBox('a');
  const steps = [() => box.put(1, { sources: SOURCES }), () => forward(box)];
  for (const step of order === 'original-first' ? steps : steps.reverse()) step();
  const viewer = box.put(6, { projections: SOURCES.map(source => projection(5, source)) }, ELSEWHERE);
  return { box, viewer };
}

function forward(box: BridgeBox, version = 1, sources = SOURCES): void {
  const spec = endpointSpec({ version, sources, forwards: FORWARDS });
  box.bridge.putEndpoint(box.nowMs, ELSEWHERE, 5 as EndpointId, spec);
}

/** A frame of each layer. */
function sendVideo(box: BridgeBox, sequence: number, isKeyFrame = false): void {
  for (const [layer, rid] of RIDS.entries()) {
    box.receive(1, vp8Packet({ ssrc: 40 + layer, sequence, mid: '1', rid, isKeyFrame, payload: `${sequence}${rid}` }));
  }
}

const eventsOf = <Kind extends BridgeEvent['kind']>(box: BridgeBox, kind: Kind, id: ConferenceId) =>
  box.events.filter(
    (event): event is Extract<BridgeEvent, { kind: Kind }> =>
      event.kind === kind && 'conferenceId' in event && event.conferenceId === formatId(id),
  );

for (const order of ['original-first', 'forwarded-first'] as const) {
  test(`what it sends is sent to those who watch in the other conference (${order})`, () => {
    const { box, viewer } = world(order);
    const here = box.put(2, { projections: SOURCES.map(source => projection(1, source)) });
    box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', payload: 'voice' }));
    sendVideo(box, 1, true);
    box.run(100);
    for (let sequence = 2; sequence <= 40; sequence++) {
      sendVideo(box, sequence, sequence % 5 === 0);
      box.run(50);
    }
    for (const transport of [here, viewer]) {
      const payloads = transport.rtp.map(payloadOf);
      assert.ok(payloads.includes('voice'));
      assert.match(payloads.at(-1)!, /40f$/);
    }
    const video = viewer.rtp.map(payloadOf).filter(payload => payload.endsWith('f'));
    assert.equal(new Set(video).size, video.length, 'each frame once');
  });
}

test('while nobody is forwarded, or when it has ended, nothing crosses', () => {
  const { box, viewer } = world();
  const send = (sequence: number) => box.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0' }));
  send(1);
  assert.equal(viewer.rtp.length, 1);
  box.bridge.deleteEndpoint(ELSEWHERE, 5 as EndpointId);
  send(2);
  assert.equal(viewer.rtp.length, 1);
  forward(box);
  send(3);
  assert.equal(viewer.rtp.length, 2, 'the same endpoint ID can be put again');
  box.bridge.deleteEndpoint(CONFERENCE, 1 as EndpointId);
  box.put(1, { sources: [AUDIO] });
  send(4);
  assert.equal(viewer.rtp.length, 3, 'an original that is put again is found again');
});

test('only sources that the other conference was told of are heard there', () => {
  const { box, viewer } = world();
  forward(box, 2, [VIDEO]);
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  assert.equal(viewer.rtp.length, 0);
  forward(box, 3, SOURCES);
  box.receive(1, opusPacket({ ssrc: 77, sequence: 2, mid: '0' }));
  assert.equal(viewer.rtp.length, 1);
});

test('a key frame that somebody needs in the other conference is asked of the publisher', () => {
  const { box } = world();
  for (let sequence = 1; sequence <= 10; sequence++) {
    sendVideo(box, sequence);
    box.run(50);
  }
  const asked = rtcpOf(box.transport(1), RTCP_PSFB, PSFB_PLI).map(({ mediaSsrc }) => mediaSsrc);
  assert.ok(asked.includes(42), `asked for ${asked.join()}`);
});

test('layers that only the other conference watches are needed, and not needed when it looks away', () => {
  const { box } = world();
  const run = (from: number, seconds: number) => {
    for (let sequence = from; sequence < from + seconds * 20; sequence++) {
      sendVideo(box, sequence, sequence % 20 === 0);
      box.run(50);
    }
  };
  const needed = () => eventsOf(box, 'needed-layers', CONFERENCE).at(-1)?.layers;
  run(1, 20);
  assert.equal(needed()! & 0b100, 0b100);
  const smaller = [projection(5, VIDEO, { layerMax: 0 })];
  box.put(6, { version: 2, projections: smaller }, ELSEWHERE);
  run(401, 10);
  assert.equal(needed(), 0b001);
  box.bridge.deleteEndpoint(ELSEWHERE, 5 as EndpointId);
  run(601, 10);
  assert.equal(needed(), 0);
  assert.deepEqual(eventsOf(box, 'needed-layers', ELSEWHERE), [], 'the focus is told of the publisher itself only');
});

test('muted is muted everywhere, whatever the other document says; what comes after is taken up anew', () => {
  const { box, viewer } = world();
  const send = (sequence: number) => box.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0' }));
  const mute = (version: number, muted: boolean) => box.put(1, { version, sources: [{ ...AUDIO, muted }, VIDEO] });
  send(1);
  mute(2, true);
  send(2);
  assert.equal(viewer.rtp.length, 1);
  mute(3, false);
  send(3);
  assert.equal(viewer.rtp.length, 2);
  forward(box, 2, [{ ...AUDIO, muted: true }, VIDEO]);
  send(4);
  assert.equal(viewer.rtp.length, 3);
});

test('who speaks is known in both conferences, each by its own endpoint', () => {
  const { box } = world();
  for (let sequence = 1; sequence <= 100; sequence++) {
    box.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0', level: 20 }));
    box.run(20);
  }
  const active = (id: ConferenceId) =>
    eventsOf(box, 'speakers', id)
      .at(-1)
      ?.speakers.filter(speaker => speaker.active)
      .map(({ endpointId }) => endpointId);
  assert.deepEqual([active(CONFERENCE), active(ELSEWHERE)], [['00000001'], ['00000005']]);
});

test('sender reports go where the media goes', () => {
  const { box, viewer } = world();
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  const report = Buffer.alloc(28);
  writeSenderReport(report, 0, 77, 3_900_000_000, 0, 960, 1, 4);
  box.receive(1, report);
  box.receive(1, opusPacket({ ssrc: 77, sequence: 2, mid: '0' }));
  box.run(1_500);
  assert.ok(rtcpOf(viewer, RTCP_SR).length > 0);
});

test('nobody measures it or sends it messages: it has no client', () => {
  const { box, viewer } = world();
  box.run(2_500);
  const measured = eventsOf(box, 'quality', ELSEWHERE).flatMap(({ endpoints }) => endpoints);
  assert.deepEqual([...new Set(measured.map(({ endpointId }) => endpointId))], ['00000006']);
  viewer.receiveData('reliable', dataPacket('hello'));
  assert.equal(box.transport(5, ELSEWHERE).data.length, 0);
  box.transport(1).receiveData('reliable', dataPacket('hello'));
  assert.equal(viewer.data.length, 0, 'messages of the original stay in its conference');
});

test('an endpoint is forwarded for good, or never', () => {
  const { box } = world();
  const put = (id: number, forwards?: typeof FORWARDS) => () =>
    box.bridge.putEndpoint(
      box.nowMs,
      ELSEWHERE,
      id as EndpointId,
      endpointSpec({ version: 9, ...(forwards === undefined ? {} : { forwards }) }),
    );
  assert.throws(put(5), { code: 'bad-request' });
  assert.throws(put(6, FORWARDS), { code: 'bad-request' });
  assert.throws(put(5, { ...FORWARDS, endpointId: '00000002' }), { code: 'bad-request' });
});

test('what is forwarded is not forwarded on: there is no circle', () => {
  const { box } = world();
  const third = 9 as ConferenceId;
  const forwards = { conferenceId: formatId(ELSEWHERE), endpointId: '00000005' };
  box.bridge.putEndpoint(box.nowMs, third, 7 as EndpointId, endpointSpec({ sources: [AUDIO], forwards }));
  const viewer = box.put(8, { projections: [projection(7, AUDIO)] }, third);
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  assert.equal(viewer.rtp.length, 0);
});

describe('with the other conference on two bridges', () => {
  test('media crosses the link, wants and key-frame requests come back over it', () => {
    const peers = new Map<string, BridgeBox>();
    const [a, b] = [new BridgeBox('a', peers), new BridgeBox('b', peers)];
    a.put(1, { sources: SOURCES });
    forward(a);
    const viewer = b.put(6, { projections: SOURCES.map(source => projection(5, source)) }, ELSEWHERE);
    for (const box of [a, b]) box.bridge.putConference(ELSEWHERE, conferenceSpec(1, ['a', 'b'], { 5: 'a', 6: 'b' }));
    for (let sequence = 1; sequence <= 40; sequence++) {
      a.receive(1, opusPacket({ ssrc: 77, sequence, mid: '0', payload: 'voice' }));
      sendVideo(a, sequence, sequence === 20);
      for (const box of [a, b]) box.run(50);
    }
    const payloads = viewer.rtp.map(payloadOf);
    assert.ok(payloads.includes('voice'));
    assert.match(payloads.filter(payload => payload.endsWith('f')).at(-1)!, /40f$/);
    assert.ok(rtcpOf(a.transport(1), RTCP_PSFB, PSFB_PLI).length > 0);
    a.relay.packets.fill(0);
    sendVideo(a, 41);
    assert.deepEqual(a.relay.packets, [0, 0, 1], 'only the watched layer crosses');
    const report = Buffer.alloc(28);
    writeSenderReport(report, 0, 77, 3_900_000_000, 0, 960, 1, 4);
    a.receive(1, report);
    b.run(1_500);
    assert.ok(rtcpOf(viewer, RTCP_SR).length > 0, 'and sender reports');
  });
});
