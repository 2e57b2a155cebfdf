/** A join: takes a place for a new participant through the store. */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type { Assigned, AssignRequest, Choose, ParticipantRecord } from '../store.ts';
import type { createOptimism, HasBridge, StoreContext } from './optimism.ts';
import { reliedOn, without } from './optimism.ts';
import type { PlannedChoice } from './plan.ts';
import type { Reply } from './redis-commands.ts';
import { type CountedConference, listOf, readConference, readParticipant } from './replies.ts';

/** Something asked of the store, that whoever asked may stop waiting for. */
export interface Attempt<Answer> {
  /** Undefined when it was given up. */
  readonly answer: Promise<Answer | undefined>;
  /** It is done without the store: nothing that comes of it counts, and what it did there is put right. */
  giveUp(): void;
}

/** A function that starts a join. */
export function createAssignment(
  context: StoreContext,
  optimism: ReturnType<typeof createOptimism>,
): <Choice extends HasBridge>(request: AssignRequest, choose: Choose<Choice>) => Attempt<Assigned<Choice>> {
  const { conferences, holdings } = context;
  return <Choice extends HasBridge>(request: AssignRequest, choose: Choose<Choice>) => {
    const { room, identity } = request;
    let isGivenUp = false;
    let settle = () => {};
    let drawn: ConferenceId | undefined;
    async function work(): Promise<Assigned<Choice> | undefined> {
      const settled = await optimism<Choice>({
        choose,
        known: () => without(conferences.counts(room), holdings.inRoom(room)?.participants.get(identity)?.bridgeId),
        expected: counts => conferences.withPending(room, counts),
        send: choices => {
          settle = expectFirst(context, request, choices);
          drawn = context.conferenceId();
          return take(context, request, drawn, choices).finally(settle);
        },
        isGivenUp: () => isGivenUp,
      });
      if (settled.kind === 'none') return { kind: 'no-bridge', choice: settled.choice };
      if (settled.kind === 'given-up' || isGivenUp) return undefined;
      const { reply, choices } = settled;
      const [kind] = reply;
      if (kind === 'unknown-room' || kind === 'room-full') return { kind };
      const counted = readConference(reply.at(-1)!)!;
      if (counted.record.conferenceId === drawn) holdings.open(counted);
      return placed(context, request, choices, reply, counted);
    }
    return {
      answer: work(),
      giveUp() {
        isGivenUp = true;
        settle();
      },
    };
  };
}

function expectFirst(
  { bridges, conferences }: StoreContext,
  { room, sid }: AssignRequest,
  choices: readonly PlannedChoice<HasBridge>[],
): () => void {
  const first = choices[0]?.bridge.bridgeId;
  if (first === undefined) return () => {};
  const settled = [bridges.expect(first), conferences.expect(room, first, sid)];
  return () => {
    for (const settle of settled) settle();
  };
}

async function take(
  { commands, bridges, holdings, amends, nowMs, shiftMs }: StoreContext,
  request: AssignRequest,
  drawn: ConferenceId,
  choices: readonly PlannedChoice<HasBridge>[],
): Promise<readonly Reply[]> {
  const { room, createAs, identity, sid, region, owner, participantsMax } = request;
  const create = [createAs?.roomSid ?? '', drawn];
  const args = [shiftMs(), room, ...create, identity, sid, region, owner, participantsMax, bridges.known];
  try {
    return listOf(await commands.run('assign', [...args, ...reliedOn(choices)]));
  } catch (error) {
    amends.owe(nowMs(), () => {
      // Placed here meanwhile: then that place is the one that counts.
      const here = holdings.inRoom(room)?.participants.get(identity);
      const spared = here?.sid === sid ? here.endpointId : 0;
      return commands.run('retract', [shiftMs(), room, identity, sid, spared]);
    });
    throw error;
  }
}

function placed<Choice extends HasBridge>(
  { bridges, conferences, holdings }: StoreContext,
  request: AssignRequest,
  choices: readonly PlannedChoice<Choice>[],
  reply: readonly Reply[],
  counted: CountedConference,
): Assigned<Choice> {
  const { conferenceId, owner } = counted.record;
  conferences.note(counted);
  let participant: ParticipantRecord;
  let replaced: ParticipantRecord | null = null;
  let choice: Choice;
  if (reply[0] === 'again') {
    participant = readParticipant(conferenceId, owner, request.identity, reply[1]!);
    const planned = choices.find(({ bridge }) => bridge.bridgeId === participant.bridgeId) ?? choices[0];
    if (planned === undefined) throw new FocusError('store-unavailable', 'an assignment was made and forgotten');
    choice = { ...planned.choice, bridgeId: participant.bridgeId };
  } else {
    const [, index, endpointId, placedAtMs, placedSinceReport, before] = reply;
    const planned = choices[Number(index)]!;
    choice = planned.choice;
    const { bridgeId } = planned.bridge;
    const { identity, sid, region } = request;
    participant = {
      conferenceId,
      endpointId: Number(endpointId) as EndpointId,
      sid,
      identity,
      bridgeId,
      region,
      owner,
      placedAtMs: Number(placedAtMs),
    };
    if (before !== '') replaced = readParticipant(conferenceId, owner, identity, before!);
    bridges.counted(bridgeId, Number(placedSinceReport));
  }
  const conference = holdings.noteAssigned(counted, participant);
  return { kind: 'placed', conference, participant, replaced, choice };
}
