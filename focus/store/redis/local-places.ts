/**
 * What a home does for its own conferences while the store is away, or is slower than a client is made to wait: places, moves and leaves on this focus's own
 * view of bridges, which its own reports keep fresh, and with endpoint IDs that the store does not give out. The store is put right afterwards, by `upkeep.ts`.
 */
import type { BridgeId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type {
  Assigned,
  AssignRequest,
  Choose,
  ConferenceRecord,
  Moved,
  MoveRequest,
  ParticipantRecord,
} from '../store.ts';
import type { Attempt } from './assignment.ts';
import { IndexedView } from './bridge-view.ts';
import type { HeldConference } from './holdings.ts';
import type { HasBridge, StoreContext } from './optimism.ts';
import type { LocalReason, Patience } from './redis-commands.ts';
import type { Counts } from './replies.ts';

export interface LocalPlaces {
  /** Whether that room is one of this focus's: only such are served without the store. */
  isHome(room: string): boolean;
  /** Undefined when the room is not this focus's. */
  assign<Choice extends HasBridge>(request: AssignRequest, choose: Choose<Choice>): Assigned<Choice> | undefined;
  /** Undefined when the conference is not this focus's. */
  move<Choice extends HasBridge>(request: MoveRequest, choose: Choose<Choice>): Moved<Choice> | undefined;
  /** For a participant who has been dropped: the conference after it. Undefined when that is not this focus's. */
  released(request: MoveRequest): ConferenceRecord | undefined;
}

export function createLocalPlaces({ bridges, holdings, arrivals, nowMs }: StoreContext): LocalPlaces {
  return {
    isHome: room => holdings.inRoom(room) !== undefined,
    assign({ room, identity, sid, region, participantsMax }, choose) {
      const held = holdings.inRoom(room);
      if (held === undefined) return undefined;
      const { conferenceId, owner } = held.record;
      const replaced = held.participants.get(identity);
      const staying = held.participants.size + arrivals.expected(conferenceId) - (replaced === undefined ? 0 : 1);
      if (participantsMax > 0 && staying >= participantsMax) return { kind: 'room-full' };
      const atMs = nowMs();
      const choice = choose(new IndexedView(atMs, bridges.index(atMs, true), countsOf(held, replaced)));
      const { bridgeId } = choice;
      if (bridgeId === null) return { kind: 'no-bridge', choice };
      const conference = holdings.place(conferenceId, endpointId => ({
        conferenceId,
        endpointId,
        sid,
        identity,
        bridgeId,
        region,
        owner,
        placedAtMs: atMs,
      }))!;
      bridges.placedHere(bridgeId);
      const participant = held.participants.get(identity)!;
      return { kind: 'placed', conference, participant, replaced: replaced ?? null, choice };
    },
    move(request, choose) {
      const held = holdings.conference(request.conferenceId);
      if (held === undefined) return undefined;
      const participant = holdings.find(request);
      if (participant === undefined) return { kind: 'unknown' };
      const atMs = nowMs();
      const choice = choose(new IndexedView(atMs, bridges.index(atMs, true), countsOf(held, participant)));
      const { bridgeId } = choice;
      if (bridgeId === null) return { kind: 'no-bridge', choice };
      if (bridgeId === participant.bridgeId) return { kind: 'moved', conference: held.record, participant, choice };
      const moved = { ...participant, bridgeId };
      const conference = holdings.moveTo(moved)!;
      bridges.placedHere(bridgeId);
      return { kind: 'moved', conference, participant: moved, choice };
    },
    released: ({ conferenceId }) => holdings.change(conferenceId),
  };
}

/** Participants on each bridge, without one. */
function countsOf({ participants }: HeldConference, except: ParticipantRecord | undefined): Counts {
  const counts = new Map<BridgeId, number>();
  for (const one of participants.values()) {
    if (one !== except) counts.set(one.bridgeId, (counts.get(one.bridgeId) ?? 0) + 1);
  }
  return counts;
}

/**
 * What `attempt` answers, or what `local` does without it: when it cannot reach the store, or does not within the patience. `local` answers undefined for what
 * only the store can do.
 */
export async function orLocally<Answer>(
  attempt: Attempt<Answer>,
  patience: Patience,
  local: (reason: LocalReason) => Answer | undefined,
): Promise<Answer> {
  const answered = attempt.answer.then(
    answer => ({ kind: 'answer', answer: answer! }) as const,
    (error: unknown) => ({ kind: 'away', error }) as const,
  );
  const outcome = await Promise.race([answered, patience.elapsed.then(() => ({ kind: 'slow' }) as const)]);
  patience.cancel();
  if (outcome.kind === 'answer') return outcome.answer;
  if (outcome.kind === 'away' && !isUnavailable(outcome.error)) throw outcome.error;
  const done = local(outcome.kind);
  if (done !== undefined) {
    attempt.giveUp();
    return done;
  }
  if (outcome.kind === 'away') throw outcome.error;
  return (await attempt.answer)!;
}

/** The store could not be reached, or did not answer in time. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof FocusError && error.code === 'store-unavailable';
}
