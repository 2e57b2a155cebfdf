import { formatId } from '../protocol/ids.ts';
import { codecOfPayloadType } from '../protocol/rtp/table.ts';
import type { Conference } from './conference.ts';
import { describeNeeds } from './dynacast/dynacast.ts';
import { wantedMaskOf } from './link-supply.ts';
import type { Messages } from './messages.ts';
import type { Source } from './source.ts';

/** What flows in a conference on this bridge, for `GET /v1/conferences/:id`: every answer to "why does she not see him". */
export function describeConference(nowMs: number, conference: Conference, messages: Messages) {
  return {
    conferenceId: formatId(conference.id),
    version: conference.version,
    bridges: conference.bridges.map(({ bridgeId, region }) => ({ bridgeId, region })),
    dominantSpeaker:
      conference.dominantSpeaker.dominant === undefined ? null : formatId(conference.dominantSpeaker.dominant),
    endpoints: [...conference.endpoints.values()].map(endpoint => ({
      endpointId: formatId(endpoint.id),
      identity: endpoint.spec?.identity ?? '',
      version: endpoint.spec?.version ?? 0,
      state: endpoint.state,
      rttMs: endpoint.roundTrip.smoothedMs < 0 ? null : endpoint.roundTrip.smoothedMs,
      /** Why its reliable messages wait with it. */
      dataHeld: messages.describeHeld(nowMs, endpoint),
      dataBacklogBytes: endpoint.transport.dataBacklogBytes,
      subscriptions: [...endpoint.subscriptions.values()].map(({ spec, projection, source }) => ({
        origin: spec.origin,
        sourceId: spec.sourceId,
        kind: spec.kind,
        enabled: spec.enabled,
        layerMax: spec.layerMax,
        layer: projection.currentLayer,
        why: source === undefined ? 'source-unknown' : projection.reason,
        waitingForKeyFrameOf: projection.waitingForLayer,
        counters: projection.counters,
      })),
    })),
    sources: [...conference.sources].map(source => describeSource(nowMs, conference, source)),
  };
}

function describeSource(nowMs: number, conference: Conference, source: Source) {
  return {
    endpointId: formatId(source.endpointId),
    sourceId: source.sourceId,
    kind: source.kind,
    codec: codecOfPayloadType(source.payloadType)?.name ?? null,
    muted: source.isMuted,
    from: source.isLocal ? localOrigin(source) : (conference.bridgeOf(source.endpointId) ?? null),
    /** Conferences in which it is heard as well. */
    forwardedTo: source.echoes.map(echo => formatId(echo.conference.id)),
    subscribersHere: source.subscriptions.length,
    layers: source.layers.map(layer => ({
      layer: layer.index,
      flowing: layer.isFlowing(nowMs),
      withheld: layer.isWithheld,
      bitrateBps: layer.bitrateBps(nowMs),
      framesPerSecond: layer.framesPerSecond(nowMs),
      relayedTo: layer.links.map(link => link.peerId),
      needed: describeNeeds(source, layer.index),
      heldBackFrom: layer.isFlowing(nowMs) ? heldBackFrom(conference, source, layer.index) : [],
    })),
  };
}

function localOrigin({ isForwarded, origin }: Source): string {
  if (!isForwarded) return 'client';
  return origin === undefined ? 'forwarded-from-nobody' : `forwarded-from-${formatId(origin.conference.id)}`;
}

/** Bridges that want this layer and are not sent it, because the link to them is full. */
function heldBackFrom(conference: Conference, source: Source, layer: number): string[] {
  const peers: string[] = [];
  for (const link of conference.supply.links) {
    const mask = wantedMaskOf(source, conference.supply.wantOf(link, source));
    if ((mask & (1 << layer)) !== 0 && conference.supply.isWithheld(link, source, layer)) peers.push(link.peerId);
  }
  return peers;
}
