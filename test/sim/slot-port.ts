import { SLOT_BYTES } from '../../bridge/arena.ts';
import type { DatagramPort, Peer } from '../../bridge/io/datagram-port.ts';
import { portCounters } from '../../bridge/port-counters.ts';

/** What a port's owner does with a datagram that leaves: the bytes are its only until it returns. */
export type SendDatagram<Owner> = (bytes: Buffer, offset: number, length: number, peer: Peer<Owner>) => void;

/** A datagram port whose datagrams leave at once, into the simulated network. Knows which of its slots are out: all must come back. */
export class SlotPort<Owner> implements DatagramPort<Owner> {
  readonly counters = portCounters();
  readonly sendsRuns: boolean;
  readonly outgoing: Buffer;
  readonly address: string;
  readonly port: number;
  readonly slots: number;
  readonly #send: SendDatagram<Owner>;
  readonly #free: number[];
  readonly #peers = new Map<string, Peer<Owner>>();

  constructor(address: string, port: number, slots: number, sendsRuns: boolean, send: SendDatagram<Owner>) {
    this.address = address;
    this.port = port;
    this.slots = slots;
    this.sendsRuns = sendsRuns;
    this.outgoing = Buffer.alloc(slots * SLOT_BYTES);
    this.#free = Array.from({ length: slots }, (_, slot) => slot * SLOT_BYTES);
    this.#send = send;
  }

  get freeSlots(): number {
    return this.#free.length;
  }

  get adopted(): number {
    return this.#peers.size;
  }

  /** Who speaks from `address`. */
  peerAt(address: string): Peer<Owner> | undefined {
    return this.#peers.get(address);
  }

  reserve(): number {
    return this.#free.pop() ?? -1;
  }

  commit(offset: number, length: number, peer: Peer<Owner>): void {
    this.#send(this.outgoing, offset, length, peer);
    this.#free.push(offset);
  }

  cancel(offset: number): void {
    this.#free.push(offset);
  }

  flush(): void {}

  adopt(address: string, port: number, owner: Owner): Peer<Owner> {
    const peer: Peer<Owner> = { address, port, family: 'IPv4', owner };
    this.#peers.set(address, peer);
    return peer;
  }

  release(peer: Peer<Owner>): void {
    if (this.#peers.get(peer.address) === peer) this.#peers.delete(peer.address);
  }

  async close(): Promise<void> {}
}
