/**
 * One turn of what keeps this focus's part of the store alive: its lease, the expiries of what it has, what dead focuses left, what it owes.
 * Whatever the store has lost meanwhile is put back. Called every {@link UPKEEP_INTERVAL_MS} by a driver; owns no timer.
 */
import type { ConferenceId } from '../../../protocol/ids.ts';
import type { ConferenceRecord, FocusRecord, ParticipantRecord } from '../store.ts';
import type { FocusView } from './focus-view.ts';
import type { StoreContext } from './optimism.ts';
import { listOf, readBridgeChanges, readConference, readNews, readParticipants, writeParticipant } from './replies.ts';
import type { Snapshots } from './snapshots.ts';
import { CONFERENCES_PER_SCRIPT_MAX } from './upkeep-scripts.ts';

export const UPKEEP_INTERVAL_MS = 1_000;

/** Keys expire 10 s after they were renewed, and must outlive the lease by a turn of whoever notices its end: see LEASE_MS. */
const RENEW_INTERVAL_MS = 2_000;

/** Enough to fill a long round trip, few enough that joins in between do not wait for all. */
const RESTORES_AT_ONCE = 100;

export interface UpkeepOptions extends StoreContext {
  /** Random, new for each process: tells it from an earlier one of the same name. */
  readonly boot: string;
  readonly focuses: FocusView;
  readonly snapshots: Pick<Snapshots, 'putRight'>;
  /** What this focus says of itself, once it has. */
  readonly self: () => FocusRecord | undefined;
  readonly onOrphans: (conferences: readonly ConferenceRecord[]) => void;
}

/** A function that does one turn. Rejects when the store is away; the next turn goes on where this one was. */
export function createUpkeep(options: UpkeepOptions): () => Promise<void> {
  const { commands, bridges, conferences, holdings, arrivals, amends, counts, focuses } = options;
  const { focusId, boot, nowMs, shiftMs, snapshots, self, onOrphans } = options;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let heard = '0';
  let hasHadLease = false;
  let owesAll = false;

  async function beat(): Promise<string> {
    const record = self();
    const said = record === undefined ? '' : JSON.stringify(record);
    const args = [shiftMs(), focusId, boot, bridges.known, heard, hasHadLease ? 0 : 1, said];
    const [status, swept, changes, news, orphans, alive] = listOf(await commands.run('beat', args));
    bridges.apply(nowMs(), readBridgeChanges(changes!));
    const [newest, ...items] = listOf(news!);
    for (const json of items) told(readNews(focusId, json));
    if (newest !== undefined) heard = String(newest);
    if (status !== 'sweeping') focuses.apply(nowMs(), alive!);
    if (Number(swept) > 0) counts.swept(Number(swept));
    const orphaned = listOf(orphans!).map(reply => readConference(reply)!.record);
    if (orphaned.length > 0) {
      counts.orphaned(orphaned.length);
      onOrphans(orphaned);
    }
    return String(status);
  }

  /** Of somebody whom another focus assigned for this one. */
  function told(participant: ParticipantRecord): void {
    const { conferenceId, identity, sid } = participant;
    if (holdings.participant(conferenceId, identity)?.sid === sid) arrivals.settled(sid);
    else arrivals.told(nowMs(), participant);
  }

  async function restore(conferenceId: ConferenceId): Promise<void> {
    const held = holdings.conference(conferenceId);
    if (held === undefined) return;
    const { record, term, participants, changes } = held;
    const { room, roomSid, createdAtMs } = record;
    const { version, next } = holdings.resumeNumbers(conferenceId);
    const awaited = conferences.awaited(room);
    const own = [...participants.values()].flatMap(one => [one.identity, writeParticipant(one)]);
    const conference = [conferenceId, room, roomSid, term, version, next, createdAtMs, awaited.length, ...awaited];
    const reply = listOf(await commands.run('restore', [shiftMs(), focusId, ...conference, ...own]));
    if (reply[0] === 'lost') {
      conferences.forget(room);
      holdings.lose(conferenceId);
      return;
    }
    const [, restored, current, saves, ...strangers] = reply;
    const counted = readConference(current!)!;
    conferences.note(counted);
    holdings.noteConference(counted);
    holdings.restored(conferenceId, changes, next);
    for (const stranger of readParticipants(conferenceId, focusId, strangers)) told(stranger);
    if (Number(restored) > 0) counts.restored(Number(restored));
    await snapshots.putRight(conferenceId, Number(saves));
  }

  async function restoreAll(conferenceIds: readonly ConferenceId[]): Promise<void> {
    for (let from = 0; from < conferenceIds.length; from += RESTORES_AT_ONCE) {
      await Promise.all(conferenceIds.slice(from, from + RESTORES_AT_ONCE).map(restore));
    }
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
    const known = ids.flatMap(id => {
      const { record, saves } = holdings.conference(id)!;
      return [id, record.version, saves];
    });
    const reply = listOf(await commands.run('renew', [shiftMs(), focusId, ...known]));
    for (const [index, id] of ids.entries()) if (Number(reply[index]) < 0) holdings.lose(id);
    return ids.filter((_, index) => reply[index] === 0);
  }

  /** Whoever was assigned for this focus and is given up, and whoever was handed over and the store does not have. */
  function settleArrivals(): void {
    const { abandoned, untold } = arrivals.overdue(nowMs());
    for (const { conferenceId, endpointId, sid } of abandoned) {
      counts.abandoned();
      amends.owe(nowMs(), () => commands.run('release', [shiftMs(), conferenceId, endpointId, sid]), 0);
      // Whoever had that identity before was replaced in the store and is still here.
      holdings.change(conferenceId);
    }
    for (const { conferenceId, identity, sid } of untold) {
      if (holdings.participant(conferenceId, identity)?.sid === sid) holdings.change(conferenceId);
    }
  }

  return async () => {
    let status = await beat();
    while (status === 'sweeping') status = await beat();
    if (status === 'usurped' && hasHadLease) counts.usurped();
    if (status !== 'held') owesAll = true;
    hasHadLease = true;
    settleArrivals();
    await amends.settle(nowMs());
    await restoreAll(owesAll ? holdings.conferenceIds() : holdings.ahead());
    owesAll = false;
    if (nowMs() - renewedAtMs >= RENEW_INTERVAL_MS) {
      const startedAtMs = nowMs();
      await renew();
      renewedAtMs = startedAtMs;
    }
  };
}
