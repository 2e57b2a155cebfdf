import type { CodecName } from '../../protocol/rtp/table.ts';
import { codecOf, type Offer, type OfferSection, subscribes } from './offer.ts';

/** A track that the client is to receive. Keys are the caller's, one for each subscription. */
export interface WantedTrack<Key> {
  readonly key: Key;
  readonly kind: 'audio' | 'video';
  /** What the section must be able to receive: an SDK that fixed the codec of a section for publishing offers no other on it later. */
  readonly codec?: CodecName;
}

export interface SectionAssignment<Key> {
  /** To the mid of its section. */
  readonly assigned: ReadonlyMap<Key, string>;
  /** Sections that the client has to add before the rest fits: LiveKit's MediaSectionsRequirement. */
  readonly missing: { readonly audio: number; readonly video: number };
  /** Tracks whose codec the client does not receive on any section: more sections would not help. */
  readonly unsupported: readonly Key[];
}

/**
 * Gives each wanted track a section of the offer on which the client receives. A track keeps its section as long as it is wanted and the
 * section lives, whatever else changes. The others take what is free in the order in which they are wanted: first sections that only receive
 * and carried nothing, then those that another track just left (browsers see the change by its stream id, which has to differ), last the
 * receiving half of those on which the client also publishes. Keys are unique in `wanted`.
 */
export function assignSections<Key>(
  offer: Offer,
  current: ReadonlyMap<Key, string>,
  wanted: readonly WantedTrack<Key>[],
): SectionAssignment<Key> {
  const usable = new Map(offer.sections.filter(subscribes).map(section => [section.mid, section]));
  const assigned = new Map<Key, string>();
  const taken = new Set<string>();
  for (const track of wanted) {
    const section = usable.get(current.get(track.key) ?? '');
    if (section === undefined || taken.has(section.mid) || !fits(section, track)) continue;
    assigned.set(track.key, section.mid);
    taken.add(section.mid);
  }

  const justLeft = new Set(current.values());
  const cost = ({ mid, direction }: OfferSection) => (justLeft.has(mid) ? 1 : 0) + (direction === 'sendrecv' ? 2 : 0);
  const free = [...usable.values()].filter(({ mid }) => !taken.has(mid)).toSorted((a, b) => cost(a) - cost(b));
  const missing = { audio: 0, video: 0 };
  const unsupported: Key[] = [];
  for (const track of wanted) {
    if (assigned.has(track.key)) continue;
    const position = free.findIndex(section => fits(section, track));
    if (position >= 0) assigned.set(track.key, free.splice(position, 1)[0].mid);
    else if (couldFit([...usable.values()], track)) missing[track.kind]++;
    else unsupported.push(track.key);
  }
  return { assigned, missing, unsupported };
}

function fits<Key>(section: OfferSection, { kind, codec }: WantedTrack<Key>): boolean {
  return section.kind === kind && (codec === undefined || codecOf(section, codec) !== undefined);
}

/** Whether a new section would do: the client receives this on some section, or has none of the kind that would tell. */
function couldFit<Key>(usable: readonly OfferSection[], track: WantedTrack<Key>): boolean {
  return usable.some(section => fits(section, track)) || !usable.some(({ kind }) => kind === track.kind);
}
