/** Parameters to an SDP answer (RFC 8866, RFC 9429 section 5.3) of an ICE-lite agent with one bundled transport. */

import { type MediaDescription, write } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';
import { answerCodecs, type CodecPlan } from './answer-codecs.ts';
import { answerCandidates } from './candidates.ts';
import {
  base,
  DISCARD_PORT,
  dataLine,
  type MediaLine,
  type SectionTrack,
  trackAttributes,
  transportAttributes,
} from './media-line.ts';
import { type Direction, type Offer, type OfferSection, publishes, subscribes } from './offer.ts';

/** What becomes of one section. Sections without a plan are answered inactive. */
export interface SectionPlan extends CodecPlan {
  /** We accept what the client sends on it. Ignored when the client does not send. */
  readonly receive: boolean;
  /** The track that the client gets on it. Ignored when the client does not receive. */
  readonly send: SectionTrack | null;
}

/**
 * The answer to `offer`: same m-lines in the same order. `plans` is keyed by mid. Stopped sections get port 0, sections on which nothing
 * flows are inactive and may be used by a later offer.
 */
export function writeAnswer(offer: Offer, transport: Transport, plans: ReadonlyMap<string, SectionPlan>): string {
  const sections = new Map(offer.sections.map(section => [section.index, section]));
  const media = offer.lines.map((line, index): MediaLine => {
    const section = sections.get(index);
    if (section !== undefined && !section.isStopped) return answerSection(offer, section, plans.get(section.mid));
    if (offer.data?.index === index && !offer.data.isStopped) return dataLine(offer.data.mid);
    return {
      ...base(line.media, 0, line.protocol, line.format),
      ...(line.mid === null ? {} : { mid: line.mid }),
      direction: 'inactive',
    };
  });

  // RFC 9143 section 7.3.2: the bundle's transport is that of its first accepted section.
  const live = media.filter(({ port }) => port !== 0);
  for (const line of live) Object.assign(line, transportAttributes(transport, transport.dtls.setup));
  if (live.length > 0) Object.assign(live[0], answerCandidates(transport.candidates));

  return write({
    version: 0,
    origin: { username: '-', ...offer.origin, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    ...(offer.bundle.length > 0 ? { groups: [{ type: 'BUNDLE', mids: offer.bundle.join(' ') }] } : {}),
    ...(offer.allowsMixedExtensions ? { extmapAllowMixed: 'extmap-allow-mixed' as const } : {}),
    msidSemantic: { semantic: 'WMS', token: '*' },
    icelite: 'ice-lite',
    media,
  });
}

function answerSection(offer: Offer, section: OfferSection, plan: SectionPlan | undefined): MediaLine {
  const receives = plan?.receive === true && publishes(section);
  const track = plan !== undefined && subscribes(section) ? plan.send : null;
  const codecs = answerCodecs(section, plan, receives, track !== null);
  const line: MediaLine = {
    ...base(section.kind, DISCARD_PORT, offer.lines[section.index].protocol, codecs.payloads),
    rtp: codecs.rtp,
    fmtp: codecs.fmtp,
    rtcpFb: codecs.rtcpFb,
    mid: section.mid,
    direction: answerDirection(receives, track !== null),
    rtcpMux: 'rtcp-mux',
    ext: answerExtensions(offer, section),
  };
  if (section.hasReducedSizeRtcp) line.rtcpRsize = 'rtcp-rsize';
  if (track !== null) Object.assign(line, trackAttributes(track, codecs.hasRtx));
  if (receives && section.rids.length > 0) {
    line.rids = section.rids.map(id => ({ id, direction: 'recv' }));
    line.simulcast = { dir1: 'recv', list1: section.rids.join(';') };
  }
  return line;
}

function answerDirection(receives: boolean, sends: boolean): Direction {
  if (receives) return sends ? 'sendrecv' : 'recvonly';
  return sends ? 'sendonly' : 'inactive';
}

/** What the section offers and the whole bundle agrees on, seen from our side. */
function answerExtensions(offer: Offer, section: OfferSection): NonNullable<MediaDescription['ext']> {
  return section.extensions
    .filter(({ id, uri }) => offer.extensions.some(common => common.id === id && common.uri === uri))
    .map(({ id, uri, direction }) => {
      if (direction === 'sendrecv') return { value: id, uri };
      return { value: id, uri, direction: direction === 'sendonly' ? 'recvonly' : 'sendonly' };
    });
}
