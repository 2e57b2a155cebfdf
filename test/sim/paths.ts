import type { PathSettings } from '../wan/path-settings.ts';
import type { Agenda } from './agenda.ts';
import type { Network } from './network.ts';

/** What a pair of bridges may expect of the network between them: the worse of its two directions. Worst last. */
export const PATH_CLASSES = ['clean', 'lossy', 'limited', 'cut'] as const;
export type PathClass = (typeof PATH_CLASSES)[number];

/** The paths between bridges, what each is worth, and since when. */
export class Paths {
  readonly #agenda: Agenda;
  readonly #network: Network;
  readonly #changedMs = new Map<number, number>();
  /** Counts changes of any path. */
  changes = 0;

  constructor(agenda: Agenda, network: Network) {
    this.#agenda = agenda;
    this.#network = network;
  }

  /** One direction. */
  change(from: number, to: number, settings: Partial<PathSettings>): void {
    this.#network.path(from, to).change(settings);
    this.#changedMs.set(pairOf(from, to), this.#agenda.nowMs);
    this.changes++;
  }

  classOf(a: number, b: number): PathClass {
    const there = rankOf(this.#network.path(a, b).settings);
    const back = rankOf(this.#network.path(b, a).settings);
    return PATH_CLASSES[Math.max(there, back)];
  }

  rttMs(a: number, b: number): number {
    return this.#network.path(a, b).settings.delayMs + this.#network.path(b, a).settings.delayMs;
  }

  /** When either direction was changed last. */
  changedMs(a: number, b: number): number {
    return this.#changedMs.get(pairOf(a, b)) ?? 0;
  }
}

/** Delay, jitter, reordering and duplicates lose nothing: such a path is clean. */
function rankOf({ isCut, rateBps, lossShare, randomLossShare }: PathSettings): number {
  if (isCut) return 3;
  if (rateBps > 0) return 2;
  return lossShare > 0 || randomLossShare > 0 ? 1 : 0;
}

function pairOf(a: number, b: number): number {
  return a < b ? a * 64 + b : b * 64 + a;
}
