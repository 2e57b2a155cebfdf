import type { LayerNeeds } from './dynacast/layer-needs.ts';
import type { ProjectionCounters } from './forward/projection-options.ts';
import type { StreamReceiver } from './receive/stream-receiver.ts';
import type { TransportFeedback } from './receive/transport-feedback.ts';

/** What streams and subscriptions count, added up. Those that have ended are added when they end, those that live when somebody asks. */
export class MediaCounts {
  nackRequests = 0;
  nackAbandoned = 0;
  recovered = 0;
  duplicates = 0;
  transportFeedbacks = 0;
  resendsSuppressed = 0;
  resendsMissed = 0;
  droppedTemporal = 0;
  droppedLate = 0;
  droppedCodec = 0;
  layerSwitches = 0;
  neededLayersUpdates = 0;
  layersPaused = 0;
  layersRestarted = 0;
  layerRestartSeconds = 0;

  addStream(receiver: StreamReceiver): void {
    this.nackRequests += receiver.nacks?.requests ?? 0;
    this.nackAbandoned += receiver.nacks?.abandoned ?? 0;
    this.recovered += receiver.recovered;
    this.duplicates += receiver.duplicates;
  }

  addFeedback(feedback: TransportFeedback): void {
    this.transportFeedbacks += feedback.feedbacks;
  }

  addProjection(counters: ProjectionCounters): void {
    this.resendsSuppressed += counters.retransmissionsSuppressed;
    this.resendsMissed += counters.retransmissionsMissed;
    this.droppedTemporal += counters.droppedTemporal;
    this.droppedLate += counters.droppedLate;
    this.droppedCodec += counters.droppedCodec;
    this.layerSwitches += counters.layerSwitches;
  }

  addNeeds(needs: LayerNeeds): void {
    this.neededLayersUpdates += needs.updates;
    this.layersPaused += needs.pauses;
    this.layersRestarted += needs.restarts;
    this.layerRestartSeconds += needs.restartMs / 1_000;
  }

  add(other: MediaCounts): void {
    for (const name of Object.keys(other) as (keyof Numbers)[]) this[name] += other[name];
  }
}

type Numbers = { [name in keyof MediaCounts as MediaCounts[name] extends number ? name : never]: number };
