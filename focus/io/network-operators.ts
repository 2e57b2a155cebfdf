/** What operators ask of any focus and all of them know together: who is to be moved, how far drains are, the latest placements. */
import { DecodeError } from '../../protocol/errors.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { FocusNetwork } from '../api/focus-routes.ts';
import type { MoveAnswer, MoveOrder } from '../api/move-routes.ts';
import { type DrainProgress, progressOf } from '../bridges/drains.ts';
import { FocusError } from '../errors.ts';
import type { PlacementExplanation, Placements } from '../placement/placement.ts';
import type { ConferenceHost } from './conference-host.ts';
import type { RoomNetwork } from './network-rooms.ts';
import type { CallHandler } from './peer-home.ts';
import { PeerUnavailable } from './peer-link.ts';
import type { PeerLinks } from './peer-links.ts';

export interface NetworkOperatorsOptions {
  readonly focusId: string;
  readonly host: Pick<ConferenceHost, 'roomsOf' | 'moveParticipant'>;
  readonly placements: Pick<Placements, 'explanations'>;
  /** Of the participants whose home this focus is. */
  readonly drainProgress: (bridgeId: BridgeId) => DrainProgress | undefined;
  readonly rooms: Pick<RoomNetwork, 'gather'>;
  readonly links: Pick<PeerLinks, 'call'>;
}

interface Whereabouts {
  readonly focusId: string;
  readonly rooms: readonly string[];
}

type Progress = readonly (readonly [string, DrainProgress])[];

/** Of each other focus: what an operator looks through. Who asks about one participant is answered from all. */
const PLACEMENTS_MAX = 100;
/** A client that does not come back is given up sooner. */
const MOVE_TIMEOUT_MS = 60_000;

export class NetworkOperators {
  readonly #options: NetworkOperatorsOptions;

  constructor(options: NetworkOperatorsOptions) {
    this.#options = options;
  }

  /** What other focuses call here. */
  calls(): Readonly<Record<string, CallHandler>> {
    const { focusId, host, placements } = this.#options;
    return {
      'participants.find': body => ({ ok: true, value: { focusId, rooms: host.roomsOf(orderOf(body)) } }),
      'participants.move': async body => ({ ok: true, value: await host.moveParticipant(orderOf(body)) }),
      'drains.progress': body => ({ ok: true, value: this.#ownProgress(namesOf(body)) }),
      'placements.list': () => ({ ok: true, value: placements.explanations().slice(0, PLACEMENTS_MAX) }),
    };
  }

  /** Moves whoever is meant, at whichever focus its room is. Rejects with FocusError `focus-unavailable` when it may be at one that does not answer. */
  async moveParticipant(order: MoveOrder): Promise<MoveAnswer> {
    const { focusId: self, host, rooms, links } = this.#options;
    const { values, silent } = await rooms.gather('participants.find', order, body => body as Whereabouts);
    const found = [{ focusId: self, rooms: host.roomsOf(order) }, ...values].filter(one => one.rooms.length > 0);
    const names = found.flatMap(one => one.rooms);
    if (names.length > 1) return { kind: 'ambiguous', rooms: names.sort() };
    const [home] = found;
    if (home === undefined) {
      if (silent.length > 0) throw new FocusError('focus-unavailable', silent.join(', '));
      return { kind: 'not-found' };
    }
    if (home.focusId === self) return host.moveParticipant(order);
    try {
      const answer = await links.call(home.focusId, 'participants.move', order, MOVE_TIMEOUT_MS);
      if (answer.ok) return answer.value as MoveAnswer;
    } catch (error) {
      if (!(error instanceof PeerUnavailable)) throw error;
    }
    throw new FocusError('focus-unavailable', home.focusId);
  }

  /** Of all focuses that answer, added up. Bridges that have not been drained lately are not in it. */
  async drainProgress(bridgeIds: readonly BridgeId[]): Promise<ReadonlyMap<string, DrainProgress>> {
    const { rooms } = this.#options;
    // How far a drain is does not matter more than the drain: nothing is refused because the store is away.
    const gathered = rooms.gather('drains.progress', bridgeIds, body => body as Progress).catch(() => undefined);
    const values = (await gathered)?.values ?? [];
    const parts = Map.groupBy([...this.#ownProgress(bridgeIds), ...values.flat()], ([bridgeId]) => bridgeId);
    return new Map(
      [...parts].flatMap(([bridgeId, rows]) => {
        const progress = progressOf(rows.map(([, part]) => part));
        return progress === undefined ? [] : [[bridgeId, progress] as const];
      }),
    );
  }

  /** The newest first: of this focus all that it remembers, of the others the latest. */
  async placements(): ReturnType<FocusNetwork['placements']> {
    const { rooms, placements } = this.#options;
    const { values, silent } = await rooms.gather('placements.list', null, body => body as PlacementExplanation[]);
    const all = [...placements.explanations(), ...values.flat()];
    return { placements: all.sort((a, b) => b.placement.at - a.placement.at), silent };
  }

  #ownProgress(bridgeIds: readonly string[]): Progress {
    return bridgeIds.flatMap(bridgeId => {
      const progress = this.#options.drainProgress(bridgeId as BridgeId);
      return progress === undefined ? [] : [[bridgeId, progress] as const];
    });
  }
}

function orderOf(body: unknown): MoveOrder {
  const { participant, room, to } = (body ?? {}) as Record<string, unknown>;
  const isRoom = room === undefined || room === null || typeof room === 'string';
  if (typeof participant !== 'string' || !isRoom || (to !== null && typeof to !== 'string')) {
    throw new DecodeError('participants-move');
  }
  return { participant, room: room ?? undefined, to: to as BridgeId | null };
}

function namesOf(body: unknown): string[] {
  if (!Array.isArray(body) || !body.every(one => typeof one === 'string')) throw new DecodeError('drains-progress');
  return body;
}
