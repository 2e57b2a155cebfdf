/** Bytes of one slot: an Ethernet datagram (1500) with room to grow by an Octo header, an RTX sequence number and tags. */
export const SLOT_BYTES = 2048;

/** A preallocated run of fixed-size slots. A slot is known by the offset of its first byte in `bytes`. */
export class Arena {
  readonly bytes: Buffer;
  readonly slots: number;

  constructor(slots: number) {
    this.slots = slots;
    this.bytes = Buffer.alloc(slots * SLOT_BYTES);
  }
}
