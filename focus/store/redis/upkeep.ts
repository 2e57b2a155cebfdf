/**
 * One turn of what keeps this focus's part of the store alive: its lease, the expiries of what it has, what other focuses left, what it owes.
 * Whatever the store has lost meanwhile is put back. Called every {@link UPKEEP_INTERVAL_MS} by a driver; owns no timer.
 */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import type { AssignmentContext } from './assignment.ts';
import { type HeldConference, resumeNumbers } from './holdings.ts';
import { listOf, readBridgeChanges, readConference, writeParticipant } from './replies.ts';
import { CONFERENCES_PER_SCRIPT_MAX } from './upkeep-scripts.ts';

export const UPKEEP_INTERVAL_MS = 1_000;

/** Keys expire 10 s after they were renewed: two renewals may fail. */
const RENEW_INTERVAL_MS = 3_000;

/** Enough to fill a long round trip, few enough that joins in between do not wait for all. */
const RESTORES_AT_ONCE = 100;

export interface UpkeepOptions extends AssignmentContext {
  readonly focusId: string;
  /** Random, new for each process: tells it from an earlier one of the same name. */
  readonly boot: string;
}

/** A participant of this focus whose identity has joined again through another: not to be put back. */
interface Gone {
  readonly conference: string;
  readonly endpoint: number;
  readonly sid: string;
}

/** A function that does one turn. Rejects when the store is away; the next turn goes on where this one was. */
export function createUpkeep(options: UpkeepOptions): () => Promise<void> {
  const { commands, bridges, conferences, holdings, amends, counts, focusId, boot, nowMs, shiftMs } = options;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let hasHadLease = false;
  let owesAll = false;

  async function beat(): Promise<string> {
    const [status, swept, changes, gone] = listOf(
      await commands.run('beat', [shiftMs(), focusId, boot, bridges.known]),
    );
    bridges.apply(nowMs(), readBridgeChanges(changes!));
    for (const json of listOf(gone!)) {
      const { conference, endpoint, sid } = JSON.parse(String(json)) as Gone;
      holdings.dropParticipant(Number(conference) as ConferenceId, endpoint as EndpointId, sid);
    }
    if (Number(swept) > 0) counts.swept(Number(swept));
    return String(status);
  }

  async function restore(held: HeldConference): Promise<void> {
    const { record, participants } = held;
    const { version, nextEndpoint } = resumeNumbers(held);
    const conference = [record.conferenceId, record.room, record.roomSid, version, nextEndpoint, record.createdAtMs];
    const own = [...participants.values()].flatMap(one => [one.identity, writeParticipant(one)]);
    const reply = listOf(await commands.run('restore', [shiftMs(), focusId, ...conference, ...own]));
    if (reply[0] === 'lost') {
      holdings.dropConference(record.conferenceId);
      conferences.forget(record.room);
      counts.lost(record.room);
      return;
    }
    const counted = readConference(reply[2]!)!;
    conferences.note(counted);
    holdings.noteConference(counted.record);
    if (Number(reply[1]) > 0) counts.restored(Number(reply[1]));
  }

  /** Answers whether all were: one to which somebody is on the way is left for later, since the store would take whoever it is for a leftover. */
  async function restoreAll(conferenceIds: readonly ConferenceId[]): Promise<boolean> {
    let isWhole = true;
    for (let from = 0; from < conferenceIds.length; from += RESTORES_AT_ONCE) {
      const part = conferenceIds.slice(from, from + RESTORES_AT_ONCE).flatMap(id => holdings.conference(id) ?? []);
      const settled = part.filter(({ record }) => !conferences.isAwaited(record.room));
      if (settled.length < part.length) isWhole = false;
      await Promise.all(settled.map(restore));
    }
    return isWhole;
  }

  async function renew(): Promise<void> {
    const ids = holdings.conferenceIds();
    const parts: ConferenceId[][] = [];
    for (let from = 0; from < ids.length; from += CONFERENCES_PER_SCRIPT_MAX) {
      parts.push(ids.slice(from, from + CONFERENCES_PER_SCRIPT_MAX));
    }
    const missing = await Promise.all(parts.map(renewPart));
    await restoreAll(missing.flat());
  }

  /** Answers those that the store has lost, or has as they were before. */
  async function renewPart(ids: readonly ConferenceId[]): Promise<ConferenceId[]> {
    const known = ids.flatMap(id => [id, holdings.conference(id)!.record.version]);
    const reply = listOf(await commands.run('renew', [shiftMs(), focusId, ...known]));
    for (const [index, id] of ids.entries()) if (reply[index] === -1) holdings.dropConference(id);
    return ids.filter((_, index) => reply[index] === 0);
  }

  return async () => {
    let status = await beat();
    while (status === 'sweeping') status = await beat();
    if (status === 'usurped' && hasHadLease) counts.usurped();
    if (status !== 'held') owesAll = true;
    hasHadLease = true;
    if (owesAll) {
      owesAll = !(await restoreAll(holdings.conferenceIds()));
    }
    if (nowMs() - renewedAtMs >= RENEW_INTERVAL_MS) {
      await renew();
      renewedAtMs = nowMs();
    }
    await amends.settle(nowMs());
  };
}
