import type { ProjectionSpec } from '../protocol/control/spec.ts';
import type { Endpoint } from './endpoint.ts';
import { MeasuredStream } from './endpoint-quality.ts';
import type { Projection } from './forward/projection.ts';
import type { Source } from './source.ts';
import type { TaskDeadline } from './task.ts';

/** One subscriber's view of one source, and where it hangs. `source` is undefined while the source is unknown here. */
export class Subscription {
  readonly key: number;
  /** Who asks when this view needs a key frame: unique among the requesters of its source. */
  readonly requester: number;
  readonly endpoint: Endpoint;
  readonly projection: Projection;
  readonly measured = new MeasuredStream();
  /** When its layer is to be chosen anew, or asked for again. Not set while it gets what it is to get. */
  readonly viewDue: TaskDeadline;
  spec: ProjectionSpec;
  source: Source | undefined = undefined;
  /** The layers it needed when that was looked at last. */
  wantedMask = 0;

  constructor(key: number, endpoint: Endpoint, projection: Projection, spec: ProjectionSpec) {
    const { conference } = endpoint;
    this.key = key;
    this.requester = conference.newRequester();
    this.endpoint = endpoint;
    this.projection = projection;
    this.spec = spec;
    this.viewDue = conference.wheel.deadline({ kind: 'view', subscription: this });
    projection.alarm = this.viewDue;
  }
}

/** Key of a source in its conference: endpoint ID (32 bits) and source ID (8 bits) in one number. */
export function sourceKey(endpointId: number, sourceId: number): number {
  return endpointId * 256 + sourceId;
}
