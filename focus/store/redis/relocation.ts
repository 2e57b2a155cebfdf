/** A move: takes a place on another bridge through the store for a participant who is there already. */
import type { Choose, Moved, MoveRequest } from '../store.ts';
import type { Attempt } from './assignment.ts';
import type { createOptimism, HasBridge, StoreContext } from './optimism.ts';
import { reliedOn, without } from './optimism.ts';
import type { PlannedChoice } from './plan.ts';
import type { Reply } from './redis-commands.ts';
import { listOf, readConference, readParticipant } from './replies.ts';

/** A function that starts a move. */
export function createRelocation(
  context: StoreContext,
  optimism: ReturnType<typeof createOptimism>,
): <Choice extends HasBridge>(request: MoveRequest, choose: Choose<Choice>) => Attempt<Moved<Choice>> {
  const { conferences, holdings } = context;
  return <Choice extends HasBridge>(request: MoveRequest, choose: Choose<Choice>) => {
    const { conferenceId } = request;
    const room = holdings.conference(conferenceId)?.record.room;
    let isGivenUp = false;
    async function work(): Promise<Moved<Choice> | undefined> {
      const settled = await optimism<Choice>({
        choose,
        known: () =>
          room === undefined ? new Map() : without(conferences.counts(room), holdings.find(request)?.bridgeId),
        expected: counts => (room === undefined ? counts : conferences.withPending(room, counts)),
        send: choices => take(context, request, room, choices),
        isGivenUp: () => isGivenUp,
      });
      if (settled.kind === 'none') return { kind: 'no-bridge', choice: settled.choice };
      if (settled.kind === 'given-up' || isGivenUp) return undefined;
      if (settled.reply[0] === 'unknown') return { kind: 'unknown' };
      return moved(context, request, settled.choices, settled.reply);
    }
    return {
      answer: work(),
      giveUp() {
        isGivenUp = true;
      },
    };
  };
}

async function take(
  { commands, bridges, conferences, holdings, amends, nowMs, shiftMs }: StoreContext,
  { conferenceId, endpointId, sid }: MoveRequest,
  room: string | undefined,
  choices: readonly PlannedChoice<HasBridge>[],
): Promise<readonly Reply[]> {
  const first = choices[0]?.bridge.bridgeId;
  const settled = first === undefined ? [] : [bridges.expect(first)];
  if (first !== undefined && room !== undefined) settled.push(conferences.expect(room, first, sid));
  const args = [shiftMs(), conferenceId, endpointId, sid, bridges.known, ...reliedOn(choices)];
  try {
    return listOf(await commands.run('move', args));
  } catch (error) {
    // It may be carried out yet, whatever was decided here meanwhile: the store is told again where everybody is.
    amends.owe(nowMs(), async () => {
      holdings.change(conferenceId);
      return null;
    });
    throw error;
  } finally {
    for (const settle of settled) settle();
  }
}

function moved<Choice extends HasBridge>(
  { bridges, conferences, holdings }: StoreContext,
  { conferenceId }: MoveRequest,
  choices: readonly PlannedChoice<Choice>[],
  [, index, placedSinceReport, identity, json, conference]: readonly Reply[],
): Moved<Choice> {
  const counted = readConference(conference!)!;
  const participant = readParticipant(conferenceId, counted.record.owner, String(identity), json!);
  conferences.note(counted);
  bridges.counted(participant.bridgeId, Number(placedSinceReport));
  const record = holdings.noteMoved(counted, participant);
  return { kind: 'moved', conference: record, participant, choice: choices[Number(index)]!.choice };
}
