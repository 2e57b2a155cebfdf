/**
 * The store of many focuses, in Redis. Each method is one script, so one round trip; `README.md` has the keys and the reasons.
 * Everything here decides only: the connection, its time-outs and the clock that calls `upkeep` are in `io/`.
 */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import { FocusError } from '../../errors.ts';
import type { ConferenceRecord, FocusRecord, Store } from '../store.ts';
import { Amends } from './amends.ts';
import { Arrivals } from './arrivals.ts';
import { createAssignment } from './assignment.ts';
import { BridgeView } from './bridge-view.ts';
import { ConferenceView } from './conference-view.ts';
import { FocusView } from './focus-view.ts';
import { Holdings } from './holdings.ts';
import { createLocalPlaces, isUnavailable, orLocally } from './local-places.ts';
import { createOptimism, type StoreContext } from './optimism.ts';
import type { Patience, RedisCommands, Reply, StoreCounts } from './redis-commands.ts';
import { createRelocation } from './relocation.ts';
import { type CountedConference, listOf, readBridgeChanges, readConference, readParticipants } from './replies.ts';
import { createSnapshots } from './snapshots.ts';
import { createUpkeep, type Upkeep } from './upkeep.ts';
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
  /** Begins the longest wait of a join or a move that can be done without the store. */
  readonly patience: () => Patience;
  /** How far the store's clock runs ahead of the server's, so that a test need not wait for an expiry. */
  readonly shiftMs?: () => number;
}

export interface RedisStore extends Store {
  readonly upkeep: Upkeep;
}

/** Conference IDs are drawn anew when they are taken; so many times in a row they are not. */
const DRAWS_MAX = 16;

export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { commands, focusId, boot, counts, nowMs, random, patience, shiftMs = () => 0 } = options;
  let self: FocusRecord | undefined;
  let onOrphans: (conferences: readonly ConferenceRecord[]) => void = () => {};
  let onLost: (conference: ConferenceRecord) => void = () => {};
  const bridges = new BridgeView();
  const conferences = new ConferenceView();
  const focuses = new FocusView();
  const arrivals = new Arrivals();
  const holdings = new Holdings(focusId, record => {
    counts.lost(record.room);
    onLost(record);
  });
  const amends = new Amends();
  const conferenceId = () => (1 + Math.floor(random() * 0xffff_ffff)) as ConferenceId;
  const views = { bridges, conferences, holdings, arrivals, amends };
  const context: StoreContext = { commands, ...views, counts, focusId, nowMs, shiftMs, conferenceId };
  const optimism = createOptimism(context);
  const assignment = createAssignment(context, optimism);
  const relocation = createRelocation(context, optimism);
  const local = createLocalPlaces(context);
  const snapshots = createSnapshots(context);
  const upkeep = createUpkeep({
    ...context,
    boot,
    focuses,
    snapshots,
    self: () => self,
    onOrphans: orphans => onOrphans(orphans),
  });

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
    return holdings.noteConference(counted);
  }

  return {
    upkeep,
    ping: () => commands.ping(),
    async putBridge(report) {
      const { peer, bootId, state } = report;
      const atMs = nowMs();
      try {
        await run('putBridge', [peer.bridgeId, bootId, state, JSON.stringify(report)]);
      } catch (error) {
        // Placements that go on without the store need bridges as they are now.
        bridges.reported(atMs, report);
        throw error;
      }
      bridges.reported(nowMs(), report);
    },
    async removeBridge(bridgeId, bootId) {
      if (bridges.find(bridgeId)?.report.bootId === bootId) bridges.removed(bridgeId);
      return (await insist('removeBridge', [bridgeId, bootId])) === 1;
    },
    async bridges() {
      bridges.apply(nowMs(), readBridgeChanges(await run('bridges', [bridges.known])));
      return bridges.index(nowMs(), false).all;
    },
    async putFocus(record) {
      self = record;
      focuses.apply(nowMs(), await run('putFocus', [focusId, boot, JSON.stringify(record)]));
    },
    async focuses() {
      if (focuses.isFresh(nowMs())) return focuses.records;
      try {
        focuses.apply(nowMs(), await run('focuses', []));
      } catch (error) {
        if (focuses.isEmpty) throw error;
      }
      return focuses.records;
    },
    async openConference(room, roomSid, owner) {
      for (let draw = 0; draw < DRAWS_MAX; draw++) {
        const drawn = conferenceId();
        const reply = await run('openConference', [room, drawn, roomSid, owner]);
        if (reply === 0) continue;
        const counted = readConference(reply)!;
        if (counted.record.conferenceId === drawn) holdings.open(counted);
        return noted(counted);
      }
      throw new FocusError('store-unavailable', `${DRAWS_MAX} conference IDs in a row were taken`);
    },
    async conference(room) {
      const counted = readConference(await run('conference', [room]));
      // What the store has lost is put back by the next turn of upkeep.
      return counted === undefined ? holdings.inRoom(room)?.record : noted(counted);
    },
    async conferences() {
      const replies = listOf(await run('conferences', []));
      const byRoom = new Map(holdings.records().map(record => [record.room, record]));
      for (const reply of replies) {
        const { record } = readConference(reply)!;
        byRoom.set(record.room, record);
      }
      return [...byRoom.values()].sort((a, b) => (a.room < b.room ? -1 : 1));
    },
    async closeConference(room, id) {
      holdings.dropConference(id);
      conferences.forget(room);
      return (await insist('closeConference', [room, id])) === 1;
    },
    async assign(request, choose) {
      const attempt = assignment(request, choose);
      if (!local.isHome(request.room)) return (await attempt.answer)!;
      return orLocally(attempt, patience(), reason => {
        const placed = local.assign(request, choose);
        if (placed?.kind === 'placed') counts.local('join', reason);
        return placed;
      });
    },
    adopt(conference, participant) {
      const adopted = holdings.noteAdopted(conference, participant);
      // The store may yet tell of an older self as well.
      if (adopted === 'new' || adopted === 'older') arrivals.adopted(nowMs(), participant);
      else arrivals.settled(participant.sid);
      return adopted !== 'older';
    },
    async move(request, choose) {
      const attempt = relocation(request, choose);
      if (holdings.find(request) === undefined) return (await attempt.answer)!;
      return orLocally(attempt, patience(), reason => {
        const moved = local.move(request, choose);
        if (moved?.kind === 'moved') counts.local('move', reason);
        return moved;
      });
    },
    async release(id, endpointId, sid) {
      const settle = expectLeaving(id, endpointId, sid);
      const wasHere = holdings.dropParticipant(id, endpointId, sid);
      try {
        const counted = readConference(await insist('release', [id, endpointId, sid]));
        if (counted !== undefined) return noted(counted);
      } catch (error) {
        if (!wasHere || !isUnavailable(error)) throw error;
        counts.local('release', 'away');
      } finally {
        settle?.();
      }
      return wasHere ? holdings.change(id) : undefined;
    },
    async participants(id) {
      const [owner, ...fields] = listOf(await run('participants', [id]));
      return owner === undefined ? [] : readParticipants(id, String(owner), fields);
    },
    async releaseOwner(owner) {
      focuses.outdate();
      if (owner === focusId) {
        self = undefined;
        holdings.dropAll();
        arrivals.dropAll();
        amends.dropAll();
      }
      while (Number(await run('releaseOwner', [owner])) === CONFERENCES_PER_SCRIPT_MAX);
    },
    saveRoom: (id, fields) => snapshots.saveRoom(id, fields),
    loadRoom: id => snapshots.loadRoom(id),
    async takeConference(room, id, from, to) {
      const [conference, next, saves, ...members] = listOf(await run('takeConference', [room, id, from, to]));
      if (conference === undefined) return undefined;
      const counted = readConference(conference)!;
      const participants = readParticipants(id, to, members);
      conferences.note(counted);
      if (to === focusId) {
        holdings.noteTaken(counted, participants, { next: Number(next), saves: Number(saves) });
      } else holdings.dropConference(id);
      return { conference: counted.record, participants };
    },
    onOrphans(listener) {
      onOrphans = listener;
    },
    onLost(listener) {
      onLost = listener;
    },
  };
}
