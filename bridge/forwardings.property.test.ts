/** Originals and those they are forwarded as come, change and go in any order: an echo has its original exactly while both are there and alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SourceSpec } from '../protocol/control/spec.ts';
import { type ConferenceId, type EndpointId, formatId } from '../protocol/ids.ts';
import type { Source } from './source.ts';
import { BridgeBox, CONFERENCE, endpointSpec } from './testing/bridge-box.ts';
import { opusPacket } from './testing/packets.ts';
import { AUDIO, VIDEO } from './testing/vocabulary.ts';

const ROOMS = [CONFERENCE, 8 as ConferenceId, 9 as ConferenceId];
const FORWARDS = { conferenceId: formatId(CONFERENCE), endpointId: formatId(1 as EndpointId) };
const NARROW: SourceSpec = { ...VIDEO, rids: [] };

const sources = fc
  .tuple(
    fc.constantFrom<SourceSpec | null>(null, AUDIO),
    fc.constantFrom<SourceSpec | null>(null, VIDEO, NARROW),
    fc.boolean(),
  )
  .map(([audio, video, muted]) => [audio, video].flatMap(source => (source === null ? [] : [{ ...source, muted }])));
/** In the first room is the original; in the others it is forwarded. Null: it goes. */
const step = fc.record({ room: fc.nat({ max: 2 }), sources: fc.option(sources, { freq: 2 }), packet: fc.boolean() });

function sourcesOf(box: BridgeBox, id: ConferenceId): Source[] {
  return [...(box.bridge.conferences.get(id)?.endpoints.get(1 as EndpointId)?.sources ?? [])].map(
    ({ source }) => source,
  );
}

test('whatever comes and goes, echoes and originals know each other, and nobody who is not there', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const box = new BridgeBox('a');
      let version = 0;
      let sequence = 0;
      for (const { room, sources, packet } of steps) {
        const id = ROOMS[room];
        const forwards = room === 0 ? {} : { forwards: FORWARDS };
        if (sources === null) box.bridge.deleteEndpoint(id, 1 as EndpointId);
        else {
          const spec = endpointSpec({ version: ++version, sources, ...forwards });
          box.bridge.putEndpoint(box.nowMs, id, 1 as EndpointId, spec);
        }
        const originals = sourcesOf(box, CONFERENCE);
        const echoes = ROOMS.slice(1).flatMap(other => sourcesOf(box, other));
        for (const echo of echoes) {
          const alike = originals.find(
            ({ sourceId, layers }) => sourceId === echo.sourceId && layers.length === echo.layers.length,
          );
          assert.equal(echo.origin, alike);
          if (alike !== undefined) assert.equal(echo.isMuted, alike.isMuted);
        }
        for (const original of originals) {
          assert.deepEqual(new Set(original.echoes), new Set(echoes.filter(({ origin }) => origin === original)));
        }
        if (packet && originals.length > 0) {
          box.receive(1, opusPacket({ ssrc: 77, sequence: ++sequence, mid: '0' }));
          const heard = originals.find(({ kind, isMuted }) => kind === 'audio' && !isMuted);
          for (const echo of heard?.echoes ?? []) {
            assert.equal(echo.layers[0].history.highest, heard?.layers[0].history.highest);
          }
        }
        box.run(20);
      }
    }),
    { numRuns: 150 },
  );
});
