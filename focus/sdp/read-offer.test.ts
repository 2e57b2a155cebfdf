import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { EndpointSpecSchema } from '../../protocol/control/spec.ts';
import {
  EXT_AUDIO_LEVEL,
  EXT_MID,
  EXT_REPAIRED_RID,
  EXT_RID,
  EXT_TRANSPORT_CC,
  EXT_VIDEO_ORIENTATION,
} from '../../protocol/rtp/table.ts';
import { type FixtureName, fixture } from './fixtures/load.ts';
import { type Offer, type OfferSection, publishes, subscribes } from './offer.ts';
import { readOffer } from './read-offer.ts';
import { SdpError } from './sdp-error.ts';

function section(offer: Offer, mid: string): OfferSection {
  const found = offer.sections.find(candidate => candidate.mid === mid);
  assert.ok(found, `section ${mid} is there`);
  return found;
}

/** What a focus would tell a bridge of this offer. */
function endpointSpec(offer: Offer) {
  const { ice, dtls, codecs, extensions } = offer;
  const sources = offer.sections.filter(publishes).map(({ kind, mid, rids, ssrcs, rtxSsrcs }, sourceId) => {
    return { sourceId, kind, mid, rids, ssrcs, rtxSsrcs, muted: false };
  });
  const base = { version: 1, identity: '', sid: '', iceGeneration: 0, projections: [], mayPublishData: true };
  return { ...base, ice, dtls, codecs, extensions, sources };
}

function refusal(sdp: string): string {
  try {
    readOffer(sdp);
  } catch (error) {
    assert.ok(error instanceof SdpError, `${error}`);
    return error.code;
  }
  return 'accepted';
}

test('the first offer of every SDK is data channels, three audio and three video sections to receive on', () => {
  for (const name of ['chromium-join', 'rtc-node-join'] as const) {
    const offer = readOffer(fixture(name));
    assert.equal(offer.sections.filter(({ kind }) => kind === 'audio').filter(subscribes).length, 3, name);
    assert.equal(offer.sections.filter(({ kind }) => kind === 'video').filter(subscribes).length, 3, name);
    assert.deepEqual(offer.sections.filter(publishes), [], name);
    assert.deepEqual(offer.data, { index: 6, mid: '6', isStopped: false, maxMessageBytes: 262_144 }, name);
    assert.deepEqual(offer.bundle, ['0', '1', '2', '3', '4', '5', '6'], name);
    assert.equal(offer.dtls.setup, 'actpass', name);
    assert.equal(offer.dtls.fingerprints[0].algorithm, 'sha-256', name);
    assert.match(offer.ice.ufrag, /^.{4}$/, name);
    assert.equal(offer.allowsMixedExtensions, true, name);
  }
});

test("the client's payload types are mapped to the codecs of the table, with their RTX", () => {
  assert.deepEqual(readOffer(fixture('chromium-join')).codecs, [
    { codec: 'opus', payloadType: 111, rtxPayloadType: null },
    { codec: 'red', payloadType: 63, rtxPayloadType: null },
    { codec: 'vp8', payloadType: 96, rtxPayloadType: 97 },
    { codec: 'h264', payloadType: 108, rtxPayloadType: 109 },
  ]);
  assert.deepEqual(readOffer(fixture('rtc-node-join')).codecs.at(-1), {
    codec: 'h264',
    payloadType: 109,
    rtxPayloadType: 114,
  });
});

test('header extensions that bridges understand are kept, the others dropped', () => {
  const { extensions } = readOffer(fixture('chromium-publish'));
  assert.deepEqual(
    extensions.map(({ uri }) => uri).toSorted(),
    [EXT_TRANSPORT_CC, EXT_VIDEO_ORIENTATION, EXT_MID, EXT_REPAIRED_RID, EXT_RID, EXT_AUDIO_LEVEL].toSorted(),
  );
  assert.equal(extensions.find(({ uri }) => uri === EXT_VIDEO_ORIENTATION)?.id, 13);
});

test('a published camera shows its track id and its simulcast RIDs in the order of the client', () => {
  const chromium = section(readOffer(fixture('chromium-publish')), '8');
  assert.deepEqual([chromium.direction, chromium.streamId, chromium.rids], ['sendonly', null, ['q', 'h', 'f']]);
  assert.equal(chromium.trackId, '204ffeba-334f-4b39-86aa-dd43e5056271');
  assert.deepEqual([chromium.ssrcs, chromium.rtxSsrcs], [[], []]);
  assert.deepEqual(section(readOffer(fixture('rtc-node-publish')), '8').rids, ['f', 'h', 'q']);
});

test('without simulcast the SSRC and its RTX are known from the FID group', () => {
  const camera = section(readOffer(fixture('chromium-h264')), '9');
  assert.deepEqual([camera.ssrcs, camera.rtxSsrcs], [[3731900698], [2900124223]]);
  const microphone = section(readOffer(fixture('chromium-h264')), '7');
  assert.equal(microphone.ssrcs.length, 1);
  assert.deepEqual(microphone.rtxSsrcs, []);
});

test('a SIM group orders the encodings of a section without RIDs', () => {
  const groups = 'a=ssrc-group:SIM 3731900698 7 9\r\na=ssrc:7 cname:x\r\na=ssrc:8 cname:x\r\na=ssrc:9 cname:x\r\n';
  const more = `${groups}a=ssrc:10 cname:x\r\na=ssrc-group:FID 7 8\r\na=ssrc-group:FID 9 10\r\n`;
  const camera = section(readOffer(`${fixture('chromium-h264')}${more}`), '9');
  assert.deepEqual(camera.ssrcs, [3731900698, 7, 9]);
  assert.deepEqual(camera.rtxSsrcs, [2900124223, 8, 10]);
});

test('an unpublished section keeps its lines, but names no stream', () => {
  assert.match(fixture('chromium-unpublish'), /a=msid:- 204ffeba\S+\r\na=inactive/);
  const gone = section(readOffer(fixture('chromium-unpublish')), '8');
  assert.deepEqual([gone.direction, gone.isStopped, gone.trackId, gone.rids], ['inactive', false, null, []]);
  const reusable = section(readOffer(fixture('rtc-node-unpublish')), '8');
  assert.deepEqual([subscribes(reusable), reusable.trackId, reusable.rids], [true, null, []]);
});

test('of the H.264 rows only packetization-mode 1 with a baseline profile is taken, constrained 3.1 before others', () => {
  const h264 = (sdp: string) => section(readOffer(sdp), '3').codecs.find(({ codec }) => codec === 'h264');
  const sdp = fixture('chromium-join');
  assert.equal(h264(sdp)?.fmtp.get('profile-level-id'), '42e01f');
  assert.equal(h264(sdp.replaceAll('=42e01f', '=42c01e'))?.fmtp.get('profile-level-id'), '42c01e');
  assert.equal(h264(sdp.replaceAll('=42e01f', '=64001f'))?.fmtp.get('profile-level-id'), '42001f');
  assert.equal(h264(sdp.replaceAll('packetization-mode=1', 'packetization-mode=0')), undefined);
});

test('RED is taken only as redundancy over the Opus of its section', () => {
  const codecs = (sdp: string) => section(readOffer(sdp), '0').codecs.map(({ codec }) => codec);
  const sdp = fixture('chromium-join');
  assert.deepEqual(codecs(sdp), ['opus', 'red']);
  assert.deepEqual(codecs(sdp.replaceAll('a=fmtp:63 111/111', 'a=fmtp:63 111/9')), ['opus']);
  assert.deepEqual(codecs(sdp.replaceAll('a=fmtp:63 111/111\r\n', '')), ['opus']);
});

test('a section is stopped when it is rejected, not bundled, not secure, or has no codec of ours', () => {
  const sdp = fixture('chromium-join');
  const isStopped = (changed: string) => section(readOffer(changed), '5').isStopped;
  const last = sdp.lastIndexOf('m=video 9');
  const change = (from: RegExp, to: string) => sdp.slice(0, last) + sdp.slice(last).replace(from, to);
  assert.equal(isStopped(sdp), false);
  assert.equal(isStopped(change(/m=video 9/, 'm=video 0')), true);
  assert.equal(isStopped(change(/m=video 9 UDP\/TLS\/RTP\/SAVPF/, 'm=video 9 RTP/AVPF')), true);
  assert.equal(isStopped(change(/a=rtcp-mux\r\n/, '')), true);
  assert.equal(isStopped(change(/SAVPF .*\r\n/, 'SAVPF 98 99\r\n')), true);
  assert.equal(isStopped(sdp.replace('BUNDLE 0 1 2 3 4 5 6', 'BUNDLE 0 1 2 3 4 6')), true);
});

test('a bundle-only section has port 0 and lives', () => {
  const sdp = fixture('chromium-join').replaceAll(/m=video 9 (.*\r\n)/g, 'm=video 0 $1a=bundle-only\r\n');
  assert.equal(readOffer(sdp).sections.filter(subscribes).length, 6);
});

test('a fingerprint at the session level counts, as Firefox writes it', () => {
  const [line] = fixture('chromium-join').match(/a=fingerprint:.*\r\n/) ?? [''];
  const sdp = fixture('chromium-join').replaceAll(line, '').replace('m=audio', `${line}m=audio`);
  assert.deepEqual(readOffer(sdp).dtls, readOffer(fixture('chromium-join')).dtls);
});

test('an offer that cannot be answered is refused by code', () => {
  const sdp = fixture('chromium-join');
  assert.equal(refusal(''), 'malformed');
  assert.equal(refusal('hello'), 'malformed');
  assert.equal(refusal(sdp.slice(0, sdp.indexOf('m='))), 'no-sections');
  assert.equal(refusal(sdp.replace('a=mid:0', 'a=mid:1')), 'duplicate-mid');
  assert.equal(refusal(sdp.replace('a=mid:0\r\n', '')), 'malformed');
  assert.equal(refusal(sdp.replace('a=mid:0', `a=mid:${'x'.repeat(17)}`)), 'malformed');
  assert.equal(refusal(sdp.replaceAll(/a=ice-pwd.*\r\n/g, '')), 'no-ice-credentials');
  assert.equal(refusal(sdp.replaceAll(/a=ice-ufrag:.*\r\n/g, 'a=ice-ufrag:a b\r\n')), 'no-ice-credentials');
  assert.equal(refusal(sdp.replaceAll(/a=fingerprint.*\r\n/g, 'a=fingerprint:sha-1 AB:CD\r\n')), 'no-fingerprint');
  assert.equal(refusal(sdp.replace('\r\na=', '\ra=')), 'malformed');
});

test('an offer has at most 1 MiB, 32768 lines and 512 sections', () => {
  const sdp = fixture('chromium-join');
  assert.equal(refusal(`${sdp}a=x:${'y'.repeat(1 << 20)}\r\n`), 'too-large');
  assert.equal(refusal(sdp + 'a=x\r\n'.repeat(32_768)), 'too-large');
  assert.equal(refusal(sdp + 'm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(505)), 'accepted');
  assert.equal(refusal(sdp + 'm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(506)), 'too-many-sections');
});

test('a refusal never quotes credentials', () => {
  const sdp = fixture('chromium-join').replaceAll(/a=fingerprint.*\r\n/g, '');
  const password = /a=ice-pwd:(\S+)/.exec(sdp)?.[1] ?? '';
  assert.throws(
    () => readOffer(sdp),
    error => error instanceof SdpError && !error.message.includes(password),
  );
});

test('a damaged offer is refused, or gives parameters that a bridge accepts', () => {
  const names: FixtureName[] = ['chromium-publish', 'rtc-node-publish', 'chromium-h264'];
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('drop', 'repeat', 'cut', 'garble', 'swap'),
    text: fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('-1', '0', '99999999999', 'NaN', '__proto__', '~;,')),
  });
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.array(edit, { minLength: 1, maxLength: 12 }), (name, edits) => {
      const lines = fixture(name).split('\r\n');
      for (const { at, kind, text } of edits) {
        const index = at % lines.length;
        const line = lines[index];
        if (kind === 'drop') lines.splice(index, 1);
        else if (kind === 'repeat') lines.splice(index, 0, line);
        else if (kind === 'cut') lines[index] = line.slice(0, at % (line.length + 1));
        else if (kind === 'garble') lines[index] = line.replace(/[^:= ]+$/, () => text);
        else lines.splice(at % lines.length, 0, ...lines.splice((at * 7) % lines.length, 1));
      }
      let offer: Offer;
      try {
        offer = readOffer(lines.join('\r\n'));
      } catch (error) {
        assert.ok(error instanceof SdpError, `${error}`);
        return;
      }
      assert.ok(Value.Check(EndpointSpecSchema, endpointSpec(offer)), JSON.stringify(endpointSpec(offer)));
    }),
    { numRuns: 200 },
  );
});
