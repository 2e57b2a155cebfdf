/**
 * An assignment by optimism: choose on what this focus knows, let one script check that it still holds and take the place. When it does not, the
 * script's answer is what to choose on next, so a join takes one round trip, and one more for each time that others were faster.
 */
import type { BridgeId, ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type { Assigned, AssignRequest, Choose, ParticipantRecord, PlacementView } from '../store.ts';
import type { Amends } from './amends.ts';
import type { BridgeView } from './bridge-view.ts';
import type { ConferenceView } from './conference-view.ts';
import type { Holdings } from './holdings.ts';
import { type PlannedChoice, planChoices } from './plan.ts';
import type { RedisCommands, Reply, StoreCounts } from './redis-commands.ts';
import { type Counts, listOf, readBridgeChanges, readConference, readCounts, readParticipant } from './replies.ts';

export interface AssignmentContext {
  readonly commands: RedisCommands;
  readonly bridges: BridgeView;
  readonly conferences: ConferenceView;
  readonly holdings: Holdings;
  readonly amends: Amends;
  readonly counts: StoreCounts;
  readonly nowMs: () => number;
  readonly shiftMs: () => number;
  readonly conferenceId: () => ConferenceId;
}

/** After so many stale choices any load will do: only that the bridge is there and has room for the conference is still checked. */
const ANY_LOAD_AFTER = 6;
/** So many stale choices in a row are no coincidence. */
const ATTEMPTS_MAX = 24;
const BREADTH_MAX = 32;

type HasBridge = { readonly bridgeId: BridgeId | null };

/** A function that assigns. It learns how many choices it must prepare from how often others are faster. */
export function createAssignment(
  context: AssignmentContext,
): <Choice extends HasBridge>(request: AssignRequest, choose: Choose<Choice>) => Promise<Assigned<Choice>> {
  let breadth = 1;

  function learn(event: 'stale' | { readonly index: number }): void {
    if (event === 'stale') breadth = Math.min(BREADTH_MAX, Math.max(4, breadth * 2));
    else if (event.index * 2 < breadth) breadth = Math.max(1, breadth - 1);
  }

  return async (request, choose) => {
    let fresh: Counts | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const views = viewsOf(context, request, fresh);
      const anyLoad = attempt > ANY_LOAD_AFTER;
      const choices = planChoices(views.expected, choose, breadth, anyLoad);
      // What is on its way may come to nothing: nobody is refused because of it.
      if (choices.length === 0 && fresh !== undefined)
        choices.push(...planChoices(views.certain, choose, breadth, anyLoad));
      if (choices.length === 0 && fresh !== undefined) {
        context.counts.assigned(attempt - 1);
        return { kind: 'no-bridge', choice: choose(views.certain) };
      }
      const reply = await take(context, request, choices);
      const [kind] = reply;
      if (kind === 'stale') {
        context.counts.stale();
        learn('stale');
        fresh = noteStale(context, request, reply);
        continue;
      }
      if (kind === 'id-taken') continue;
      context.counts.assigned(attempt);
      if (kind === 'unknown-room' || kind === 'room-full') return { kind };
      if (kind === 'placed') learn({ index: Number(reply[1]) });
      return placed(context, request, choices, reply);
    }
    throw new FocusError('store-unavailable', `an assignment was overtaken ${ATTEMPTS_MAX} times`);
  };
}

/** `expected`: once everything on its way has been carried out. `certain`: as the store last said. */
function viewsOf(
  { bridges, conferences, holdings, nowMs }: AssignmentContext,
  { room, identity }: AssignRequest,
  fresh: Counts | undefined,
): { readonly expected: PlacementView; readonly certain: PlacementView } {
  const atMs = nowMs();
  const known = fresh ?? withoutReplaced(conferences, holdings, room, identity);
  return {
    expected: { atMs, bridges: bridges.records(atMs, true), inConference: conferences.withPending(room, known) },
    certain: { atMs, bridges: bridges.records(atMs, false), inConference: known },
  };
}

function withoutReplaced(conferences: ConferenceView, holdings: Holdings, room: string, identity: string): Counts {
  const counts = conferences.counts(room);
  const conferenceId = conferences.conferenceId(room);
  const leaving = conferenceId && holdings.participant(conferenceId, identity);
  if (!leaving) return counts;
  const left = new Map(counts);
  const number = (left.get(leaving.bridgeId) ?? 0) - 1;
  if (number > 0) left.set(leaving.bridgeId, number);
  else left.delete(leaving.bridgeId);
  return left;
}

async function take(
  { commands, bridges, conferences, amends, nowMs, shiftMs, conferenceId }: AssignmentContext,
  request: AssignRequest,
  choices: readonly PlannedChoice<HasBridge>[],
): Promise<readonly Reply[]> {
  const { room, createAs, identity, sid, region, owner, participantsMax } = request;
  const args = [
    shiftMs(),
    room,
    createAs?.roomSid ?? '',
    conferenceId(),
    identity,
    sid,
    region,
    owner,
    participantsMax,
  ];
  const relied = choices.flatMap(({ bridge: { bridgeId, report }, placedMax, inConferenceMax, present }) => [
    bridgeId,
    report.bootId,
    report.state,
    placedMax,
    inConferenceMax,
    present,
  ]);
  const first = choices[0]?.bridge.bridgeId;
  const settled = first === undefined ? [] : [bridges.expect(first), conferences.expect(room, first)];
  try {
    return listOf(await commands.run('assign', [...args, bridges.known, ...relied]));
  } catch (error) {
    amends.owe(nowMs(), () => commands.run('retract', [shiftMs(), room, identity, sid]));
    throw error;
  } finally {
    for (const settle of settled) settle();
  }
}

/** Learns what a stale choice did not know; answers the conference's counts without whoever would be replaced. */
function noteStale(
  { bridges, conferences, nowMs }: AssignmentContext,
  { room }: AssignRequest,
  [, conference, counts, changes]: readonly Reply[],
): Counts {
  bridges.apply(nowMs(), readBridgeChanges(changes!));
  const current = readConference(conference!);
  if (current === undefined) conferences.forget(room);
  else conferences.note(current);
  return readCounts(counts!);
}

function placed<Choice extends HasBridge>(
  { bridges, conferences, holdings }: AssignmentContext,
  request: AssignRequest,
  choices: readonly PlannedChoice<Choice>[],
  reply: readonly Reply[],
): Assigned<Choice> {
  const counted = readConference(reply.at(-1)!)!;
  const conference = counted.record;
  const { conferenceId } = conference;
  conferences.note(counted);
  let participant: ParticipantRecord;
  let replaced: ParticipantRecord | null = null;
  let choice: Choice;
  if (reply[0] === 'again') {
    participant = readParticipant(conferenceId, request.identity, reply[1]!);
    const planned = choices.find(({ bridge }) => bridge.bridgeId === participant.bridgeId) ?? choices[0];
    if (planned === undefined) throw new FocusError('store-unavailable', 'an assignment was made and forgotten');
    choice = { ...planned.choice, bridgeId: participant.bridgeId };
  } else {
    const [, index, endpointId, placedAtMs, placedSinceReport, before] = reply;
    const planned = choices[Number(index)]!;
    choice = planned.choice;
    const { bridgeId } = planned.bridge;
    const { identity, sid, region, owner } = request;
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
    if (before !== '') replaced = readParticipant(conferenceId, identity, before!);
    bridges.counted(bridgeId, Number(placedSinceReport));
  }
  holdings.noteAssigned(conference, participant);
  return { kind: 'placed', conference, participant, replaced, choice };
}
