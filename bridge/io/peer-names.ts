import type { Peer } from './datagram-port.ts';
import { NativeMemory } from './native/native-memory.ts';
import { NAME_BYTES, NAME_WORDS, nameBytesAt, readName, type SocketName, writeName } from './native/socket-name.ts';

/** Strangers that can be answered in one turn. More of them wait for nothing: what is for them is dropped and counted. */
export const LENT_NAMES = 64;

const PEERS_START = 256;
const NONE = -1;
/** Of NAME_WORDS; no address reaches further. */
const COMPARED_WORDS = 7;

/** A remote address of a fast port. Its text is made when somebody asks. */
export class NamedPeer<Owner> implements Peer<Owner> {
  owner: Owner | undefined = undefined;
  /** Place of its name in the table; NONE for a released one. */
  index: number;
  readonly #names: PeerNames<Owner>;
  #text: SocketName | undefined;

  constructor(names: PeerNames<Owner>, index: number) {
    this.#names = names;
    this.index = index;
  }

  get address(): string {
    return this.#name().address;
  }

  get port(): number {
    return this.#name().port;
  }

  get family(): 'IPv4' | 'IPv6' {
    return this.#name().family;
  }

  /** Out of the table; what it was called can still be asked, for logs. */
  retire(): void {
    this.#name();
    this.owner = undefined;
    this.index = NONE;
  }

  /** For the cursor, whose name has changed. */
  forget(): void {
    this.#text = undefined;
  }

  #name(): SocketName {
    this.#text ??= this.#names.read(this.index);
    return this.#text;
  }
}

/**
 * The remote addresses a port knows, as the kernel has them (`sockaddr`), in native memory: found from a received name without making a string or a key. Place
 * 0 is the shared cursor of strangers, the next {@link LENT_NAMES} are lent to those being answered, then come the adopted. Grows by doubling; hashed with linear probing.
 */
export class PeerNames<Owner> {
  memory: NativeMemory;
  /** The shared cursor: {@link find} leaves strangers here. */
  readonly stranger: NamedPeer<Owner>;
  readonly #family: 'IPv4' | 'IPv6';
  readonly #adopted: (NamedPeer<Owner> | undefined)[] = [];
  readonly #unused: number[] = [];
  #next = 1 + LENT_NAMES;
  #capacity = PEERS_START;
  /** Index of the peer by hash; a power of two, at most half full. */
  #table = new Int32Array(PEERS_START * 4).fill(NONE);
  /** Where a name to look up is put when it does not come from a receive batch. */
  readonly #asked = new Uint32Array(NAME_WORDS);

  constructor(family: 'IPv4' | 'IPv6') {
    this.#family = family;
    this.memory = new NativeMemory(this.#capacity * NAME_BYTES);
    this.stranger = new NamedPeer(this, 0);
  }

  /** Peers adopted now. */
  get size(): number {
    return this.#next - 1 - LENT_NAMES - this.#unused.length;
  }

  /** The adopted peer with the name at `words[at]`, or the shared cursor, moved there. */
  find(words: Uint32Array, at: number): NamedPeer<Owner> {
    const known = this.#adopted[this.#lookUp(words, at)];
    if (known !== undefined) return known;
    const own = this.memory.words;
    for (let word = 0; word < NAME_WORDS; word++) own[word] = words[at + word];
    this.stranger.forget();
    return this.stranger;
  }

  adopt(address: string, port: number, owner: Owner): NamedPeer<Owner> {
    writeName(this.#asked, 0, { address, port, family: this.#family });
    const known = this.#adopted[this.#lookUp(this.#asked, 0)];
    if (known !== undefined) {
      known.owner = owner;
      return known;
    }
    const index = this.#unused.pop() ?? this.#next++;
    if (index >= this.#capacity) this.#grow();
    this.memory.words.set(this.#asked, index * NAME_WORDS);
    const peer = new NamedPeer(this, index);
    peer.owner = owner;
    this.#adopted[index] = peer;
    this.#enter(index);
    return peer;
  }

  /** Forgets an adopted peer; its place is free from now on. False when it was not there. */
  release(peer: Peer<Owner>): boolean {
    const known = peer as NamedPeer<Owner>;
    const { index } = known;
    if (index <= LENT_NAMES || this.#adopted[index] !== known) return false;
    known.retire();
    this.#adopted[index] = undefined;
    this.#unused.push(index);
    this.#rebuild();
    return true;
  }

  /** Copies the cursor's name to place `index` of those that are lent (1 to LENT_NAMES). */
  lend(index: number): void {
    this.memory.words.copyWithin(index * NAME_WORDS, 0, NAME_WORDS);
  }

  lengthOf(index: number): number {
    return nameBytesAt(this.memory.words, index * NAME_WORDS);
  }

  read(index: number): SocketName {
    return readName(this.memory.words, index * NAME_WORDS);
  }

  /** Index of the peer with this name, or NONE. */
  #lookUp(words: Uint32Array, at: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    const own = this.memory.words;
    for (let place = hashName(words, at) & mask; ; place = (place + 1) & mask) {
      const index = table[place];
      if (index === NONE || isSameName(own, index * NAME_WORDS, words, at)) return index;
    }
  }

  #enter(index: number): void {
    if (this.size * 2 > this.#table.length) return this.#rebuild();
    const mask = this.#table.length - 1;
    let place = hashName(this.memory.words, index * NAME_WORDS) & mask;
    while (this.#table[place] !== NONE) place = (place + 1) & mask;
    this.#table[place] = index;
  }

  /** Linear probing has no cheap removal; peers leave seldom. */
  #rebuild(): void {
    const places = Math.max(PEERS_START * 4, 2 ** Math.ceil(Math.log2(this.size * 4)));
    if (places === this.#table.length) this.#table.fill(NONE);
    else this.#table = new Int32Array(places).fill(NONE);
    for (let index = 1 + LENT_NAMES; index < this.#next; index++)
      if (this.#adopted[index] !== undefined) this.#enter(index);
  }

  #grow(): void {
    this.#capacity *= 2;
    const memory = new NativeMemory(this.#capacity * NAME_BYTES);
    memory.bytes.set(this.memory.bytes);
    this.memory = memory;
  }
}

/** Over family, port and address, any bit of which changes all bits of it: clients behind one address differ in a few bits of the port. */
export function hashName(words: Uint32Array, at: number): number {
  let value = words[at];
  for (let word = 1; word < COMPARED_WORDS; word++)
    value = Math.imul(value ^ (value >>> 15) ^ words[at + word], 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

function isSameName(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  return (
    a[atA] === b[atB] &&
    a[atA + 1] === b[atB + 1] &&
    a[atA + 2] === b[atB + 2] &&
    a[atA + 3] === b[atB + 3] &&
    a[atA + 4] === b[atB + 4] &&
    a[atA + 5] === b[atB + 5] &&
    a[atA + 6] === b[atB + 6]
  );
}
