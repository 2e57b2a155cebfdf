/**
 * Taking a place by optimism: choose on what this focus knows, let one script check that it still holds and take the place. When it does not, the
 * script's answer is what to choose on next, so it takes one round trip, and one more for each time that others were faster.
 */
import type { BridgeId, ConferenceId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type { Choose } from '../store.ts';
import type { Amends } from './amends.ts';
import type { Arrivals } from './arrivals.ts';
import { type BridgeView, IndexedView } from './bridge-view.ts';
import type { ConferenceView } from './conference-view.ts';
import type { Holdings } from './holdings.ts';
import { type PlannedChoice, planChoices } from './plan.ts';
import type { RedisCommands, Reply, StoreCounts } from './redis-commands.ts';
import { type BridgeChanges, type Counts, readBridgeChanges, readConference, readCounts } from './replies.ts';

/** What the parts of one focus's store share. */
export interface StoreContext {
  readonly commands: RedisCommands;
  readonly bridges: BridgeView;
  readonly conferences: ConferenceView;
  readonly holdings: Holdings;
  readonly arrivals: Arrivals;
  readonly amends: Amends;
  readonly counts: StoreCounts;
  readonly focusId: string;
  readonly nowMs: () => number;
  readonly shiftMs: () => number;
  readonly conferenceId: () => ConferenceId;
}

/** After so many stale choices any load will do: only that the bridge is there and has room for the conference is still checked. */
const ANY_LOAD_AFTER = 6;
/** So many stale choices in a row are no coincidence. */
const ATTEMPTS_MAX = 24;
const BREADTH_MAX = 32;

export type HasBridge = { readonly bridgeId: BridgeId | null };

/** One place to take. */
export interface Wanted<Choice extends HasBridge> {
  readonly choose: Choose<Choice>;
  /** Participants of the conference on each bridge without whoever is replaced or moved, as far as this focus knows. */
  readonly known: () => Counts;
  /** `counts` and what is on its way to the conference. */
  readonly expected: (counts: Counts) => Counts;
  readonly send: (choices: readonly PlannedChoice<Choice>[]) => Promise<readonly Reply[]>;
  /** Nobody waits for it any more: it is not tried again. */
  readonly isGivenUp: () => boolean;
}

export type Settled<Choice> =
  | { readonly kind: 'none'; readonly choice: Choice }
  | { readonly kind: 'given-up' }
  | { readonly kind: 'answer'; readonly reply: readonly Reply[]; readonly choices: readonly PlannedChoice<Choice>[] };

/** A function that takes places. It learns how many choices it must prepare from how often others are faster. */
export function createOptimism(
  context: StoreContext,
): <Choice extends HasBridge>(wanted: Wanted<Choice>) => Promise<Settled<Choice>> {
  let breadth = 1;

  function learn(event: 'stale' | { readonly index: number }): void {
    if (event === 'stale') breadth = Math.min(BREADTH_MAX, Math.max(4, breadth * 2));
    else if (event.index * 2 < breadth) breadth = Math.max(1, breadth - 1);
  }

  return async wanted => {
    const { choose, isGivenUp } = wanted;
    let fresh: Counts | undefined;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const views = viewsOf(context, wanted, fresh);
      const anyLoad = attempt > ANY_LOAD_AFTER;
      const choices = planChoices(views.expected, choose, breadth, anyLoad);
      // What is on its way may come to nothing: nobody is refused because of it.
      if (choices.length === 0 && fresh !== undefined)
        choices.push(...planChoices(views.certain, choose, breadth, anyLoad));
      if (choices.length === 0 && fresh !== undefined) {
        context.counts.assigned(attempt - 1);
        return { kind: 'none', choice: choose(views.certain) };
      }
      const reply = await wanted.send(choices);
      const [kind] = reply;
      if (kind === 'stale') {
        context.counts.stale();
        learn('stale');
        const changes = readBridgeChanges(reply[3]!);
        fresh = noteStale(context, reply, changes);
        await putBack(context, unexplained(choices, changes));
      } else if (kind !== 'id-taken') {
        context.counts.assigned(attempt);
        if (kind === 'placed' || kind === 'moved') learn({ index: Number(reply[1]) });
        return { kind: 'answer', reply, choices };
      }
      if (isGivenUp()) return { kind: 'given-up' };
    }
    throw new FocusError('store-unavailable', `a place was taken by others ${ATTEMPTS_MAX} times`);
  };
}

/** `expected`: once everything on its way has been carried out. `certain`: as the store last said. */
function viewsOf(
  { bridges, nowMs }: StoreContext,
  wanted: Pick<Wanted<HasBridge>, 'known' | 'expected'>,
  fresh: Counts | undefined,
): { readonly expected: IndexedView; readonly certain: IndexedView } {
  const atMs = nowMs();
  const known = fresh ?? wanted.known();
  return {
    expected: new IndexedView(atMs, bridges.index(atMs, true), wanted.expected(known)),
    certain: new IndexedView(atMs, bridges.index(atMs, false), known),
  };
}

/** Learns what a stale choice did not know; answers the conference's counts without whoever would be replaced or moved. */
function noteStale(
  { bridges, conferences, nowMs }: StoreContext,
  [, conference, counts]: readonly Reply[],
  changes: BridgeChanges,
): Counts {
  bridges.apply(nowMs(), changes);
  const current = readConference(conference!);
  if (current !== undefined) conferences.note(current);
  return readCounts(counts!);
}

/** Bridges that stale choices were for, and of which the store says nothing new: when others were faster, it does. */
function unexplained(choices: readonly PlannedChoice<HasBridge>[], { changes }: BridgeChanges): BridgeId[] {
  const changed = new Set(changes.map(({ bridgeId }) => bridgeId));
  const chosen = new Set(choices.map(({ bridge }) => bridge.bridgeId));
  return [...chosen].filter(bridgeId => !changed.has(bridgeId));
}

/**
 * The store was emptied: it hears of its bridges with their next reports, seconds from now. Nobody is kept waiting until then who can be told by this focus,
 * with the age that its reports have. A bridge that the store does have stays as it is there.
 */
async function putBack(
  { commands, bridges, nowMs, shiftMs }: StoreContext,
  bridgeIds: readonly BridgeId[],
): Promise<void> {
  await Promise.all(
    bridgeIds.map(async bridgeId => {
      const record = bridges.find(bridgeId);
      if (record === undefined) return;
      const { report, reportedAtMs, placedSinceReport } = record;
      const ageMs = Math.max(0, Math.ceil(nowMs() - reportedAtMs));
      const args = [bridgeId, report.bootId, report.state, JSON.stringify(report), ageMs, placedSinceReport];
      await commands.run('restoreBridge', [shiftMs(), ...args]);
    }),
  );
}

/** What the store checks of each choice, as its scripts take it. */
export function reliedOn(choices: readonly PlannedChoice<HasBridge>[]): (string | number)[] {
  return choices.flatMap(({ bridge: { bridgeId, report }, placedMax, inConferenceMax, present }) => [
    bridgeId,
    report.bootId,
    report.state,
    placedMax,
    inConferenceMax,
    present,
  ]);
}

/** `counts` with one fewer on a bridge. */
export function without(counts: Counts, bridgeId: BridgeId | undefined): Counts {
  if (bridgeId === undefined) return counts;
  const left = new Map(counts);
  const number = (left.get(bridgeId) ?? 0) - 1;
  if (number > 0) left.set(bridgeId, number);
  else left.delete(bridgeId);
  return left;
}
