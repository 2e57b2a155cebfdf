import { type Offer, type OfferSection, publishes } from './offer.ts';

/**
 * The section on which a client publishes the track that it announced as `cid` (LiveKit's AddTrackRequest), or undefined when the offer has none.
 *
 * A cid is the id of the client's MediaStreamTrack, which Chromium, Safari and libwebrtc (the Rust, Node, Swift and Kotlin SDKs) write as the
 * track id of a=msid; React Native writes it as the stream id. Firefox makes an id of its own, so a track that matches nowhere takes the
 * first section of its kind that nobody else has: `taken` holds the mids of tracks published before, `others` the cids still to be matched.
 */
export function matchSection(
  offer: Offer,
  cid: string,
  kind: 'audio' | 'video',
  taken: ReadonlySet<string> = new Set(),
  others: ReadonlySet<string> = new Set(),
): OfferSection | undefined {
  const free = offer.sections.filter(section => section.kind === kind && publishes(section) && !taken.has(section.mid));
  return (
    free.find(({ trackId }) => trackId !== null && bare(trackId) === bare(cid)) ??
    free.find(({ streamId }) => streamId !== null && bare(streamId) === bare(cid)) ??
    free.find(({ trackId }) => trackId === null || !others.has(bare(trackId)))
  );
}

/** Older Firefox wraps its ids in braces in one place and not in the other. */
function bare(id: string): string {
  return id.replace(/^\{(.*)\}$/, '$1');
}
