/**
 * One UDP socket as the packet path sees it: datagrams arrive in an arena and leave from one. How they move (node:dgram, or system calls
 * in batches) is the implementation's business; the same tests run on all of them.
 */

/** A remote address. Stable once adopted, so that the packet path goes from datagram to owner without a look-up of its own. */
export interface Peer<Owner> {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
  /** Who speaks from this address; undefined for one that nobody has validated. Set by {@link DatagramPort.adopt}. */
  readonly owner: Owner | undefined;
}

/**
 * Called for each datagram, in the turn of the event loop that received it. `bytes[offset, offset + length)` may be changed in place up to the
 * slot's end (SLOT_BYTES) and is valid until the call returns. `peer` of an address not adopted is a shared cursor: valid until the call returns too.
 */
export type DatagramHandler<Owner> = (bytes: Buffer, offset: number, length: number, peer: Peer<Owner>) => void;

export interface PortCounters {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** Refused by `reserve`, or given up because the kernel's queue stayed full. */
  sendDropped: number;
  /** Larger than a slot. */
  oversized: number;
}

export interface DatagramPort<Owner> {
  readonly address: string;
  readonly port: number;
  readonly counters: PortCounters;
  /** The arena that outgoing datagrams are written to. */
  readonly outgoing: Buffer;
  /** The offset in `outgoing` of a free slot, or -1 when all are on their way out (counted: drop the packet). */
  reserve(): number;
  /** Queues `length` bytes of a reserved slot for `peer`. Leaves with the next flush. */
  commit(offset: number, length: number, peer: Peer<Owner>): void;
  /** Gives a reserved slot back unused. */
  cancel(offset: number): void;
  /** Hands everything queued to the kernel. Runs by itself once per turn of the event loop in which something was queued. */
  flush(): void;
  /** Makes an address known as `owner`'s. The same address adopted again changes owner. Bounded by the number of endpoints: only after validation. */
  adopt(address: string, port: number, owner: Owner): Peer<Owner>;
  /** Forgets an adopted address. */
  release(peer: Peer<Owner>): void;
  close(): Promise<void>;
}
