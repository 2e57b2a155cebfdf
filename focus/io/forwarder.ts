/** Carries forwardings out: takes the shadow's place in the store, and keeps each one in step with its original. */
import { DisconnectReason } from '@livekit/protocol';
import type { Logger } from 'pino';
import { Forwarding } from '../conference/forwarding.ts';
import { leave } from '../conference/joining.ts';
import type { Participant } from '../conference/participant.ts';
import { newSid, type Random } from '../conference/random.ts';
import type { Room, RoomProperties } from '../conference/room.ts';
import type { RoomDirectory } from '../conference/room-directory.ts';
import type { Refusal } from '../conference/rooms.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Assigned, ConferenceRecord, Store } from '../store/store.ts';

export interface ForwarderOptions {
  readonly focusId: string;
  readonly store: Store;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Pick<FocusMetrics, 'forwarded'>;
  readonly directory: RoomDirectory;
  readonly isAutoCreated: boolean;
  /** Of rooms that say nothing else. */
  readonly properties: Readonly<RoomProperties>;
  readonly roomOf: (conference: ConferenceRecord) => Room;
  /** Does what a room's outputs say. */
  readonly apply: (room: Room) => void;
  readonly nowMs: () => number;
  /** For work whose failure is only to be logged. */
  readonly inBackground: (work: Promise<unknown>, trouble: string) => void;
}

/** The shadow's SID, or why there is none. */
export type Forwarded = { readonly participantSid: string } | { readonly refusal: Refusal };

/** There is no client to be told anything. */
const LOST = { reason: DisconnectReason.MIGRATION, action: null };

const NOT_PLACED: Readonly<Record<Exclude<Assigned<unknown>['kind'], 'placed'>, Refusal>> = {
  'unknown-room': 'room-not-found',
  'room-full': 'room-full',
  'no-bridge': 'no-bridge',
};

/** Rooms change their homes one by one; a shadow whose original is in no room of this focus after so long leaves. */
const ORIGINAL_WAIT_MS = 10_000;

export class Forwarder {
  readonly #options: ForwarderOptions;
  /** Each one under both of its rooms. */
  readonly #byRoom = new Map<Room, Set<Forwarding>>();
  /** Shadows whose originals are not here, and the rooms that they are in. */
  readonly #waiting = new Map<Participant, Room>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /**
   * Forwards a participant of `from` to the room of that name, which is opened where rooms open by themselves. It has to be a room of this focus: one that another focus serves is
   * refused as `room-elsewhere`. Rejects when the store cannot be reached.
   */
  forward(from: Room, original: Participant, destination: string): Promise<Forwarded> {
    return this.#options.directory.holding(destination, () => this.#forward(from, original, destination));
  }

  async #forward(from: Room, original: Participant, destination: string): Promise<Forwarded> {
    const { store, focusId, random, directory, properties, isAutoCreated, roomOf, apply, nowMs } = this.#options;
    const known = directory.withName(destination);
    const { identity, region, bridgeId } = original;
    const sid = newSid('PA_', random);
    const assigned = await store.assign(
      {
        room: destination,
        createAs: known !== undefined || isAutoCreated ? { roomSid: newSid('RM_', random) } : null,
        identity,
        sid,
        region,
        owner: focusId,
        participantsMax: (known?.properties ?? properties).participantsMax,
      },
      // Where its media comes in: no other bridge has it.
      () => ({ bridgeId }),
    );
    if (assigned.kind !== 'placed') return { refusal: NOT_PLACED[assigned.kind] };
    const { conference, participant } = assigned;
    const release = () => store.release(conference.conferenceId, participant.endpointId, sid);
    if (conference.owner !== focusId) {
      await release();
      return { refusal: 'room-elsewhere' };
    }
    const to = roomOf(conference);
    to.hasBeenJoined = true;
    if (!store.adopt(conference, participant)) {
      await release();
      return { refusal: 'identity-taken' };
    }
    if (from.withSid(original.sid) !== original) {
      await release();
      return { refusal: 'participant-not-found' };
    }
    this.#begin(Forwarding.begin(from, original, to, nowMs(), participant));
    apply(to);
    return { participantSid: sid };
  }

  /** A room has changed: so may those whom it has from others, and whom others have from it. */
  handleApplied(room: Room): void {
    const { apply, nowMs, inBackground } = this.#options;
    for (const forwarding of [...(this.#byRoom.get(room) ?? [])]) {
      const followed = forwarding.follow(nowMs());
      if (followed === 'unchanged') continue;
      if (followed !== 'changed') this.#end(forwarding);
      apply(forwarding.to);
      if (followed !== 'moved') continue;
      const again = this.forward(forwarding.from, forwarding.original, forwarding.to.identity.name);
      inBackground(again, 'not forwarded again after a move to another bridge');
    }
  }

  /** A room that another focus has served before is here now: shadows in it go on, and those elsewhere whose originals are in it. */
  handleAdopted(room: Room): void {
    this.#await(
      room,
      [...room.participants.values()].filter(({ forwards }) => forwards !== null),
    );
    for (const [shadow, to] of [...this.#waiting]) this.#reunite(shadow, to);
  }

  /** Another focus serves that room now: shadows in other rooms wait for their originals to follow, or to be followed. */
  handleDropped(room: Room): void {
    for (const [shadow, to] of [...this.#waiting]) if (to === room) this.#waiting.delete(shadow);
    for (const forwarding of [...(this.#byRoom.get(room) ?? [])]) {
      this.#end(forwarding);
      if (forwarding.to !== room) this.#await(forwarding.to, [forwarding.shadow]);
    }
  }

  #await(to: Room, shadows: readonly Participant[]): void {
    if (shadows.length === 0) return;
    for (const shadow of shadows) this.#waiting.set(shadow, to);
    setTimeout(() => this.#giveUp(to, shadows), ORIGINAL_WAIT_MS).unref();
  }

  #reunite(shadow: Participant, to: Room): void {
    const { directory, nowMs, apply } = this.#options;
    const { conferenceId, endpointId } = shadow.forwards!;
    const from = directory.withConference(conferenceId);
    if (from === undefined) return;
    this.#waiting.delete(shadow);
    if (to.withSid(shadow.sid) !== shadow) return;
    const original = from.withEndpoint(endpointId);
    if (original?.identity === shadow.identity) this.#begin(Forwarding.resume(from, original, to, shadow));
    else
      leave(to, nowMs(), shadow, { ...LOST, cause: `it had left ${from.identity.name}, from where it was forwarded` });
    apply(to);
  }

  #giveUp(to: Room, shadows: readonly Participant[]): void {
    const { nowMs, apply } = this.#options;
    for (const shadow of shadows) {
      if (!this.#waiting.delete(shadow) || to.withSid(shadow.sid) !== shadow) continue;
      const cause = `${shadow.forwards!.room}, from where it was forwarded, is at another focus or closed`;
      leave(to, nowMs(), shadow, { ...LOST, cause });
    }
    apply(to);
  }

  #begin(forwarding: Forwarding): void {
    const { from, to, shadow } = forwarding;
    for (const room of [from, to]) {
      const others = this.#byRoom.get(room);
      if (others === undefined) this.#byRoom.set(room, new Set([forwarding]));
      else others.add(forwarding);
    }
    const { metrics, log } = this.#options;
    metrics.forwarded.inc();
    const { identity: participant, sid: participantSid, bridgeId: bridge } = shadow;
    log.info(
      { room: from.identity.name, to: to.identity.name, participant, participantSid, bridge },
      'forwarding begins',
    );
  }

  #end(forwarding: Forwarding): void {
    const { from, to, shadow } = forwarding;
    for (const room of [from, to]) {
      const others = this.#byRoom.get(room);
      others?.delete(forwarding);
      if (others?.size === 0) this.#byRoom.delete(room);
    }
    const { metrics, log } = this.#options;
    metrics.forwarded.dec();
    const { identity: participant, sid: participantSid } = shadow;
    log.info({ room: from.identity.name, to: to.identity.name, participant, participantSid }, 'forwarding ends');
  }
}
