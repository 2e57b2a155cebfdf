import type { Peer } from './datagram-port.ts';

type Family = 'IPv4' | 'IPv6';

/** The adopted addresses of a port. Found by address, then port, so that no key string is built per datagram. */
export class PeerTable<Owner> {
  readonly #family: Family;
  readonly #byAddress = new Map<string, Map<number, KnownPeer<Owner>>>();
  readonly #stranger: KnownPeer<Owner>;

  constructor(family: Family) {
    this.#family = family;
    this.#stranger = new KnownPeer<Owner>('', 0, family);
  }

  /** The adopted peer at this address, or the shared cursor of strangers, moved there. */
  find(address: string, port: number): Peer<Owner> {
    const known = this.#byAddress.get(address)?.get(port);
    if (known !== undefined) return known;
    this.#stranger.address = address;
    this.#stranger.port = port;
    return this.#stranger;
  }

  adopt(address: string, port: number, owner: Owner): Peer<Owner> {
    let ports = this.#byAddress.get(address);
    if (ports === undefined) {
      ports = new Map();
      this.#byAddress.set(address, ports);
    }
    let peer = ports.get(port);
    if (peer === undefined) {
      peer = new KnownPeer<Owner>(address, port, this.#family);
      ports.set(port, peer);
    }
    peer.owner = owner;
    return peer;
  }

  /** Forgets an adopted peer; one that was adopted again since keeps its new entry. */
  release(peer: Peer<Owner>): void {
    const ports = this.#byAddress.get(peer.address);
    const known = ports?.get(peer.port);
    if (ports === undefined || known !== peer) return;
    known.owner = undefined;
    known.isReleased = true;
    ports.delete(peer.port);
    if (ports.size === 0) this.#byAddress.delete(peer.address);
  }
}

export class KnownPeer<Owner> implements Peer<Owner> {
  address: string;
  port: number;
  readonly family: Family;
  owner: Owner | undefined = undefined;
  isReleased = false;

  constructor(address: string, port: number, family: Family) {
    this.address = address;
    this.port = port;
    this.family = family;
  }
}
