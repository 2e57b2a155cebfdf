import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';
import { DATA_PACKET_BYTES_MAX } from '../../protocol/datachannel/data-packet.ts';
import { answerSdp } from './answer.fixture.ts';
import { readAnswer } from './read-answer.ts';
import { readOffer } from './read-offer.ts';
import { SdpError } from './sdp-error.ts';
import { type OutgoingOffer, writeOffer } from './write-offer.ts';

const TRANSPORT: Transport = {
  version: 1,
  ice: { ufrag: 'brdg', password: 'bridgebridgebridgebridge' },
  dtls: {
    setup: 'passive',
    fingerprint: { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') },
  },
  candidates: [
    { address: '192.0.2.1', port: 10_000, kind: 'host' },
    { address: '2001:db8::1', port: 10_000, kind: 'host' },
  ],
};
const AUDIO = { ssrc: 11, rtxSsrc: null, streamId: 'PA_ann|TR_mic', trackId: 'TR_mic' };
const VIDEO = { ssrc: 22, rtxSsrc: 23, streamId: 'PA_ann|TR_cam', trackId: 'TR_cam' };

const OFFER: OutgoingOffer = {
  sessionId: '7',
  sessionVersion: 3,
  transport: TRANSPORT,
  dataMid: '0',
  sections: [
    { mid: '1', kind: 'audio', track: AUDIO, isStereo: false },
    { mid: '2', kind: 'video', track: VIDEO, isStereo: false },
    { mid: '3', kind: 'video', track: null, isStereo: false },
  ],
};

test('an offer is one bundle: data first, then the sections in their order, on the transport of the bridge', () => {
  const { media, groups, icelite, origin } = parse(writeOffer(OFFER));
  assert.deepEqual(
    media.map(({ type, mid, direction }) => [type, String(mid), direction]),
    [
      ['application', '0', undefined],
      ['audio', '1', 'sendonly'],
      ['video', '2', 'sendonly'],
      ['video', '3', 'inactive'],
    ],
  );
  assert.deepEqual(groups, [{ type: 'BUNDLE', mids: '0 1 2 3' }]);
  assert.equal(icelite, 'ice-lite');
  assert.equal(`${origin?.sessionId} ${origin?.sessionVersion}`, '7 3');
  assert.deepEqual(
    media[0].candidates?.map(({ ip, port, type }) => `${ip} ${port} ${type}`),
    ['192.0.2.1 10000 host', '2001:db8::1 10000 host'],
  );
  for (const line of media) {
    assert.equal(`${line.iceUfrag} ${line.icePwd} ${line.setup}`, 'brdg bridgebridgebridgebridge actpass');
    assert.equal(line.fingerprint?.hash, TRANSPORT.dtls.fingerprint.value);
  }
  assert.equal(media[0].maxMessageSize, DATA_PACKET_BYTES_MAX);
});

test('a track is named by stream and id, with its SSRCs; an empty section names nothing', () => {
  const [, audio, video, empty] = parse(writeOffer(OFFER)).media;
  assert.equal(writeOffer(OFFER).split('a=msid:PA_ann|TR_mic TR_mic\r\n').length, 2, 'once, as a line of its own');
  assert.deepEqual(new Set(audio.ssrcs?.map(({ id }) => id)), new Set([11]));
  assert.deepEqual(new Set(video.ssrcs?.map(({ id }) => id)), new Set([22, 23]));
  assert.deepEqual(video.ssrcGroups, [{ semantics: 'FID', ssrcs: '22 23' }]);
  assert.deepEqual([empty.msid, empty.ssrcs, empty.ssrcGroups], [undefined, undefined, undefined]);
});

test('it says what a reader of offers understands: every codec we have, each video codec with its RTX', () => {
  const { sections, data, extensions } = readOffer(writeOffer(OFFER));
  assert.equal(data?.isStopped, false);
  assert.deepEqual(
    sections.map(({ isStopped, codecs }) => [isStopped, codecs.map(({ codec }) => codec)]),
    [
      [false, ['opus', 'red']],
      [false, ['vp8', 'h264']],
      [false, ['vp8', 'h264']],
    ],
  );
  for (const { codec, rtxPayloadType, feedback } of sections[1].codecs) {
    assert.notEqual(rtxPayloadType, null, codec);
    assert.deepEqual(new Set(feedback), new Set(['transport-cc', 'ccm fir', 'nack', 'nack pli']));
  }
  const ids = extensions.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test('stereo is announced for the track that has it, and only there', () => {
  const fmtpOf = (isStereo: boolean) =>
    parse(writeOffer({ ...OFFER, sections: [{ mid: '1', kind: 'audio', track: AUDIO, isStereo }] })).media[1].fmtp[0]
      .config;
  assert.match(fmtpOf(true), /sprop-stereo=1/);
  assert.doesNotMatch(fmtpOf(false), /stereo/);
});

test('without data the first section carries the candidates', () => {
  const { media } = parse(writeOffer({ ...OFFER, dataMid: null }));
  assert.equal(media[0].type, 'audio');
  assert.equal(media[0].candidates?.length, 2);
});

test("an answer gives the client's transport, its codecs, and the sections on which it receives", () => {
  const answer = readAnswer(answerSdp(writeOffer(OFFER), { rejected: ['1'], without: ['H264'] }));
  assert.equal(answer.ice.ufrag, 'rcvr');
  assert.equal(answer.dtls.setup, 'active');
  assert.deepEqual([...answer.receiving], ['2'], 'neither the rejected one nor the empty one');
  assert.deepEqual(answer.codecs, [{ codec: 'vp8', payloadType: 96, rtxPayloadType: 97 }]);
  assert.ok(answer.extensions.some(({ uri }) => uri.endsWith('sdes:mid')));
});

test('an answer that cannot be read is refused with what is wrong with it', () => {
  const cut = answerSdp(writeOffer(OFFER)).replace(/a=fingerprint:.*\r\n/g, '');
  assert.throws(() => readAnswer(cut), { code: 'no-fingerprint', message: /^the answer has no sha-256/ });
  assert.throws(() => readAnswer('nonsense'), SdpError);
});
