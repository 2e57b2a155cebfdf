import type { PacketHistory } from './packet-history.ts';
import type { SubscriberFormat } from './subscriber-format.ts';
import type { SenderReportPoint } from './timeline.ts';

/** One layer of the source, as its projections need it. Indexed by layer number, 0 the smallest. */
export interface ProjectionLayer {
  readonly history: PacketHistory;
  /** Newest sender report of the layer from its origin. */
  readonly senderReport: SenderReportPoint | undefined;
  /** True while the layer has media. */
  isFlowing(nowMs: number): boolean;
  /** True while the bridge it comes from holds it back: it does not flow, and asking for it is in vain. */
  readonly isWithheld: boolean;
}

export interface ProjectionOptions {
  readonly kind: 'audio' | 'video';
  /** What the subscriber knows the source by. */
  readonly ssrc: number;
  /** Its retransmissions; null when the client does not do RTX for it. */
  readonly rtxSsrc: number | null;
  readonly mid: string;
  readonly format: SubscriberFormat;
  /** For the first sequence number, timestamp and picture id. */
  randomUint32(): number;
}

/** What the subscriber asked for; changes any number of times. */
export interface ProjectionSettings {
  /** False: nothing is sent. */
  readonly enabled: boolean;
  readonly layerMax: number;
  readonly temporalMax: number;
}

/** What is done with the packets of a source for one subscriber, counted. */
export interface ProjectionCounters {
  /** Without retransmissions by RTX; the two that sender reports carry. */
  packetsSent: number;
  octetsSent: number;
  retransmitted: number;
  /** Asked for while an earlier copy may have been under way. */
  retransmissionsSuppressed: number;
  /** Asked for and no longer, or not yet, here. */
  retransmissionsMissed: number;
  droppedTemporal: number;
  droppedLate: number;
  droppedCodec: number;
  layerSwitches: number;
}
