/** What somebody sends to an Octo port who has the peer's address and no key: seeded, so that a run can be had again. */

/** Each kind is refused at another place, and costs something else. */
export const HOSTILE_KINDS = [
  /** Not even the first byte fits: neither Octo nor DTLS. */
  'other-protocol',
  /** An Octo frame of a version that is not ours. */
  'wrong-version',
  /** Too short for a header and a tag. */
  'short',
  /** A header that says that the frame may cross no link. */
  'no-hops',
  /** DTLS by its first byte, nothing behind it. */
  'dtls-junk',
  /** A DTLS ClientHello, well-formed, each another one. */
  'client-hello',
  /** An authentic datagram that has been taken before. */
  'replayed',
  /** As long as the peer's newest, with a header as the peer would write it next, and no tag of its. */
  'forged',
  /** The same, as long as a slot is. */
  'oversized',
  /** An authentic datagram of which some bits are others. */
  'mutated',
  /** An authentic datagram that ends too soon, or goes on too long. */
  'cut',
  /** Bytes, any of them. */
  'random',
] as const;
export type HostileKind = (typeof HOSTILE_KINDS)[number];

export const HOSTILE_BYTES_MAX = 2048;
const FRAME_BYTES_MIN = 36;
const NOISE_BYTES = 65_536;
const OCTO_FIRST = 0xe0;
/** ClientHello of 100 bytes or so: version, random, no session, no cookie, one cipher suite, no compression. */
const HELLO_BYTES = 67;

export class HostileDatagrams {
  /** The kind of the datagram that {@link next} has written. */
  kind: HostileKind = 'random';
  readonly #taken: readonly Buffer[];
  /** Parts of it are noise, and cost no more than a copy: whoever makes a flood may share its process with the network. */
  readonly #noiseBytes = Buffer.allocUnsafe(NOISE_BYTES);
  #state: number;

  /** `taken`: authentic datagrams that the receiver has taken already, the newest last; there is at least one. */
  constructor(seed: number, taken: readonly Buffer[]) {
    this.#state = seed >>> 0;
    this.#taken = taken;
    for (let index = 0; index < NOISE_BYTES; index++) this.#noiseBytes[index] = this.#below(256);
  }

  /** Writes a datagram to `target`, which has room for {@link HOSTILE_BYTES_MAX}, and returns its length. Without `kind` it is any. */
  next(target: Buffer, kind: HostileKind = HOSTILE_KINDS[this.#below(HOSTILE_KINDS.length)]): number {
    this.kind = kind;
    switch (kind) {
      case 'other-protocol':
        return this.#noise(
          target,
          this.#below(2) === 0 ? this.#below(20) : 64 + this.#below(128),
          1 + this.#below(300),
        );
      case 'wrong-version':
        return this.#noise(target, [0xc0, 0xd0, 0xf0][this.#below(3)] + this.#below(16), 36 + this.#below(300));
      case 'short':
        return this.#noise(target, OCTO_FIRST + this.#below(16), 1 + this.#below(FRAME_BYTES_MIN - 1));
      case 'no-hops': {
        const length = this.#noise(target, OCTO_FIRST + this.#below(16), 36 + this.#below(300));
        target[1] &= 0x0f;
        return length;
      }
      case 'dtls-junk':
        return this.#noise(target, 20 + this.#below(44), 1 + this.#below(300));
      case 'client-hello':
        return this.#hello(target);
      case 'replayed':
        return this.#copy(target);
      case 'forged':
        return this.#forged(target, this.#taken[this.#taken.length - 1].length);
      case 'oversized':
        return this.#forged(target, HOSTILE_BYTES_MAX - this.#below(200));
      case 'mutated':
        return this.#mutated(target);
      case 'cut':
        return this.#cut(target);
      case 'random':
        return this.#noise(target, this.#below(256), 1 + this.#below(1400));
    }
  }

  #noise(target: Buffer, first: number, length: number): number {
    const start = this.#below(NOISE_BYTES - length);
    this.#noiseBytes.copy(target, 0, start, start + length);
    target[0] = first;
    return length;
  }

  #copy(target: Buffer): number {
    return this.#taken[this.#below(this.#taken.length)].copy(target);
  }

  /** As the peer's next media frames begin: label and number are those of its newest datagram, or a little ahead. */
  #forged(target: Buffer, length: number): number {
    this.#noise(target, OCTO_FIRST, length);
    this.#taken[this.#taken.length - 1].copy(target, 1, 1, 20);
    this.#renumber(target);
    return length;
  }

  #mutated(target: Buffer): number {
    const length = this.#copy(target);
    // Mostly with a new number, or it would be refused as a replay; and then bits anywhere.
    if (this.#below(4) !== 0) this.#renumber(target);
    const flips = 1 + this.#below(4);
    for (let flip = 0; flip < flips; flip++) target[this.#below(length)] ^= 1 + this.#below(255);
    return length;
  }

  #cut(target: Buffer): number {
    const length = this.#copy(target);
    if (this.#below(4) !== 0) this.#renumber(target);
    if (this.#below(2) === 0) return 1 + this.#below(length - 1);
    const more = 1 + this.#below(100);
    for (let index = 0; index < more; index++) target[length + index] = this.#below(256);
    return length + more;
  }

  /** A number that the peer has not used yet, and soon will. */
  #renumber(target: Buffer): void {
    const newest = this.#taken[this.#taken.length - 1];
    target.writeUInt32BE((newest.readUInt32BE(4) + 1 + this.#below(100)) >>> 0, 4);
  }

  #hello(target: Buffer): number {
    const record = Buffer.from('16feff00000000000000000000', 'hex');
    record.copy(target);
    target.writeUInt16BE(12 + HELLO_BYTES, 11);
    target[13] = 1;
    target.writeUIntBE(HELLO_BYTES, 14, 3);
    target.fill(0, 17, 22);
    target.writeUIntBE(HELLO_BYTES, 22, 3);
    for (let index = 0; index < HELLO_BYTES; index++) target[25 + index] = this.#below(256);
    target.writeUInt16BE(0xfefd, 25);
    Buffer.from('00000002c02b0100', 'hex').copy(target, 25 + 34);
    return 25 + HELLO_BYTES;
  }

  /** An integer from 0 up to `bound` (mulberry32). */
  #below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
}
