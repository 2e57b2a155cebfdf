import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, type SessionDescription } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';
import { type FixtureName, fixture } from './fixtures/load.ts';
import { readOffer } from './read-offer.ts';
import { type SectionPlan, writeAnswer } from './write-answer.ts';

const TRANSPORT: Transport = {
  version: 1,
  ice: { ufrag: 'bridge', password: 'a-password-of-the-bridge' },
  dtls: { setup: 'passive', fingerprint: { algorithm: 'sha-256', value: Array(32).fill('AB').join(':') } },
  candidates: [
    { address: '203.0.113.7', port: 10_000, kind: 'srflx' },
    { address: '2001:db8::7', port: 10_000, kind: 'host' },
  ],
};

const TRACK = { ssrc: 1111, rtxSsrc: 2222, streamId: 'PA_alice|TR_camera', trackId: 'TR_camera' };
const RECEIVE: SectionPlan = { receive: true, send: null };
const SEND: SectionPlan = { receive: false, send: TRACK };

function answer(name: FixtureName, plans: Record<string, SectionPlan>, change = (sdp: string) => sdp): string {
  return writeAnswer(readOffer(change(fixture(name))), TRANSPORT, new Map(Object.entries(plans)));
}

/** Lines of the section with this mid, its m-line first. */
function linesOf(sdp: string, mid: string): string[] {
  const section = sdp.split(/(?=^m=)/m).find(part => part.includes(`\r\na=mid:${mid}\r\n`));
  assert.ok(section, `section ${mid} is answered`);
  return section.trimEnd().split('\r\n');
}

test('a subscribed video track is offered to the client with its SSRCs, RTX and feedback', () => {
  const lines = linesOf(answer('chromium-join', { 3: SEND }), '3');
  assert.deepEqual(lines.toSorted(), [
    'a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
    'a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
    'a=extmap:13 urn:3gpp:video-orientation',
    'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
    'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
    `a=fingerprint:sha-256 ${TRANSPORT.dtls.fingerprint.value}`,
    'a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
    'a=fmtp:109 apt=108',
    'a=fmtp:97 apt=96',
    'a=ice-pwd:a-password-of-the-bridge',
    'a=ice-ufrag:bridge',
    'a=mid:3',
    'a=msid:PA_alice|TR_camera TR_camera',
    'a=rtcp-fb:108 ccm fir',
    'a=rtcp-fb:108 nack',
    'a=rtcp-fb:108 nack pli',
    'a=rtcp-fb:108 transport-cc',
    'a=rtcp-fb:96 ccm fir',
    'a=rtcp-fb:96 nack',
    'a=rtcp-fb:96 nack pli',
    'a=rtcp-fb:96 transport-cc',
    'a=rtcp-mux',
    'a=rtcp-rsize',
    'a=rtpmap:108 H264/90000',
    'a=rtpmap:109 rtx/90000',
    'a=rtpmap:96 VP8/90000',
    'a=rtpmap:97 rtx/90000',
    'a=sendonly',
    'a=setup:passive',
    'a=ssrc-group:FID 1111 2222',
    'a=ssrc:1111 cname:PA_alice',
    'a=ssrc:1111 msid:PA_alice|TR_camera TR_camera',
    'a=ssrc:2222 cname:PA_alice',
    'a=ssrc:2222 msid:PA_alice|TR_camera TR_camera',
    'c=IN IP4 0.0.0.0',
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97 108 109',
  ]);
});

test('a published camera is received on all of its RIDs, in its preferred codec alone', () => {
  const lines = linesOf(answer('chromium-publish', { 8: { ...RECEIVE, codecPreference: ['h264', 'vp8'] } }), '8');
  assert.equal(lines[0], 'm=video 9 UDP/TLS/RTP/SAVPF 108 109');
  assert.ok(lines.includes('a=recvonly'));
  assert.ok(lines.includes('a=simulcast:recv q;h;f'));
  for (const rid of ['q', 'h', 'f']) assert.ok(lines.includes(`a=rid:${rid} recv`));
  assert.ok(!lines.some(line => line.startsWith('a=msid') || line.startsWith('a=ssrc')));
});

test('without a preference, and on a section that we send on, all codecs are answered in the order of the client', () => {
  assert.equal(
    linesOf(answer('chromium-publish', { 8: RECEIVE }), '8')[0],
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97 108 109',
  );
  const plan: SectionPlan = { ...SEND, codecPreference: ['h264'] };
  assert.equal(linesOf(answer('chromium-join', { 3: plan }), '3')[0], 'm=video 9 UDP/TLS/RTP/SAVPF 108 109 96 97');
});

test('a microphone sends what is preferred first, and keeps the rest', () => {
  const mLine = (preference: SectionPlan['codecPreference']) =>
    linesOf(answer('chromium-publish', { 7: { ...RECEIVE, codecPreference: preference } }), '7')[0];
  assert.equal(mLine(['red', 'opus']), 'm=audio 9 UDP/TLS/RTP/SAVPF 63 111');
  assert.equal(mLine(['opus']), 'm=audio 9 UDP/TLS/RTP/SAVPF 111 63');
});

test('Opus is asked for stereo and DTX by the plan, never by what the client offers to receive', () => {
  const stereoOffered = (sdp: string) => sdp.replaceAll('useinbandfec=1', 'useinbandfec=1;stereo=1');
  const opus = (plan: SectionPlan) =>
    linesOf(answer('chromium-publish', { 7: plan, 0: plan }, stereoOffered), plan.receive ? '7' : '0').find(line =>
      line.startsWith('a=fmtp:111'),
    );
  assert.equal(opus(RECEIVE), 'a=fmtp:111 minptime=10;useinbandfec=1');
  assert.equal(
    opus({ ...RECEIVE, opus: { stereo: true, dtx: true } }),
    'a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=1;maxaveragebitrate=510000',
  );
  assert.equal(
    opus({ ...SEND, opus: { stereo: true, dtx: true } }),
    'a=fmtp:111 minptime=10;useinbandfec=1;sprop-stereo=1',
  );
});

test('NACK is answered for audio, so that clients keep and ask for lost packets', () => {
  const lines = linesOf(answer('rtc-node-publish', { 7: RECEIVE }), '7');
  assert.ok(lines.includes('a=rtcp-fb:111 nack'));
  assert.ok(lines.includes('a=rtcp-fb:111 transport-cc'));
});

test('the start bit rate that a client asks for reaches its encoder', () => {
  const hinted = (sdp: string) =>
    sdp.replaceAll(
      'a=rtpmap:96 VP8/90000',
      'a=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=800;max-fs=12288',
    );
  const fmtp = (name: FixtureName, mid: string, plan: SectionPlan) =>
    linesOf(answer(name, { [mid]: plan }, hinted), mid).filter(line => line.startsWith('a=fmtp:96'));
  assert.deepEqual(fmtp('chromium-join', '3', SEND), []);
  assert.deepEqual(fmtp('rtc-node-publish', '8', RECEIVE).length, 1);
  assert.match(fmtp('rtc-node-publish', '8', RECEIVE)[0], /^a=fmtp:96 x-google-start-bitrate=\d+$/);
});

test('a track has no RTX on a section that was offered none', () => {
  assert.equal(linesOf(answer('rtc-node-unpublish', { 8: SEND }), '8')[0], 'm=video 9 UDP/TLS/RTP/SAVPF 96');
  const lines = linesOf(answer('rtc-node-unpublish', { 8: SEND }), '8');
  assert.ok(lines.includes('a=ssrc:1111 cname:PA_alice'));
  assert.ok(!lines.some(line => line.includes('2222')));
});

test('a stopped section is answered with port 0, outside the bundle', () => {
  const withoutCodec = (sdp: string) => sdp.replaceAll(/(VP8|H264)\/90000/g, 'H266/90000');
  const sdp = answer('chromium-join', { 0: SEND, 3: SEND }, withoutCodec);
  assert.match(linesOf(sdp, '3')[0], /^m=video 0 UDP\/TLS\/RTP\/SAVPF 96$/);
  assert.ok(linesOf(sdp, '3').includes('a=inactive'));
  assert.match(sdp, /\r\na=group:BUNDLE 0 1 2 6\r\n/);
  assert.ok(!linesOf(sdp, '3').some(line => line.startsWith('a=ice-')));
});

test('media that we do not know is refused in its place', () => {
  const added = (sdp: string) =>
    `${sdp}m=text 9 RTP/AVP 98\r\na=mid:t\r\nm=application 9 UDP/DTLS/SCTP other\r\na=mid:u\r\n`;
  const { media } = parse(answer('chromium-join', {}, added));
  assert.deepEqual(
    media.slice(-2).map(({ type, port, protocol, payloads, mid }) => [type, port, protocol, payloads, mid]),
    [
      ['text', 0, 'RTP/AVP', 98, 't'],
      ['application', 0, 'UDP/DTLS/SCTP', 'other', 'u'],
    ],
  );
});

test('the first live section, and no other, has the candidates and their end', () => {
  for (const rejected of [false, true]) {
    const change = (sdp: string) => (rejected ? sdp.replace('m=audio 9', 'm=audio 0') : sdp);
    const sdp = answer('chromium-join', {}, change);
    assert.deepEqual(sdp.match(/a=(candidate|end-of).*/g), [
      'a=candidate:1 1 udp 2130706431 203.0.113.7 10000 typ host',
      'a=candidate:2 1 udp 2130706175 2001:db8::7 10000 typ host',
      'a=end-of-candidates',
    ]);
    assert.ok(linesOf(sdp, rejected ? '1' : '0').includes('a=end-of-candidates'));
  }
});

test('data channels are answered with the SCTP port and the largest message we take', () => {
  const lines = linesOf(answer('chromium-join', {}), '6');
  assert.equal(lines[0], 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel');
  assert.ok(lines.includes('a=sctp-port:5000'));
  assert.ok(lines.includes('a=max-message-size:73728'));
  assert.ok(!lines.some(line => /^a=(inactive|send|recv)/.test(line)));
});

test('an extension offered in one direction is answered in the other', () => {
  const oneWay = (sdp: string) => sdp.replaceAll(/a=extmap:1 (\S+audio-level)/g, 'a=extmap:1/recvonly $1');
  const lines = linesOf(answer('chromium-join', { 0: SEND }, oneWay), '0');
  assert.ok(lines.includes('a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level'));
});

test('the agent is ICE-lite, and a newer offer gets a newer answer', () => {
  const [first, second] = [answer('chromium-join', {}), answer('chromium-publish', {})].map(parse);
  assert.equal(first.icelite, 'ice-lite');
  assert.equal(String(first.origin.sessionId), String(second.origin.sessionId));
  assert.ok(second.origin.sessionVersion > first.origin.sessionVersion);
});

const NAMES: FixtureName[] = [
  'chromium-join',
  'chromium-publish',
  'chromium-unpublish',
  'chromium-h264',
  'chromium-more-sections',
  'rtc-node-join',
  'rtc-node-publish',
  'rtc-node-unpublish',
];

const planShape = fc.record({
  receive: fc.boolean(),
  send: fc.option(fc.constant(TRACK)),
  codecPreference: fc.option(fc.uniqueArray(fc.constantFrom('opus', 'red', 'vp8', 'h264')), { nil: undefined }),
  opus: fc.option(fc.record({ stereo: fc.boolean(), dtx: fc.boolean() }), { nil: undefined }),
});

/** What RFC 3264 section 6 and RFC 9143 section 7.3 ask of any answer. */
function checkAgainst(offer: SessionDescription, answered: SessionDescription): void {
  assert.deepEqual(
    answered.media.map(({ type, mid, protocol }) => [type, mid, protocol]),
    offer.media.map(({ type, mid, protocol }) => [type, mid, protocol]),
  );
  const live = answered.media.filter(({ port }) => port !== 0).map(({ mid }) => String(mid));
  assert.deepEqual(String(answered.groups?.[0].mids).split(' '), live);
  for (const [index, line] of answered.media.entries()) {
    const offered = offer.media[index];
    if (line.type === 'application' || line.port === 0) continue;
    const payloads = (text: string | undefined) => String(text).split(' ');
    assert.ok(payloads(line.payloads).every(payload => payloads(offered.payloads).includes(payload)));
    for (const { payload, codec } of line.rtp) {
      assert.ok(
        offered.rtp.some(map => map.payload === payload && map.codec === codec),
        'same codec, same number',
      );
    }
    for (const { value, uri } of line.ext ?? []) {
      assert.ok(
        offered.ext?.some(ext => ext.value === value && ext.uri === uri),
        'same extension, same id',
      );
    }
    const sends = line.direction === 'sendonly' || line.direction === 'sendrecv';
    const receives = line.direction === 'recvonly' || line.direction === 'sendrecv';
    assert.ok(!sends || /recv/.test(offered.direction ?? ''), 'we send what the client receives');
    assert.ok(!receives || /send/.test(offered.direction ?? ''), 'we receive what the client sends');
    assert.equal(line.msid !== undefined, sends);
  }
}

test('whatever is planned, the answer fits the offer', () => {
  fc.assert(
    fc.property(fc.constantFrom(...NAMES), fc.dictionary(fc.nat({ max: 11 }).map(String), planShape), (name, plans) => {
      const sdp = fixture(name);
      const written = writeAnswer(readOffer(sdp), TRANSPORT, new Map(Object.entries(plans)));
      checkAgainst(parse(sdp), parse(written));
      assert.ok(written.endsWith('\r\n') && !/undefined|null|NaN|%/.test(written));
    }),
  );
});
