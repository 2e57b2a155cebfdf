import { NO_LAYER } from './layer-choice.ts';
import { Renumbering } from './renumbering.ts';
import { Vp8Numbering } from './vp8-numbering.ts';

/** No packet history has this generation. */
const FORGOTTEN = -1;

/**
 * One run of packets of one layer as a projection forwards it, from a packet that can be decoded by itself to the next switch. All that turns its
 * packets into the subscriber's lies here and never changes for a packet once decided, so a packet can be written again at any time, byte for byte.
 */
export class Segment {
  layer = NO_LAYER;
  /** Of the layer's packet history: sequence numbers mean something within one generation only. */
  generation = 0;
  /** The table's payload type. */
  payloadType = -1;
  readonly sequences = new Renumbering();
  readonly vp8 = new Vp8Numbering();
  /** Signed: see Timeline. */
  private timestampOffset = 0;
  /** From this sequence number on `timestampOffset` holds, before it `timestampOffsetBefore`. */
  private offsetSince = 0;
  private timestampOffsetBefore = 0;
  /** Packets before this one had yet another offset, which is forgotten. */
  private sequenceMin = 0;

  /** `vp8` is the caller's to begin. */
  begin(
    layer: number,
    generation: number,
    payloadType: number,
    sequence: number,
    sequenceOut: number,
    timestampOffset: number,
  ): void {
    this.layer = layer;
    this.generation = generation;
    this.payloadType = payloadType;
    this.sequences.restart(sequence, sequenceOut);
    this.timestampOffset = timestampOffset | 0;
    this.timestampOffsetBefore = timestampOffset | 0;
    this.offsetSince = sequence;
    this.sequenceMin = sequence;
  }

  /** The run is over for good: no packet has, or may have, a place in it any more. What it has sent stays known to whoever follows it. */
  forget(): void {
    this.generation = FORGOTTEN;
  }

  /** The layer's clock jumped at packet `sequence`: from there on, another offset. */
  shiftTimestamps(sequence: number, timestampOffset: number): void {
    this.sequenceMin = this.offsetSince;
    this.timestampOffsetBefore = this.timestampOffset;
    this.offsetSince = sequence;
    this.timestampOffset = timestampOffset | 0;
  }

  /** The subscriber's timestamp of packet `sequence`. */
  timestampOf(sequence: number, timestamp: number): number {
    const offset = sequence >= this.offsetSince ? this.timestampOffset : this.timestampOffsetBefore;
    return (timestamp + offset) >>> 0;
  }

  /** True for a packet that has, or may have, its place in this run. */
  owns(layer: number, generation: number, sequence: number): boolean {
    return (
      this.layer === layer &&
      this.generation === generation &&
      this.sequences.covers(sequence) &&
      sequence >= this.sequenceMin
    );
  }
}
