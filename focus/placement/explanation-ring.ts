/** The newest explanations, for whoever asks why. */
import type { Placement, PlacementExplanation } from './placement.ts';

/** Written at every join and read only when somebody asks: the newest overwrites the oldest, field by field, and nothing is allocated. */
export class ExplanationRing {
  readonly #max: number;
  readonly #sids: string[] = [];
  readonly #identities: string[] = [];
  readonly #rooms: string[] = [];
  readonly #moves: PlacementExplanation['move'][] = [];
  readonly #placements: Placement[] = [];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** `move`: of a participant that was moved, and not placed by its join. */
  add(sid: string, identity: string, room: string, placement: Placement, move?: PlacementExplanation['move']): void {
    const at = this.#next;
    this.#sids[at] = sid;
    this.#identities[at] = identity;
    this.#rooms[at] = room;
    this.#moves[at] = move;
    this.#placements[at] = placement;
    this.#next = (at + 1) % this.#max;
  }

  /** Of a SID that was placed again only the newest. */
  newestFirst(): PlacementExplanation[] {
    const seen = new Set<string>();
    const explanations: PlacementExplanation[] = [];
    for (let back = 1; back <= this.#sids.length; back++) {
      const at = (this.#next - back + this.#sids.length) % this.#sids.length;
      const sid = this.#sids[at]!;
      if (seen.has(sid)) continue;
      seen.add(sid);
      const [identity, room, move, placement] = [
        this.#identities[at]!,
        this.#rooms[at]!,
        this.#moves[at],
        this.#placements[at]!,
      ];
      explanations.push({ sid, identity, room, ...(move === undefined ? {} : { move }), placement });
    }
    return explanations;
  }
}
