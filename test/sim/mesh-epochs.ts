import type { ConferenceId } from '../../protocol/ids.ts';
import type { Focus } from './focus.ts';
import type { SimBridge } from './sim-bridge.ts';

/**
 * When two bridges forget each other in a conference: one of them is another process, its link to the other was made anew, or one has left the conference and
 * come back. What was under way between them then need not arrive.
 */
export class MeshEpochs {
  readonly #bridges: readonly SimBridge[];
  readonly #focus: Focus;
  readonly #epochs = new Map<string, number>();
  readonly #before = new Map<string, unknown>();

  constructor(bridges: readonly SimBridge[], focus: Focus) {
    this.#bridges = bridges;
    this.#focus = focus;
  }

  /** Of a pair, either way. */
  epoch(conferenceId: ConferenceId, a: SimBridge, b: SimBridge): number {
    return this.#epochs.get(keyOf(conferenceId, a, b)) ?? 0;
  }

  /** After anything that could have changed it. */
  refresh(): void {
    for (const conferenceId of this.#focus.rooms.keys()) {
      for (const bridge of this.#bridges) {
        for (const other of this.#bridges) if (bridge !== other) this.#look(conferenceId, bridge, other);
      }
    }
  }

  #look(conferenceId: ConferenceId, bridge: SimBridge, other: SimBridge): void {
    const shares = this.#focus.applied(bridge, conferenceId)?.bridges.has(other.id) === true;
    const link = shares ? bridge.process?.relay.linkTo(other.id) : undefined;
    const key = `${conferenceId}/${bridge.index}/${other.index}`;
    if (this.#before.get(key) === link) return;
    this.#before.set(key, link);
    const pair = keyOf(conferenceId, bridge, other);
    this.#epochs.set(pair, (this.#epochs.get(pair) ?? 0) + 1);
  }
}

function keyOf(conferenceId: ConferenceId, a: SimBridge, b: SimBridge): string {
  const [first, second] = a.index < b.index ? [a, b] : [b, a];
  return `${conferenceId}/${first.index}/${second.index}`;
}
