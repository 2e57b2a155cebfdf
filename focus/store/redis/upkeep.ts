/**
 * One turn of what keeps this focus's part of the store alive: its lease, the expiries of what it has, what other focuses left, what it owes.
 * Whatever the store has lost meanwhile is put back. Called every {@link UPKEEP_INTERVAL_MS} by a driver; owns no timer.
 */
import type { ConferenceId } from '../../../protocol/ids.ts';
import type { AssignmentContext } from './assignment.ts';
import { type HeldConference, resumeNumbers } from './holdings.ts';
import type { RedisCommands, Reply } from './redis-commands.ts';
import { listOf, readBridgeChanges, readConference, writeParticipant } from './replies.ts';
import { CONFERENCES_PER_SCRIPT_MAX } from './upkeep-scripts.ts';

export const UPKEEP_INTERVAL_MS = 1_000;

/** Keys expire 10 s after they were renewed: two renewals may fail. */
const RENEW_INTERVAL_MS = 3_000;

/** Identities and participants in one script: a larger conference is put back in parts. */
const PARTICIPANTS_PER_SCRIPT_MAX = 500;

export interface UpkeepOptions extends AssignmentContext {
  readonly focusId: string;
  /** Random, new for each process: tells it from an earlier one of the same name. */
  readonly boot: string;
}

/** A function that does one turn. Rejects when the store is away; the next turn goes on where this one was. */
export function createUpkeep(options: UpkeepOptions): () => Promise<void> {
  const { commands, bridges, conferences, holdings, amends, counts, focusId, boot, nowMs, shiftMs } = options;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let hasHadLease = false;
  let owesAll = false;

  async function beat(): Promise<string> {
    const [status, swept, changes] = listOf(await commands.run('beat', [shiftMs(), focusId, boot, bridges.known]));
    bridges.apply(nowMs(), readBridgeChanges(changes!));
    if (Number(swept) > 0) counts.swept(Number(swept));
    return String(status);
  }

  async function restore(held: HeldConference): Promise<void> {
    const participants = [...held.participants.values()];
    for (let from = 0; from === 0 || from < participants.length; from += PARTICIPANTS_PER_SCRIPT_MAX) {
      const part = participants.slice(from, from + PARTICIPANTS_PER_SCRIPT_MAX);
      const reply = await runRestore(
        commands,
        shiftMs(),
        focusId,
        held,
        part.flatMap(one => [one.identity, writeParticipant(one)]),
      );
      if (reply[0] === 'lost') {
        holdings.dropConference(held.record.conferenceId);
        conferences.forget(held.record.room);
        counts.lost(held.record.room);
        return;
      }
      const counted = readConference(reply[2]!)!;
      conferences.note(counted);
      holdings.noteConference(counted.record);
      if (Number(reply[1]) > 0) counts.restored(Number(reply[1]));
    }
  }

  async function restoreAll(conferenceIds: readonly ConferenceId[]): Promise<void> {
    for (const conferenceId of conferenceIds) {
      const held = holdings.conference(conferenceId);
      if (held !== undefined) await restore(held);
    }
  }

  async function renew(): Promise<void> {
    const ids = holdings.conferenceIds();
    const missing: ConferenceId[] = [];
    for (let from = 0; from < ids.length; from += CONFERENCES_PER_SCRIPT_MAX) {
      const part = ids.slice(from, from + CONFERENCES_PER_SCRIPT_MAX);
      const reply = listOf(await commands.run('renew', [shiftMs(), focusId, ...part]));
      for (const [index, conferenceId] of part.entries()) {
        if (reply[index] === -1) holdings.dropConference(conferenceId);
        else if (reply[index] === 0) missing.push(conferenceId);
      }
    }
    await restoreAll(missing);
  }

  return async () => {
    let status = await beat();
    while (status === 'sweeping') status = await beat();
    if (status === 'usurped' && hasHadLease) counts.usurped();
    if (status !== 'held') owesAll = true;
    hasHadLease = true;
    if (owesAll) {
      await restoreAll(holdings.conferenceIds());
      owesAll = false;
    }
    if (nowMs() - renewedAtMs >= RENEW_INTERVAL_MS) {
      await renew();
      renewedAtMs = nowMs();
    }
    await amends.settle(nowMs());
  };
}

async function runRestore(
  commands: RedisCommands,
  shiftMs: number,
  focusId: string,
  held: HeldConference,
  participants: readonly string[],
): Promise<readonly Reply[]> {
  const { conferenceId, room, roomSid, createdAtMs } = held.record;
  const { version, nextEndpoint } = resumeNumbers(held);
  const conference = [conferenceId, room, roomSid, version, nextEndpoint, createdAtMs];
  return listOf(await commands.run('restore', [shiftMs, focusId, ...conference, ...participants]));
}
