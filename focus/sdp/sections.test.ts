import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixture } from './fixtures/load.ts';
import type { Offer, OfferedCodec, OfferSection } from './offer.ts';
import { readOffer } from './read-offer.ts';
import { assignSections, type WantedTrack } from './sections.ts';

const audio = (key: string): WantedTrack<string> => ({ key, kind: 'audio', codec: 'opus' });
const video = (key: string): WantedTrack<string> => ({ key, kind: 'video', codec: 'vp8' });

test('tracks take sections of their kind in the order of the offer', () => {
  const offer = readOffer(fixture('chromium-join'));
  const { assigned, missing, unsupported } = assignSections(offer, new Map(), [video('v1'), audio('a1'), video('v2')]);
  assert.deepEqual(Object.fromEntries(assigned), { v1: '3', a1: '0', v2: '4' });
  assert.deepEqual(missing, { audio: 0, video: 0 });
  assert.deepEqual(unsupported, []);
});

test('what does not fit is counted by kind', () => {
  const offer = readOffer(fixture('chromium-join'));
  const wanted = [video('1'), video('2'), video('3'), video('4'), video('5'), ...['a', 'b', 'c', 'd'].map(audio)];
  const { assigned, missing } = assignSections(offer, new Map(), wanted);
  assert.equal(assigned.size, 6);
  assert.deepEqual(missing, { audio: 1, video: 2 });
});

test('a section that nothing used is preferred to one that another track just left', () => {
  const offer = readOffer(fixture('chromium-join'));
  const { assigned } = assignSections(offer, new Map([['old', '3']]), [video('new')]);
  assert.equal(assigned.get('new'), '4');
  const full = new Map([
    ['old', '3'],
    ['b', '4'],
    ['c', '5'],
  ]);
  assert.equal(assignSections(offer, full, [video('b'), video('c'), video('new')]).assigned.get('new'), '3');
});

test('sections on which the client only publishes carry nothing', () => {
  const offer = readOffer(fixture('chromium-publish'));
  const wanted = ['a', 'b', 'c', 'd'].map(audio);
  const { assigned, missing } = assignSections(offer, new Map(), wanted);
  assert.deepEqual([...assigned.values()], ['0', '1', '2']);
  assert.equal(missing.audio, 1);
});

test('a track moves when its section no longer receives', () => {
  const offer = readOffer(fixture('chromium-unpublish'));
  assert.equal(assignSections(offer, new Map([['v', '8']]), [video('v')]).assigned.get('v'), '3');
});

test('a section narrowed to one codec takes no track of another', () => {
  const offer = readOffer(fixture('rtc-node-unpublish'));
  const current = new Map([
    ['a', '3'],
    ['b', '4'],
    ['c', '5'],
  ]);
  const others = [video('a'), video('b'), video('c')];
  assert.equal(assignSections(offer, current, [...others, video('d')]).assigned.get('d'), '8');
  const h264 = assignSections(offer, current, [...others, { key: 'd', kind: 'video', codec: 'h264' }]);
  assert.equal(h264.assigned.has('d'), false);
  assert.deepEqual(h264.missing, { audio: 0, video: 1 });
});

test('a codec that the client never receives asks for no section', () => {
  const sdp = fixture('chromium-join').replaceAll('H264/90000', 'H266/90000');
  const { missing, unsupported } = assignSections(readOffer(sdp), new Map(), [
    { key: 'x', kind: 'video', codec: 'h264' },
  ]);
  assert.deepEqual(missing, { audio: 0, video: 0 });
  assert.deepEqual(unsupported, ['x']);
});

const VP8: OfferedCodec = {
  codec: 'vp8',
  payloadType: 96,
  rtxPayloadType: null,
  clockRateHz: 90_000,
  channels: 1,
  fmtp: new Map(),
  feedback: [],
};
const OPUS: OfferedCodec = { ...VP8, codec: 'opus', payloadType: 111, clockRateHz: 48_000, channels: 2 };

const sectionShape = fc.record({
  kind: fc.constantFrom('audio', 'video'),
  direction: fc.constantFrom('sendrecv', 'sendonly', 'recvonly', 'recvonly', 'inactive'),
  isStopped: fc.boolean(),
});

function offerOf(shapes: readonly Pick<OfferSection, 'kind' | 'direction' | 'isStopped'>[]): Offer {
  const template = readOffer(fixture('chromium-join'));
  const sections = shapes.map(
    (shape, index): OfferSection => ({
      ...template.sections[0],
      ...shape,
      index,
      mid: String(index),
      codecs: [shape.kind === 'audio' ? OPUS : VP8],
    }),
  );
  return { ...template, sections };
}

test('whatever comes and goes, assignments are stable, exclusive, of their kind and complete', () => {
  const steps = fc.array(
    fc.record({ shapes: fc.array(sectionShape, { maxLength: 12 }), keys: fc.uniqueArray(fc.nat({ max: 11 })) }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(steps, history => {
      let current: ReadonlyMap<number, string> = new Map();
      for (const { shapes, keys } of history) {
        const offer = offerOf(shapes);
        const wanted = keys.map(
          (key): WantedTrack<number> => (key % 2 === 0 ? { key, kind: 'audio' } : { key, kind: 'video' }),
        );
        const { assigned, missing } = assignSections(offer, current, wanted);
        const bySection = new Map(offer.sections.map(section => [section.mid, section]));
        const receiving = (kind: string) =>
          offer.sections.filter(s => !s.isStopped && s.kind === kind && /recv/.test(s.direction)).length;

        assert.equal(new Set(assigned.values()).size, assigned.size, 'a section carries one track');
        for (const { key, kind } of wanted) {
          const section = bySection.get(assigned.get(key) ?? '');
          if (section !== undefined) {
            assert.equal(section.kind, kind);
            assert.ok(!section.isStopped && /recv/.test(section.direction));
          }
          const before = bySection.get(current.get(key) ?? '');
          if (before?.kind === kind && !before.isStopped && /recv/.test(before.direction)) {
            assert.equal(assigned.get(key), before.mid, 'a track keeps its section');
          }
        }
        for (const kind of ['audio', 'video'] as const) {
          const demand = wanted.filter(track => track.kind === kind).length;
          assert.equal(missing[kind], Math.max(0, demand - receiving(kind)), 'no track waits while a section is free');
        }
        current = assigned;
      }
    }),
  );
});
