/** What bridges say of each other's links, and what follows from it for one of them. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { LinksSign } from './bridge-health.ts';

type Word = 'heard' | 'silent';

export class NeighbourWords {
  /** Who says what of whom. */
  readonly #from = new Map<BridgeId, Map<BridgeId, Word>>();

  note(from: BridgeId, about: BridgeId, word: Word | 'gone'): void {
    const said = this.#from.get(from) ?? new Map<BridgeId, Word>();
    this.#from.set(from, said);
    if (word === 'gone') said.delete(about);
    else said.set(about, word);
  }

  /** `from` is about to say everything anew. */
  startAnew(from: BridgeId): void {
    this.#from.delete(from);
  }

  /** Nothing that it said, or that was said of it, counts any more. */
  forget(bridgeId: BridgeId): void {
    this.#from.delete(bridgeId);
    for (const said of this.#from.values()) said.delete(bridgeId);
  }

  /** `isSure`: whether a bridge is itself heard by this focus, so that its word is of now. */
  about(
    bridgeId: BridgeId,
    isSure: (from: BridgeId) => boolean,
  ): { readonly sign: LinksSign; readonly neighbours: Readonly<Record<string, Word>> } {
    const neighbours: Record<string, Word> = {};
    let sign: LinksSign = 'none';
    for (const [from, said] of this.#from) {
      const word = said.get(bridgeId);
      if (word === undefined || from === bridgeId || !isSure(from)) continue;
      neighbours[from] = word;
      if (word === 'heard') sign = 'heard';
      else if (sign === 'none' || sign === 'unclear') sign = this.#hearsOthers(from, bridgeId) ? 'silent' : 'unclear';
    }
    return { sign, neighbours };
  }

  /** A bridge that hears another one is not the end of the link that fails. */
  #hearsOthers(from: BridgeId, but: BridgeId): boolean {
    for (const [about, word] of this.#from.get(from)!) if (about !== but && word === 'heard') return true;
    return false;
  }
}
