import type { BridgeEvent } from '../protocol/control/events.ts';
import { formatId } from '../protocol/ids.ts';
import type { Endpoint } from './endpoint.ts';

/** What the packets of an endpoint have shown that its offer did not say; undefined when there is nothing of the kind. */
export function streamsEvent(endpoint: Endpoint): Extract<BridgeEvent, { kind: 'streams' }> | undefined {
  const streams = [];
  for (const { ssrc, layer, isRtx, isDeclared } of endpoint.streams.all()) {
    if (!isDeclared) streams.push({ sourceId: layer.source.sourceId, layer: layer.index, ssrc, isRtx });
  }
  if (streams.length === 0) return undefined;
  const conferenceId = formatId(endpoint.conference.id);
  return { kind: 'streams', conferenceId, endpointId: formatId(endpoint.id), streams };
}
