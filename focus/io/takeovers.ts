/** Takes conferences over from focuses that are gone, by compare-and-set in the store, and goes on with them where their snapshots are. */
import { DisconnectReason } from '@livekit/protocol';
import type { Logger } from 'pino';
import type { ConferenceId } from '../../protocol/ids.ts';
import { type Leaving, leave } from '../conference/joining.ts';
import type { Participant } from '../conference/participant.ts';
import { receivingEndpointId } from '../conference/receiving-side.ts';
import type { Room } from '../conference/room.ts';
import type { ConferenceRecord, ParticipantRecord, Store, TakenConference } from '../store/store.ts';
import type { ConferenceHost } from './conference-host.ts';
import type { PeerMetrics } from './peer-metrics.ts';

/** A Room as its snapshot has it, with everybody's signalling gone as of now. Throws for a snapshot that cannot be read. */
export type RestoreRoom = (conference: ConferenceRecord, fields: ReadonlyMap<string, Uint8Array>) => Room;

export interface TakeoversOptions {
  readonly focusId: string;
  readonly store: Store;
  readonly host: Pick<ConferenceHost, 'directory' | 'adoptRoom' | 'moveStranded' | 'apply'>;
  readonly restore: RestoreRoom;
  readonly metrics: Pick<PeerMetrics, 'takeovers'>;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/**
 * An entry that took a place for somebody hands it over within so long; who has not come by then is released. Bridges have reported twice by
 * then: those that have not are dead.
 */
const HANDOVER_MS = 5_000;

const GONE_BEFORE: Leaving = {
  reason: DisconnectReason.SIGNAL_CLOSE,
  action: null,
  cause: 'it had left the focus that is gone',
};

export class Takeovers {
  readonly #options: TakeoversOptions;
  readonly #underWay = new Map<ConferenceId, Promise<Room | undefined>>();

  constructor(options: TakeoversOptions) {
    this.#options = options;
  }

  /** The Room, of which this focus is the home now; undefined when somebody else was faster, or it is closed. Rejects when the store is away. */
  take(conference: ConferenceRecord): Promise<Room | undefined> {
    const { conferenceId, room: name } = conference;
    const known = this.#options.host.directory.withConference(conferenceId);
    if (known !== undefined) return Promise.resolve(known);
    const before = this.#underWay.get(conferenceId);
    if (before !== undefined) return before;
    // Joins that come meanwhile find it in the directory, or this promise.
    const work = this.#options.host.directory
      .holding(name, () => this.#take(conference))
      .finally(() => this.#underWay.delete(conferenceId));
    this.#underWay.set(conferenceId, work);
    return work;
  }

  async #take({ room: name, conferenceId, owner }: ConferenceRecord): Promise<Room | undefined> {
    const { store, focusId, metrics, log } = this.#options;
    try {
      const taken = await store.takeConference(name, conferenceId, owner, focusId);
      if (taken === undefined) {
        metrics.takeovers.inc({ outcome: 'lost' });
        return undefined;
      }
      const room = this.#restore(taken, await store.loadRoom(conferenceId));
      metrics.takeovers.inc({ outcome: 'taken' });
      const { size: participants } = room.participants;
      log.info({ room: name, from: owner, version: taken.conference.version, participants }, 'conference taken over');
      return room;
    } catch (error) {
      metrics.takeovers.inc({ outcome: 'failed' });
      throw error;
    }
  }

  #restore({ conference, participants }: TakenConference, fields: ReadonlyMap<string, Uint8Array>): Room {
    const { store, host, restore, nowMs } = this.#options;
    const room = restore(conference, fields);
    const present = new Set(participants.map(({ sid }) => sid));
    // Whom the store does not have had left; only the snapshot did not know it yet.
    for (const participant of [...room.participants.values()]) {
      if (!present.has(participant.sid)) leave(room, nowMs(), participant, GONE_BEFORE);
    }
    host.adoptRoom(room);
    const strangers: ParticipantRecord[] = [];
    for (const record of participants) {
      const participant = room.withSid(record.sid);
      if (participant === undefined) strangers.push(record);
      else {
        store.adopt(conference, record);
        if (participant.bridgeId !== record.bridgeId) this.#moveBack(room, participant, record);
      }
    }
    setTimeout(() => {
      this.#release(room, strangers);
      host.moveStranded(room);
    }, HANDOVER_MS).unref();
    return room;
  }

  /** It had a place on another bridge, and the home died before it could say so to anybody else: it stays where its media is. */
  #moveBack(room: Room, { bridgeId }: Participant, record: ParticipantRecord): void {
    const { store, host, log } = this.#options;
    removeEndpoints(room, record);
    host.apply(room);
    const moved = store.move(record, ({ bridges }) => ({
      bridgeId: bridges.some(bridge => bridge.bridgeId === bridgeId) ? bridgeId : null,
    }));
    moved.catch(error => {
      log.error(
        { room: room.identity.name, error: String(error) },
        'the store has a participant on another bridge than it is on',
      );
    });
  }

  #release(room: Room, strangers: readonly ParticipantRecord[]): void {
    const { store, host, log } = this.#options;
    for (const record of strangers) {
      const { conferenceId, endpointId, sid } = record;
      if (room.withSid(sid) !== undefined || host.directory.withConference(conferenceId) !== room) continue;
      // Its bridge may have been told of it: by a home that died before it could write that down.
      removeEndpoints(room, record);
      store.release(conferenceId, endpointId, sid).catch(error => {
        log.error({ error: String(error) }, 'place not given back to the store');
      });
    }
    host.apply(room);
  }
}

/** From the bridge that the store has it on: both, since whether it has two PeerConnections is not known. */
function removeEndpoints(room: Room, { bridgeId, endpointId }: ParticipantRecord): void {
  room.output({ kind: 'endpoint-removed', bridgeId, endpointId });
  room.output({ kind: 'endpoint-removed', bridgeId, endpointId: receivingEndpointId(endpointId) });
  if (room.document().bridgeIds.includes(bridgeId)) return;
  room.output({ kind: 'conference-removed', bridgeId });
}
