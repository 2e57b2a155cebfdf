import type { PayloadDescription } from '../../protocol/rtp/payload.ts';

/**
 * Which VP8 temporal layers a subscriber gets. Lowering takes hold between frames. Raising goes one layer at a time, where a frame of the new
 * layer says that it needs the base layer only (Y of RFC 7741): anything earlier would refer to frames the subscriber never had.
 */
export class TemporalFilter {
  /** Highest layer wanted, 0-3. */
  max = 3;
  private current = 3;

  /** A key frame: nothing after it refers to anything before. */
  restart(): void {
    this.current = this.max;
  }

  /** True when a packet newer than all before is to be forwarded. Packets of one frame get one answer. */
  accepts(packet: PayloadDescription): boolean {
    if (packet.startsFrame && this.current !== this.max) this.adapt(packet);
    return packet.temporalLayer <= this.current;
  }

  private adapt(packet: PayloadDescription): void {
    if (this.current > this.max) this.current = this.max;
    else if (packet.startsKeyFrame) this.current = this.max;
    else if (packet.isLayerSync && packet.temporalLayer === this.current + 1) this.current++;
  }
}
