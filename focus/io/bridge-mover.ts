/** Moves participants to other bridges: finds each a place in the store, begins the move in its room, and knows how it ends. */

import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import type { Logger } from 'pino';
import type { BridgeId } from '../../protocol/ids.ts';
import { canMove, MOVE_TIMED_OUT, startMove } from '../conference/bridge-move.ts';
import type { EndpointMover, MoveCause, MoveFailure, MoveOutcome } from '../conference/endpoint-mover.ts';
import { leave } from '../conference/joining.ts';
import type { Participant } from '../conference/participant.ts';
import type { Room } from '../conference/room.ts';
import type { RoomOutput } from '../conference/room-output.ts';
import { placementOf } from '../conference/room-placement.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { MovePlaced, MovePlacement, Placements } from '../placement/placement.ts';

export interface BridgeMoverOptions {
  readonly placements: Pick<Placements, 'move'>;
  /** True while there is a link to that bridge. */
  readonly isUp: (bridgeId: BridgeId) => boolean;
  readonly metrics: Pick<FocusMetrics, 'moves' | 'moveSeconds'>;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Carries out what a room wants done. */
  readonly apply: (room: Room) => void;
}

/**
 * So long after a move the next one waits, unless the bridge is lost. SDKs go on resuming for a moment after their media is up, and take another end of their signalling in it for a
 * failure of the session (decision 0016).
 */
export const SETTLED_MS = 2_000;
/** A bridge that dies while the store is asked is not gone to. */
const PLACES_MAX = 3;

type Ended = Extract<RoomOutput, { kind: 'moved' | 'left' }>;

interface Moving {
  readonly outcome: Promise<MoveOutcome>;
  readonly end: (outcome: MoveOutcome) => void;
  cause: MoveCause;
  /** Where its media is to come up; null until it has a place there. */
  to: BridgeId | null;
}

export class BridgeMover implements EndpointMover {
  readonly #options: BridgeMoverOptions;
  /** By participant SID. */
  readonly #moving = new Map<string, Moving>();
  readonly #movedAtMs = new WeakMap<Participant, number>();

  constructor(options: BridgeMoverOptions) {
    this.#options = options;
  }

  async moveEndpoint(
    room: Room,
    participant: Participant,
    to: BridgeId | null,
    cause: MoveCause,
  ): Promise<MoveOutcome> {
    const { sid, bridgeId } = participant;
    if (participant.forwards !== null) return { kind: 'not-moved', reason: 'forwarded' };
    const before = this.#moving.get(sid);
    // On its way already: it goes on, unless the bridge that it goes to is the one that is lost.
    if (before !== undefined && !(cause === 'bridge-lost' && before.to === bridgeId)) return before.outcome;
    const moving = before ?? newMoving(cause);
    moving.cause = cause;
    moving.to = null;
    this.#moving.set(sid, moving);
    // Not waited for: the store may be slow to answer for a room that is another focus's by then.
    void this.#begin(room, participant, to, cause, moving).then(reason => {
      if (reason !== undefined) this.#end(room, participant, cause, moving, { kind: 'not-moved', reason });
    });
    return moving.outcome;
  }

  /** Another focus serves the room now: what is under way in it is that focus's. */
  handleDropped(room: Room): void {
    for (const participant of room.participants.values()) {
      const moving = this.#moving.get(participant.sid);
      if (moving !== undefined)
        this.#end(room, participant, moving.cause, moving, { kind: 'not-moved', reason: 'gone' });
    }
  }

  /** A participant's media is up elsewhere, or it has left: call it with each such output of a room. */
  handleEnded(room: Room, output: Ended): void {
    const moving = this.#moving.get(output.participantSid);
    const participant = { sid: output.participantSid, identity: output.identity };
    if (output.kind === 'moved') {
      const { from, bridgeId: to, cause, tookMs } = output;
      const moved = room.withSid(participant.sid);
      if (moved !== undefined) this.#movedAtMs.set(moved, this.#options.nowMs());
      this.#end(room, participant, cause, moving, { kind: 'moved', from, to, tookMs });
    } else if (moving !== undefined) {
      const reason = output.cause === MOVE_TIMED_OUT ? 'timed-out' : 'left';
      this.#end(room, participant, moving.cause, moving, { kind: 'not-moved', reason });
    }
  }

  /** Undefined: it is on its way. Never rejects. */
  async #begin(
    room: Room,
    participant: Participant,
    to: BridgeId | null,
    cause: MoveCause,
    moving: Moving,
  ): Promise<MoveFailure | undefined> {
    const { isUp, log, nowMs, apply } = this.#options;
    const isLost = cause === 'bridge-lost';
    if (!isPresent(room, participant)) return 'gone';
    if (to === participant.bridgeId && !isLost) return 'same-bridge';
    if (!isLost && nowMs() - (this.#movedAtMs.get(participant) ?? Number.NEGATIVE_INFINITY) < SETTLED_MS) {
      return 'moved-just-now';
    }
    if (!canMove(participant)) return this.#sendAway(room, participant, `${cause}: its client cannot be moved`);
    if (!isLost && participant.signalLostAtMs !== null) return 'signal-away';
    const from = participant.bridgeId;
    try {
      const old = participant.move?.old;
      const isAllowed = (id: BridgeId) => id !== from && id !== old && (to === null || id === to) && isUp(id);
      let placed = await this.#place(room, participant, cause, isAllowed);
      // A bridge that was lost because it has started anew is as good as any, but the last to be thought of.
      if (placed.kind === 'no-bridge' && isLost && isUp(from)) {
        placed = await this.#place(room, participant, cause, id => id === from);
      }
      // Dropped meanwhile, with the move.
      if (this.#moving.get(participant.sid) !== moving) return 'gone';
      if (!isPresent(room, participant)) return 'left';
      if (placed.kind === 'unknown') return 'gone';
      if (placed.kind === 'no-bridge') {
        if (isLost) this.#sendAway(room, participant, 'its bridge is lost, and no other can take it');
        return 'no-bridge';
      }
      const { placement } = placed;
      moving.to = placement.bridgeId;
      startMove(
        room,
        nowMs(),
        participant,
        { bridgeId: placement.bridgeId, bridgeRegion: placement.bridgeRegion! },
        cause,
        isLost || !isUp(from),
      );
      log.info(
        { ...about(room, participant), from, to: placement.bridgeId, rule: placement.rule, cause },
        'participant is moving to another bridge',
      );
      apply(room);
      return undefined;
    } catch (error) {
      log.error({ ...about(room, participant), from, cause, error: String(error) }, 'participant not moved');
      if (isLost && this.#moving.get(participant.sid) === moving && isPresent(room, participant))
        this.#sendAway(room, participant, 'its bridge is lost, and the store is away');
      return 'no-bridge';
    }
  }

  async #place(
    room: Room,
    participant: Participant,
    cause: MoveCause,
    isAllowed: MovePlacement['isAllowed'],
  ): Promise<MovePlaced> {
    const { endpointId, sid, identity, region, bridgeId: from } = participant;
    const { conferenceId, name } = room.identity;
    const { placements, isUp } = this.#options;
    const request = {
      conferenceId,
      room: name,
      endpointId,
      sid,
      identity,
      region,
      from,
      cause,
      isAllowed,
      ...placementOf(room),
    };
    for (let count = 1; ; count++) {
      const placed = await placements.move(request);
      if (placed.kind !== 'moved' || isUp(placed.placement.bridgeId) || count === PLACES_MAX) return placed;
    }
  }

  /** It cannot stay and cannot be moved: its client joins anew. */
  #sendAway(room: Room, participant: Participant, why: string): 'left' {
    leave(room, this.#options.nowMs(), participant, {
      reason: DisconnectReason.MIGRATION,
      action: LeaveRequest_Action.RECONNECT,
      cause: why,
    });
    this.#options.apply(room);
    return 'left';
  }

  #end(
    room: Room,
    participant: { readonly sid: string; readonly identity: string },
    cause: MoveCause,
    moving: Moving | undefined,
    outcome: MoveOutcome,
  ): void {
    if (moving !== undefined) {
      if (this.#moving.get(participant.sid) !== moving) return;
      this.#moving.delete(participant.sid);
      moving.end(outcome);
    }
    const { metrics, log } = this.#options;
    const result = outcome.kind === 'moved' ? 'moved' : outcome.reason;
    metrics.moves.inc({ cause, outcome: result });
    if (outcome.kind === 'moved') metrics.moveSeconds.observe({ cause }, outcome.tookMs / 1000);
    const { kind, ...details } = outcome;
    const level = kind === 'moved' ? 'info' : 'warn';
    log[level](
      { ...about(room, participant), cause, ...details },
      kind === 'moved' ? 'participant moved' : 'participant not moved',
    );
  }
}

function newMoving(cause: MoveCause): Moving {
  const { promise: outcome, resolve: end } = Promise.withResolvers<MoveOutcome>();
  return { outcome, end, cause, to: null };
}

function isPresent(room: Room, participant: Participant): boolean {
  return room.withSid(participant.sid) === participant;
}

function about(room: Room, { sid, identity }: { readonly sid: string; readonly identity: string }) {
  return { room: room.identity.name, participant: identity, participantSid: sid };
}
