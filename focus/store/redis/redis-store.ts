/**
 * The store of many focuses, in Redis. Each method is one script, so one round trip; `README.md` has the keys and the reasons.
 * Everything here decides only: the connection, its time-outs and the clock that calls `upkeep` are in `io/`.
 */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type { ConferenceRecord, Store } from '../store.ts';
import { Amends } from './amends.ts';
import { type AssignmentContext, createAssignment } from './assignment.ts';
import { BridgeView } from './bridge-view.ts';
import { ConferenceView } from './conference-view.ts';
import { Holdings } from './holdings.ts';
import type { RedisCommands, Reply, StoreCounts } from './redis-commands.ts';
import { type CountedConference, listOf, readBridgeChanges, readConference, readParticipant } from './replies.ts';
import { createUpkeep } from './upkeep.ts';
import { CONFERENCES_PER_SCRIPT_MAX } from './upkeep-scripts.ts';

export interface RedisStoreOptions {
  readonly commands: RedisCommands;
  /** This focus: what it owns is renewed and, when the store loses it, put back. */
  readonly focusId: string;
  /** Random, new for each process. */
  readonly boot: string;
  readonly counts: StoreCounts;
  /** This focus's clock. The records' own times are the server's, except `reportedAtMs`, which is brought to this one. */
  readonly nowMs: () => number;
  /** In [0, 1): for conference IDs. */
  readonly random: () => number;
  /** How far the store's clock runs ahead of the server's, so that a test need not wait for an expiry. */
  readonly shiftMs?: () => number;
}

export interface RedisStore extends Store {
  /** One turn of upkeep: see `upkeep.ts`. Turns must not overlap. */
  upkeep(): Promise<void>;
}

/** Conference IDs are drawn anew when they are taken; so many times in a row they are not. */
const DRAWS_MAX = 16;

export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { commands, nowMs, random, shiftMs = () => 0 } = options;
  const bridges = new BridgeView();
  const conferences = new ConferenceView();
  const holdings = new Holdings(options.focusId);
  const amends = new Amends();
  const conferenceId = () => (1 + Math.floor(random() * 0xffff_ffff)) as ConferenceId;
  const context: AssignmentContext = { ...options, shiftMs, bridges, conferences, holdings, amends, conferenceId };
  const assign = createAssignment(context);
  const upkeep = createUpkeep({ ...options, ...context });

  const run: RedisCommands['run'] = (script, args) => commands.run(script, [shiftMs(), ...args]);

  /** What must happen even if the store cannot be reached now. */
  async function insist(script: Parameters<typeof run>[0], args: readonly (string | number)[]): Promise<Reply> {
    try {
      return await run(script, args);
    } catch (error) {
      amends.owe(nowMs(), () => run(script, args));
      throw error;
    }
  }

  /** Whoever joins before the answer is chosen for as if it were there: with the store far away that is most who follow somebody. */
  function expectLeaving(id: ConferenceId, endpointId: EndpointId, sid: string): (() => void) | undefined {
    const held = holdings.conference(id);
    const leaving = held?.participants.values().find(one => one.endpointId === endpointId && one.sid === sid);
    return leaving && conferences.expectLeaving(held!.record.room, leaving.bridgeId);
  }

  function noted(counted: CountedConference): ConferenceRecord {
    conferences.note(counted);
    holdings.noteConference(counted.record);
    return counted.record;
  }

  return {
    upkeep,
    ping: () => commands.ping(),
    async putBridge(report) {
      const { peer, bootId, state } = report;
      await run('putBridge', [peer.bridgeId, bootId, state, JSON.stringify(report)]);
      bridges.reported(nowMs(), report);
    },
    async removeBridge(bridgeId, bootId) {
      const isRemoved = (await run('removeBridge', [bridgeId, bootId])) === 1;
      if (isRemoved) bridges.removed(bridgeId);
      return isRemoved;
    },
    async bridges() {
      bridges.apply(nowMs(), readBridgeChanges(await run('bridges', [bridges.known])));
      return bridges.records(nowMs(), false);
    },
    async openConference(room, roomSid, owner) {
      for (let draw = 0; draw < DRAWS_MAX; draw++) {
        const reply = await run('openConference', [room, conferenceId(), roomSid, owner]);
        if (reply !== 0) return noted(readConference(reply)!);
      }
      throw new FocusError('store-unavailable', `${DRAWS_MAX} conference IDs in a row were taken`);
    },
    async conference(room) {
      const counted = readConference(await run('conference', [room]));
      return counted && noted(counted);
    },
    async conferences() {
      const replies = listOf(await run('conferences', []));
      return replies.map(reply => readConference(reply)!.record).sort((a, b) => (a.room < b.room ? -1 : 1));
    },
    async closeConference(room, id) {
      holdings.dropConference(id);
      conferences.forget(room);
      return (await insist('closeConference', [room, id])) === 1;
    },
    assign: (request, choose) => assign(request, choose),
    async release(id, endpointId, sid) {
      const settle = expectLeaving(id, endpointId, sid);
      const isLast = holdings.dropParticipant(id, endpointId, sid);
      try {
        const counted = readConference(await insist('release', [id, endpointId, sid, isLast ? options.focusId : '']));
        return counted && noted(counted);
      } finally {
        settle?.();
      }
    },
    async participants(id) {
      const fields = listOf(await run('participants', [id]));
      const participants = [];
      for (let index = 0; index < fields.length; index += 2) {
        participants.push(readParticipant(id, String(fields[index]), fields[index + 1]!));
      }
      return participants.sort((a, b) => a.endpointId - b.endpointId);
    },
    async releaseOwner(owner) {
      if (owner === options.focusId) {
        holdings.dropAll();
        amends.dropAll();
      }
      while (Number(await run('releaseOwner', [owner])) === CONFERENCES_PER_SCRIPT_MAX);
    },
    putFocus: () => notYet('putFocus'),
    focuses: () => notYet('focuses'),
    adopt: () => {},
    move: () => notYet('move'),
    saveRoom: () => notYet('saveRoom'),
    loadRoom: () => notYet('loadRoom'),
    takeConference: () => notYet('takeConference'),
    onOrphans: () => {},
    onLost: () => {},
  };
}

function notYet(method: string): Promise<never> {
  return Promise.reject(new FocusError('store-unavailable', `the store in Redis has no ${method}`));
}
