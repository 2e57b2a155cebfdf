import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture } from './fixtures/load.ts';
import { matchSection } from './match-section.ts';
import { readOffer } from './read-offer.ts';

test('the cid of the browser SDK and of the Rust SDK is the track id of the msid', () => {
  for (const name of ['chromium-publish', 'rtc-node-publish'] as const) {
    const offer = readOffer(fixture(name));
    for (const [mid, kind] of [
      ['7', 'audio'],
      ['8', 'video'],
    ] as const) {
      const cid = offer.sections.find(section => section.mid === mid)?.trackId;
      assert.ok(cid, `${name} names its tracks`);
      assert.equal(matchSection(offer, cid, kind)?.mid, mid);
      assert.equal(matchSection(offer, cid, kind === 'audio' ? 'video' : 'audio')?.mid, mid === '7' ? '8' : '7');
    }
  }
});

test('a cid may be the stream id', () => {
  const offer = readOffer(fixture('chromium-publish').replaceAll('a=msid:- ', 'a=msid:stream-of-it '));
  assert.equal(matchSection(offer, 'stream-of-it', 'video')?.mid, '8');
});

test('braces around an id do not matter', () => {
  const offer = readOffer(fixture('chromium-publish').replace(/a=msid:- (\S+)/g, 'a=msid:{s} {$1}'));
  const section = offer.sections.find(({ mid }) => mid === '8');
  assert.equal(section?.streamId, '{s}');
  assert.equal(matchSection(offer, (section?.trackId ?? '').slice(1, -1), 'video')?.mid, '8');
});

test('an unknown cid takes the first free section of its kind', () => {
  const offer = readOffer(fixture('chromium-publish'));
  assert.equal(matchSection(offer, 'made-up', 'video')?.mid, '8');
  assert.equal(matchSection(offer, 'made-up', 'video', new Set(['8'])), undefined);
});

test('an unknown cid leaves a section to the track that it names', () => {
  const offer = readOffer(fixture('chromium-publish'));
  const camera = offer.sections.find(({ mid }) => mid === '8')?.trackId ?? '';
  assert.equal(matchSection(offer, 'made-up', 'video', new Set(), new Set([camera, 'made-up'])), undefined);
});

test('what was unpublished matches nothing', () => {
  const cid = readOffer(fixture('chromium-publish')).sections.find(({ mid }) => mid === '8')?.trackId ?? '';
  const later = fixture('chromium-unpublish').replace(/a=msid:- \S+(\r\na=inactive)/, `a=msid:- ${cid}$1`);
  assert.equal(matchSection(readOffer(later), cid, 'video'), undefined);
});
