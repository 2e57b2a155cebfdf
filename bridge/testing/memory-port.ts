import { Arena, SLOT_BYTES } from '../arena.ts';
import type { DatagramPort, Peer } from '../io/datagram-port.ts';
import { portCounters } from '../port-counters.ts';

/** A datagram port without a network: what is sent is kept in `sent`, newest last. */
export class MemoryPort<Owner> implements DatagramPort<Owner> {
  readonly address = '127.0.0.1';
  readonly port = 10_000;
  readonly counters = portCounters();
  readonly sendsRuns = false;
  readonly sent: { readonly bytes: Buffer; readonly peer: Peer<Owner> }[] = [];
  readonly #arena = new Arena(64);
  readonly #free = Array.from({ length: 64 }, (_, slot) => slot * SLOT_BYTES);

  get outgoing(): Buffer {
    return this.#arena.bytes;
  }

  get freeSlots(): number {
    return this.#free.length;
  }

  reserve(): number {
    return this.#free.pop() ?? -1;
  }

  commit(offset: number, length: number, peer: Peer<Owner>): void {
    this.sent.push({ bytes: Buffer.from(this.outgoing.subarray(offset, offset + length)), peer });
    this.#free.push(offset);
  }

  cancel(offset: number): void {
    this.#free.push(offset);
  }

  flush(): void {}

  adopt(address: string, port: number, owner: Owner): Peer<Owner> {
    return { address, port, family: 'IPv4', owner };
  }

  release(): void {}

  async close(): Promise<void> {}
}
