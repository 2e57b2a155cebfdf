/** The needs of one source (layer-needs.ts), brought together from everybody who watches it: subscribers of this bridge, and bridges that want it for theirs. */
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { formatId } from '../../protocol/ids.ts';
import { layerMaskOf } from '../../protocol/octo/wants.ts';
import type { Source } from '../source.ts';
import { sourceKey } from '../subscription.ts';

/** Decides anew on what the publisher of `source` is to send, and when to look again. The event to emit when that is news. */
export function lookAtNeeds(nowMs: number, source: Source): BridgeEvent | undefined {
  const { needs } = source;
  if (needs === undefined) return undefined;
  const before = needs.mask;
  const isNews = needs.update(nowMs, watchedMask(source), source.isMuted, flowingMask(nowMs, source));
  source.needsDue.moveTo(needs.dueMs);
  for (const layer of source.layers) {
    // Whoever waits for this layer gets its first frame, a key frame; should it not come, it is asked for.
    const isRestarted = needs.isSent(layer.index) && (before & (1 << layer.index)) === 0;
    if (isRestarted) layer.keyFramesDue.bringForward(needs.keyFrameComesByMs(nowMs, layer.index));
  }
  return isNews ? neededLayersEvent(source) : undefined;
}

/** What a focus is told of a source: state, so telling it twice changes nothing. Undefined while nothing is decided, and for what has no layers to choose from. */
export function neededLayersEvent(source: Source): BridgeEvent | undefined {
  const { needs, conference, endpointId, sourceId } = source;
  if (needs === undefined || !needs.isKnown) return undefined;
  return {
    kind: 'needed-layers',
    conferenceId: formatId(conference.id),
    endpointId: formatId(endpointId),
    sourceId,
    layers: needs.mask,
  };
}

/** Who watches a layer, and what the publisher was told because of it; for people. */
export function describeNeeds(source: Source, layer: number) {
  const { needs, subscriptions } = source;
  if (needs === undefined) return undefined;
  const isOfThis = (mask: number) => (needs.existing(mask) & (1 << layer)) !== 0;
  return {
    told: needs.isSent(layer) ? 'send' : 'pause',
    why: needs.why(layer),
    endpoints: subscriptions
      .filter(({ endpoint, projection }) => isHere(endpoint.state) && isOfThis(projection.wantedMask))
      .map(({ endpoint }) => formatId(endpoint.id)),
    bridges: [...wantsOfOthers(source)].filter(([, mask]) => isOfThis(mask)).map(([bridgeId]) => bridgeId),
  };
}

/**
 * Layers that anybody is to be given, in other conferences too. One who still connects counts: the publisher needs the time too. A layer that is wanted and does not flow, because the publisher
 * cannot or was told not to, is in it as long as it is wanted.
 */
function watchedMask(source: Source): number {
  let mask = 0;
  for (const [, layerMask] of wantsOfOthers(source)) mask |= layerMask;
  for (const { projection, endpoint } of source.subscriptions) {
    if (isHere(endpoint.state)) mask |= projection.wantedMask;
  }
  for (const echo of source.echoes) mask |= watchedMask(echo);
  return mask;
}

/** What other bridges want of a source of this one, whether it flows or not: name and layers. */
function* wantsOfOthers({ conference, endpointId, sourceId }: Source): Generator<readonly [string, number]> {
  const key = sourceKey(endpointId, sourceId);
  for (const link of conference.supply.links) {
    const want = conference.supply.wantsOf(link).get(key);
    if (want !== undefined) yield [link.peerId, layerMaskOf(want)];
  }
}

function isHere(state: 'new' | 'connected' | 'gone' | 'failed'): boolean {
  return state === 'new' || state === 'connected';
}

function flowingMask(nowMs: number, source: Source): number {
  let mask = 0;
  for (const layer of source.layers) if (layer.isFlowing(nowMs)) mask |= 1 << layer.index;
  return mask;
}
