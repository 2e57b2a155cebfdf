/**
 * One UDP socket as the packet path sees it: datagrams arrive in an arena and leave from one. How they move (node:dgram, or system calls
 * in batches) is the implementation's business; the same tests run on all of them.
 */

import type { PortCounters } from '../port-counters.ts';

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

export interface PortOptions<Owner> {
  /** A local IPv4 or IPv6 address; `0.0.0.0` and `::` mean all. */
  readonly address: string;
  /** 0 lets the system choose; see `port` of the opened one. */
  readonly port: number;
  readonly handler: DatagramHandler<Owner>;
  /**
   * True when the handling of datagrams that begin with this byte leaves no promise or nextTick work behind. Natively received ones then spare the event loop the
   * turn that would run it: a fifth of the CPU where packets come one by one. Default: never.
   */
  readonly isSynchronous?: (firstByte: number) => boolean;
  /** Called when all datagrams that arrived together have been handed over, before what they led to is sent. */
  readonly onReceived?: () => void;
  /** Outgoing datagrams that can be on their way at once, 2 KiB each. Default 4096 (8 MiB): a burst of 40 subscribers x 100 packets. */
  readonly arenaSlots?: number;
  /** Few peers send much each (links): ask the kernel to put their runs together. Costs a copy per datagram, saves most of the receiving. */
  readonly receivesRuns?: boolean;
  readonly log?: { warn(details: object, message: string): void };
}

export interface DatagramPort<Owner> {
  readonly address: string;
  readonly port: number;
  readonly counters: PortCounters;
  /** The arena that outgoing datagrams are written to. */
  readonly outgoing: Buffer;
  /** Datagrams of one size to one peer, queued in the same turn, leave for less: worth it to pad them to a common size. */
  readonly sendsRuns: boolean;
  /** The offset in `outgoing` of a free slot, or -1 when all are on their way out (counted: drop the packet). */
  reserve(): number;
  /** Queues `length` bytes of a reserved slot for `peer`. Leaves with the next flush; for a peer that was released it is dropped and counted. */
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
