import { type ConferenceId, formatId } from '../protocol/ids.ts';
import type { Want } from '../protocol/octo/wants.ts';
import type { Conference } from './conference.ts';
import { wantedMaskOf } from './link-supply.ts';
import type { Link } from './relay/link.ts';
import type { LinkSnapshot, Relay } from './relay/relay.ts';
import type { Layer, Source } from './source.ts';

/** Why a layer is on a link, or is not. The first that applies. */
type Why =
  /** The link is full: something more watched, or the lower layers, take its place. */
  | 'held-back-for-budget'
  /** The publisher does not send it, or is muted. */
  | 'nothing-flows'
  /** It goes over when its next key frame comes. */
  | 'waiting-for-key-frame'
  | 'wanted'
  /** Nobody asked for it: a higher one that is wanted does not flow, or is held back. */
  | 'stands-in';

/** All links, and what crosses them of each conference, for `GET /v1/links`: every answer to "where do these bytes come from", and "where does her picture end". */
export function describeLinks(nowMs: number, conferences: ReadonlyMap<ConferenceId, Conference>, relay: Relay) {
  return relay.snapshot().map(snapshot => ({
    ...snapshot,
    carries: [...spannedBy(conferences, snapshot)].map(conference =>
      describeShared(nowMs, conference, snapshot, relay),
    ),
  }));
}

function* spannedBy(conferences: ReadonlyMap<ConferenceId, Conference>, { bridgeId }: LinkSnapshot) {
  for (const conference of conferences.values()) {
    if (conference.bridges.some(bridge => bridge.bridgeId === bridgeId)) yield conference;
  }
}

function describeShared(nowMs: number, conference: Conference, { bridgeId }: LinkSnapshot, relay: Relay) {
  const link = relay.linkTo(bridgeId);
  const sources = [...conference.sources];
  const out = link === undefined ? [] : sources.flatMap(source => describeOut(nowMs, conference, link, source));
  const incoming = sources
    .filter(source => !source.isLocal && conference.bridgeOf(source.endpointId) === bridgeId)
    .map(source => describeIn(nowMs, source));
  return {
    conferenceId: formatId(conference.id),
    bitrateOutBps: sumOf(out),
    bitrateInBps: sumOf(incoming),
    /** Sources of clients here that the other bridge wants something of. */
    out,
    /** Sources of clients there that somebody here watches. */
    in: incoming,
  };
}

/** One source here, as the other bridge wants it; none when it wants nothing of it and gets nothing. */
function describeOut(nowMs: number, conference: Conference, link: Link, source: Source) {
  if (!source.isLocal) return [];
  const want = conference.supply.wantOf(link, source);
  const wantedMask = wantedMaskOf(source, want);
  const layers = source.layers
    .filter(layer => (wantedMask & (1 << layer.index)) !== 0 || layer.links.includes(link))
    .map(layer => {
      const isSent = layer.links.includes(link);
      return {
        layer: layer.index,
        viewersThere: viewersOf(layer, want),
        sent: isSent,
        why: whyOut(nowMs, conference, link, layer, wantedMask),
        bitrateBps: isSent ? layer.bitrateBps(nowMs) : 0,
      };
    });
  return layers.length === 0 ? [] : [{ ...nameOf(source), layers }];
}

function whyOut(nowMs: number, conference: Conference, link: Link, layer: Layer, wantedMask: number): Why {
  if (conference.supply.isWithheld(link, layer.source, layer.index)) return 'held-back-for-budget';
  if (!layer.isFlowing(nowMs)) return 'nothing-flows';
  if (layer.waitingLinks.includes(link)) return 'waiting-for-key-frame';
  return (wantedMask & (1 << layer.index)) === 0 ? 'stands-in' : 'wanted';
}

/** A source of the other bridge, with who watches which layer of it here. */
function describeIn(nowMs: number, source: Source) {
  return {
    ...nameOf(source),
    layers: source.layers.map(layer => ({
      layer: layer.index,
      wantedBy: source.subscriptions
        .filter(
          ({ endpoint, projection }) =>
            endpoint.state === 'connected' && (projection.wantedMask & (1 << layer.index)) !== 0,
        )
        .map(({ endpoint }) => formatId(endpoint.id)),
      flowing: layer.isFlowing(nowMs),
      heldBackThere: layer.isWithheld,
      bitrateBps: layer.bitrateBps(nowMs),
    })),
  };
}

function nameOf({ endpointId, sourceId, kind }: Source) {
  return { endpointId: formatId(endpointId), sourceId, kind };
}

/** Those who want more layers than there are want the highest. */
function viewersOf({ index, source }: Layer, want: Want | undefined): number {
  if (want === undefined) return 0;
  return index < source.layers.length - 1 ? want.viewers[index] : Math.max(...want.viewers.slice(index));
}

function sumOf(sources: readonly { readonly layers: readonly { readonly bitrateBps: number }[] }[]): number {
  let bps = 0;
  for (const { layers } of sources) for (const { bitrateBps } of layers) bps += bitrateBps;
  return bps;
}
