import { Arena, SLOT_BYTES } from '../arena.ts';
import type { DatagramPort, Peer } from '../io/datagram-port.ts';
import { portCounters } from '../port-counters.ts';
import type { Link } from './link.ts';

const SLOTS = 64;

/** For tests: a port whose datagrams go straight into the simulated network. Knows one address: the other bridge's. */
export class SimulatedPort implements DatagramPort<Link> {
  readonly address = 'here';
  readonly port = 4096;
  readonly counters = portCounters();
  readonly sendsRuns = false;
  readonly outgoing = new Arena(SLOTS).bytes;
  known: Peer<Link> = { address: 'nobody', port: 0, family: 'IPv4', owner: undefined };
  readonly #send: (datagram: Buffer) => void;
  #next = 0;

  constructor(send: (datagram: Buffer) => void) {
    this.#send = send;
  }

  reserve(): number {
    this.#next = (this.#next + 1) % SLOTS;
    return this.#next * SLOT_BYTES;
  }

  commit(offset: number, length: number): void {
    this.#send(Buffer.from(this.outgoing.subarray(offset, offset + length)));
  }

  cancel(): void {}

  flush(): void {}

  adopt(address: string, port: number, owner: Link): Peer<Link> {
    this.known = { address, port, family: 'IPv4', owner };
    return this.known;
  }

  release(peer: Peer<Link>): void {
    if (peer === this.known) this.known = { ...this.known, owner: undefined };
  }

  async close(): Promise<void> {}
}
