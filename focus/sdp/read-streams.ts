import type { MediaDescription } from 'sdp-transform';
import { LAYERS_MAX } from '../../protocol/ids.ts';
import type { OfferSection } from './offer.ts';

type Streams = Pick<OfferSection, 'streamId' | 'trackId' | 'rids' | 'ssrcs' | 'rtxSsrcs'>;

const NOTHING: Streams = { streamId: null, trackId: null, rids: [], ssrcs: [], rtxSsrcs: [] };
/** RFC 8851 section 10, shortened to what a control document takes. */
const RID_PATTERN = /^[A-Za-z0-9_-]{1,16}$/;

/** What a section says of the media its client sends. Nothing for one that does not send: a section that once did keeps its old lines. */
export function readStreams(description: MediaDescription, sends: boolean): Streams {
  if (!sends) return NOTHING;
  const rids = readRids(description);
  return {
    ...readMsid(description),
    rids,
    ...(rids.length > 0 ? { ssrcs: [], rtxSsrcs: [] } : readSsrcs(description)),
  };
}

/** a=msid (RFC 8830 section 2). Read from the raw line: older Firefox writes ids in braces, which sdp-transform takes for invalid. */
function readMsid(description: MediaDescription): Pick<Streams, 'streamId' | 'trackId'> {
  const parsed = description.msid?.[0];
  const raw = description.invalid?.find(({ value }) => String(value).startsWith('msid:'));
  const [streamId, trackId] =
    parsed !== undefined
      ? [String(parsed.id), parsed.appdata === undefined ? undefined : String(parsed.appdata)]
      : String(raw?.value ?? '')
          .slice('msid:'.length)
          .split(' ');
  return {
    // "-" says that the track is in no stream.
    streamId: streamId === undefined || streamId === '' || streamId === '-' ? null : streamId,
    trackId: trackId === undefined || trackId === '' ? null : trackId,
  };
}

/** The simulcast send list (RFC 8853 section 5.1); of alternatives the first, paused or not, as pausing is signalled elsewhere. */
function readRids(description: MediaDescription): string[] {
  const simulcast = description.simulcast;
  if (simulcast === undefined) return [];
  const list = simulcast.dir1 === 'send' ? simulcast.list1 : simulcast.dir2 === 'send' ? simulcast.list2 : undefined;
  const rids = String(list ?? '')
    .split(';')
    .map(stream => stream.split(',')[0].replace(/^~/, ''))
    .filter(rid => RID_PATTERN.test(rid));
  return [...new Set(rids)].slice(0, LAYERS_MAX);
}

/** SSRCs and their groups (RFC 5576): SIM orders the encodings, FID pairs each with its RTX (RFC 4588 section 8.5). */
function readSsrcs(description: MediaDescription): Pick<Streams, 'ssrcs' | 'rtxSsrcs'> {
  const declared = new Set<number>();
  for (const { id } of description.ssrcs ?? []) if (isSsrc(id)) declared.add(id);
  const repairs = new Map<number, number>();
  let simulcast: number[] = [];
  for (const { semantics, ssrcs } of description.ssrcGroups ?? []) {
    const members = String(ssrcs).split(' ').map(Number);
    if (!members.every(ssrc => declared.has(ssrc))) continue;
    if (semantics === 'FID' && members.length === 2) repairs.set(members[0], members[1]);
    if (semantics === 'SIM') simulcast = members;
  }
  const repairing = new Set(repairs.values());
  const media = simulcast.length > 0 ? simulcast : [...declared].filter(ssrc => !repairing.has(ssrc));
  // Without a SIM group a section has one encoding: further SSRCs are FEC or left over.
  const ssrcs = [...new Set(media)].slice(0, simulcast.length > 0 ? LAYERS_MAX : 1);
  const rtxSsrcs = ssrcs.map(ssrc => repairs.get(ssrc) ?? 0);
  return { ssrcs, rtxSsrcs: rtxSsrcs.every(ssrc => ssrc !== 0) ? rtxSsrcs : [] };
}

function isSsrc(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= 0xffffffff;
}
