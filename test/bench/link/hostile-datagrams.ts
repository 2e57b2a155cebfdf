/** What somebody sends to a link who can forge addresses and has listened: seeded, and pure but for the seed's state. */
import { FRAME_OVERHEAD_BYTES, HEADER_BYTES } from '../../../protocol/octo/header.ts';
import type { Chance } from '../../soak/chance.ts';

/** forged: a real header around other bytes; replayed: as it was; mutated: a bit or three changed; cut: its beginning; noise: anything; handshake: a DTLS record of anything. */
export const HOSTILE_KINDS = ['forged', 'replayed', 'mutated', 'cut', 'noise', 'handshake'] as const;
export type HostileKind = (typeof HOSTILE_KINDS)[number];

const NOISE_BYTES_MAX = 1_200;
const MUTATIONS_MAX = 3;
/** RFC 6347 section 4.1: type (handshake), version 1.2, epoch and sequence, length. */
const DTLS_HEADER_BYTES = 13;
const DTLS_HANDSHAKE = 22;

export class HostileDatagrams {
  readonly #chance: Chance;
  readonly #heard: readonly Uint8Array[];
  #next = 0;

  /** `heard`: frames of the link, at least one, and whatever else was sent over it. */
  constructor(chance: Chance, heard: readonly Uint8Array[]) {
    if (!heard.some(bytes => bytes.length >= FRAME_OVERHEAD_BYTES)) throw new RangeError('no frame has been heard');
    this.#chance = chance;
    this.#heard = heard;
  }

  /** The kinds take turns. Never a datagram that the link would take for the first time: the peer has sent every whole frame before. */
  next(): { readonly kind: HostileKind; readonly bytes: Uint8Array } {
    const kind = HOSTILE_KINDS[this.#next++ % HOSTILE_KINDS.length];
    return { kind, bytes: this.#make(kind) };
  }

  #make(kind: HostileKind): Uint8Array {
    const chance = this.#chance;
    const heard = this.#heard[chance.below(this.#heard.length)];
    switch (kind) {
      case 'replayed':
        return heard;
      case 'forged': {
        const bytes = Buffer.from(heard);
        if (bytes.length > HEADER_BYTES) chance.fill(bytes, HEADER_BYTES, bytes.length);
        return bytes;
      }
      case 'mutated': {
        const bytes = Buffer.from(heard);
        // An odd number of single bits: what is changed is never changed back.
        for (let count = 1 + 2 * chance.below((MUTATIONS_MAX + 1) / 2); count > 0; count--) {
          bytes[chance.below(bytes.length)] ^= 1 << chance.below(8);
        }
        return bytes;
      }
      case 'cut':
        return heard.subarray(0, chance.below(heard.length));
      case 'noise':
        return chance.bytes(1 + chance.below(NOISE_BYTES_MAX));
      case 'handshake': {
        const bytes = chance.bytes(DTLS_HEADER_BYTES + chance.below(NOISE_BYTES_MAX));
        bytes.set([DTLS_HANDSHAKE, 0xfe, 0xfd, 0, 0]);
        bytes.writeUInt16BE(bytes.length - DTLS_HEADER_BYTES, DTLS_HEADER_BYTES - 2);
        return bytes;
      }
    }
  }
}
