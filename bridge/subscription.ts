import type { ProjectionSpec } from '../protocol/control/spec.ts';
import type { Endpoint } from './endpoint.ts';
import type { Projection } from './forward/projection.ts';
import type { Source } from './source.ts';

/** One subscriber's view of one source, and where it hangs. `source` is undefined while the source is unknown here. */
export interface Subscription {
  readonly key: number;
  /** Who asks when this view needs a key frame: unique among the requesters of its source. */
  readonly requester: number;
  readonly endpoint: Endpoint;
  readonly projection: Projection;
  spec: ProjectionSpec;
  source: Source | undefined;
}

/** Key of a source in its conference: endpoint ID (32 bits) and source ID (8 bits) in one number. */
export function sourceKey(endpointId: number, sourceId: number): number {
  return endpointId * 256 + sourceId;
}
