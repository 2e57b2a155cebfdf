/** Runs the rooms of this focus: tells them what happens, and does what they want done. The only place where rooms meet the outside. */
import { DisconnectReason, LeaveRequest_Action, type SignalRequest } from '@livekit/protocol';
import type { Logger } from 'pino';
import { type BridgeId, type ConferenceId, type EndpointId, parseId } from '../../protocol/ids.ts';
import type { MoveAnswer, MoveOrder } from '../api/move-routes.ts';
import { handleBridgeEvent } from '../conference/bridge-events.ts';
import { handleOldLost } from '../conference/hand-over.ts';
import { handleSignalLost, leave } from '../conference/joining.ts';
import type { Notice } from '../conference/notice.ts';
import type { Participant } from '../conference/participant.ts';
import { newSid, type Random } from '../conference/random.ts';
import { Room, type RoomProperties, type RoomSettings } from '../conference/room.ts';
import { RoomDirectory } from '../conference/room-directory.ts';
import type { RoomHost } from '../conference/room-operations.ts';
import { settle } from '../conference/settling.ts';
import { takeOver } from '../conference/snapshot/take-over.ts';
import { handleTimeout } from '../conference/timeouts.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Placements } from '../placement/placement.ts';
import type { RegionDistances } from '../placement/region-distance.ts';
import { handleRequest } from '../signal/requests.ts';
import type { Revocations } from '../signal/revocations.ts';
import type { ConferenceRecord, Store } from '../store/store.ts';
import type { BridgeLinks, BridgeLinksHandler, ToldEvent } from './bridge-links.ts';
import { BridgeMover } from './bridge-mover.ts';
import type { BridgeWatch } from './bridge-watch.ts';
import { type Forwarded, Forwarder } from './forwarder.ts';
import { Leftovers } from './leftovers.ts';
import { RoomOutputs, type RoomOutputsOptions } from './room-outputs.ts';
import type { Session, SignalSink } from './session.ts';

export interface ConferenceHostOptions {
  readonly focusId: string;
  readonly settings: RoomSettings;
  readonly properties: Readonly<RoomProperties>;
  readonly roomNameCharactersMax: number;
  readonly isAutoCreated: boolean;
  readonly revocations: Revocations;
  readonly store: Store;
  readonly links: BridgeLinks;
  readonly placements: Pick<Placements, 'move'>;
  readonly bridges: Pick<BridgeWatch, 'report' | 'lost'>;
  /** Told of each round trip that bridges measure between them. */
  readonly distances: Pick<RegionDistances, 'noteRtt'>;
  readonly metrics: FocusMetrics;
  /** Told of rooms, participants and tracks that come and go. */
  readonly onNotice: (notice: Notice) => void;
  /** Told of each room after something may have changed in it. */
  readonly onChanged: (room: Room) => void;
  /** It is not served here any more. */
  readonly onEnded: (room: Room) => void;
  /** The process was held up for longer than other focuses wait: they may have taken over. Rooms do nothing of themselves until it resolves. */
  readonly onHeldUp: () => Promise<void>;
  readonly log: Logger;
  readonly random: Random;
  readonly nowMs: () => number;
}

/** Timeouts are seconds; this late they may be noticed. */
const TICK_MS = 250;
/** A process that was held up for so long may have been given up by others, who wait for 3 s. */
const HELD_UP_MS = 2_000;
/** How long closing waits for bridges to be told. */
const CLOSE_WAIT_MS = 1_000;
/** Conferences that ended here, remembered for sessions that other focuses placed in them just before. */
const ENDED_MAX = 10_000;

/** The room that was to be opened is open, and this focus does not have it. */
export class LivesElsewhere extends Error {
  readonly conference: ConferenceRecord;

  constructor(conference: ConferenceRecord) {
    super(`room ${conference.room} is at focus ${conference.owner}`);
    this.conference = conference;
  }
}

export class ConferenceHost implements RoomHost, BridgeLinksHandler {
  readonly settings: RoomSettings;
  readonly properties: Readonly<RoomProperties>;
  readonly roomNameCharactersMax: number;
  readonly isAutoCreated: boolean;
  readonly directory = new RoomDirectory();
  /** Takes participants to other bridges. */
  readonly mover: BridgeMover;
  /** Endpoints on bridges that no room has. */
  readonly leftovers: Leftovers;
  readonly #options: ConferenceHostOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #outputs: RoomOutputs;
  readonly #forwarder: Forwarder;
  readonly #ticker: NodeJS.Timeout;
  /** Room SIDs offered to the store by openings that are under way: a conference under one of them is new. */
  readonly #offered = new Set<string>();
  readonly #ended = new Set<ConferenceId>();
  /** Another focus is their home now: whatever is still under way for them is not done. */
  readonly #dropped = new WeakSet<Room>();
  /** Rooms taken over whose documents a bridge has not been sent, because this focus does not know it yet. */
  readonly #untold = new Map<BridgeId, Set<Room>>();
  #tickedAtMs: number;
  #isChecking = false;

  constructor(options: ConferenceHostOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.properties = options.properties;
    this.roomNameCharactersMax = options.roomNameCharactersMax;
    this.isAutoCreated = options.isAutoCreated;
    const apply = (room: Room) => this.apply(room);
    const inBackground = (work: Promise<unknown>, trouble: string) => this.#inBackground(work, trouble);
    this.mover = new BridgeMover({ ...options, apply, isUp: bridgeId => options.links.peer(bridgeId) !== undefined });
    const onEnded: RoomOutputsOptions['onEnded'] = (room, output) => this.mover.handleEnded(room, output);
    this.#outputs = new RoomOutputs({ ...options, sessions: this.#sessions, apply, onEnded, inBackground });
    this.#forwarder = new Forwarder({
      ...options,
      directory: this.directory,
      roomOf: conference => this.roomOf(conference),
      apply,
      inBackground,
    });
    this.leftovers = new Leftovers({
      store: options.store,
      isHere: (conferenceId, endpointId) =>
        this.directory.withConference(conferenceId)?.withEndpoint(endpointId) !== undefined,
      remove: (bridgeId, ...which) => options.links.link(bridgeId)?.removeEndpoint(...which),
    });
    options.links.listen(this);
    this.#tickedAtMs = options.nowMs();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  nowMs(): number {
    return this.#options.nowMs();
  }

  /** Sessions of participants, resumable ones included: what a test for leaks looks at. */
  get sessions(): number {
    return this.#sessions.size;
  }

  session(participantSid: string): Session | undefined {
    return this.#sessions.get(participantSid);
  }

  /** From here on the participant's messages go to this session. */
  attach(participantSid: string, session: Session): void {
    this.#sessions.set(participantSid, session);
  }

  handleRequest(room: Room, participant: Participant, message: SignalRequest['message']): void {
    handleRequest(room, participant, message, this.nowMs());
    this.apply(room);
  }

  /** A socket has closed. Nothing when another one has taken its place. */
  handleSignalLost(room: Room, participant: Participant, sink: SignalSink): void {
    if (this.#sessions.get(participant.sid)?.sink !== sink) return;
    handleSignalLost(room, this.nowMs(), participant);
    this.apply(room);
  }

  rooms(): Room[] {
    return this.directory.all();
  }

  room(name: string): Room | undefined {
    return this.directory.withName(name);
  }

  async openRoom(name: string, properties: RoomProperties): Promise<Room> {
    const known = this.directory.withName(name);
    if (known !== undefined) return known;
    const { store, focusId, random } = this.#options;
    return this.offering(newSid('RM_', random), async roomSid => {
      const conference = await store.openConference(name, roomSid, focusId);
      if (!this.isHomeOf(conference)) throw new LivesElsewhere(conference);
      return this.roomOf(conference, properties);
    });
  }

  /** Offers a room SID to the store: {@link isHomeOf} knows its conference until `work` is done. */
  async offering<T>(roomSid: string, work: (roomSid: string) => Promise<T>): Promise<T> {
    this.#offered.add(roomSid);
    try {
      return await work(roomSid);
    } finally {
      this.#offered.delete(roomSid);
    }
  }

  /** True when {@link roomOf} may make the Room: it is there already, or somebody here is just opening it. Else what there is of it is in the store. */
  isHomeOf({ conferenceId, roomSid, owner }: ConferenceRecord): boolean {
    if (this.directory.withConference(conferenceId) !== undefined) return true;
    return owner === this.#options.focusId && this.#offered.has(roomSid);
  }

  /** It was here, and is closed or another focus's now. */
  hasEnded(conferenceId: ConferenceId): boolean {
    return this.#ended.has(conferenceId);
  }

  /** A room that another focus was the home of, restored: this one is its home from now on. */
  adoptRoom(room: Room): void {
    this.#ended.delete(room.identity.conferenceId);
    this.directory.add(room);
    this.#options.metrics.rooms.inc();
    takeOver(room, this.nowMs());
    this.apply(room);
    this.#hearAgain(room);
    this.#forwarder.handleAdopted(room);
  }

  /** Participants of a room that was adopted whose bridges are not up: they have died together with the focus of before. */
  moveStranded(room: Room): void {
    if (this.#dropped.has(room)) return;
    for (const participant of [...room.participants.values()]) {
      if (this.#options.links.peer(participant.bridgeId) === undefined) this.#moveLost(room, participant);
    }
  }

  /** Another focus is its home now. Bridges, the store and webhooks are not told anything; its clients come back to wherever it is. */
  dropRoom(room: Room): void {
    const { conferenceId } = room.identity;
    if (this.directory.withConference(conferenceId) !== room) return;
    this.#dropped.add(room);
    this.#end(room);
    this.#uncount(room);
    this.#options.links.forgetConference(conferenceId);
    this.#forwarder.handleDropped(room);
    this.mover.handleDropped(room);
    for (const { sid } of room.participants.values()) {
      const session = this.#sessions.get(sid);
      this.#sessions.delete(sid);
      session?.sink.close('another focus serves this room now');
    }
  }

  /** The room of a conference that the store knows. */
  roomOf(conference: ConferenceRecord, properties: Readonly<RoomProperties> = this.properties): Room {
    const { conferenceId, room: name, roomSid: sid, createdAtMs } = conference;
    const known = this.directory.withConference(conferenceId);
    if (known !== undefined) return known;
    const { settings, random, metrics, log, onNotice } = this.#options;
    const room = new Room({ name, sid, conferenceId, createdAtMs }, { ...properties }, settings, random, this.nowMs());
    this.directory.add(room);
    metrics.rooms.inc();
    log.info({ room: name, roomSid: sid }, 'room created');
    onNotice({ event: 'room_started', room: room.info() });
    this.#options.onChanged(room);
    return room;
  }

  async closeRoom(room: Room, reason: DisconnectReason): Promise<void> {
    const { name, sid, conferenceId } = room.identity;
    const { store, metrics, log } = this.#options;
    this.#emptyRoom(room, reason, LeaveRequest_Action.DISCONNECT);
    if (this.#dropped.has(room)) return;
    await store.closeConference(name, conferenceId);
    if (this.directory.withConference(conferenceId) !== room) return;
    // Whoever came in between was promised a place in a conference that is no more.
    this.#emptyRoom(room, reason, LeaveRequest_Action.RECONNECT);
    this.#end(room);
    metrics.rooms.dec();
    log.info({ room: name, roomSid: sid, reason: DisconnectReason[reason] }, 'room closed');
    this.#options.onNotice({ event: 'room_finished', room: room.info() });
  }

  async sendMessage(room: Room, kind: 'reliable' | 'lossy', packet: Uint8Array, destinations: string[]): Promise<void> {
    const message = { kind, packet: Buffer.from(packet).toString('base64'), destinations };
    const { log, links } = this.#options;
    const sent = room.document().bridgeIds.map(async bridgeId => {
      try {
        await links.link(bridgeId)?.sendMessage(room.identity.conferenceId, message);
      } catch (error) {
        log.warn({ room: room.identity.name, bridge: bridgeId, error: String(error) }, 'message not delivered');
      }
    });
    await Promise.all(sent);
  }

  apply(room: Room): void {
    if (this.#dropped.has(room)) return;
    for (const output of settle(room)) this.#outputs.perform(room, output);
    this.#options.onChanged(room);
    this.#forwarder.handleApplied(room);
  }

  forward(room: Room, participant: Participant, destination: string): Promise<Forwarded> {
    return this.#forwarder.forward(room, participant, destination);
  }

  async tokenFor(participant: Participant, room: string): Promise<string | undefined> {
    return this.#sessions.get(participant.sid)?.freshToken(participant, room);
  }

  revokeTokens(room: string, identity: string, beforeSeconds: number): void {
    this.#options.revocations.revoke(room, identity, beforeSeconds);
  }

  onUp(bridgeId: BridgeId): void {
    // Conferences that outlived a gap in the bridge's reports still have it in their documents.
    for (const room of this.directory.all()) {
      if (room.document().bridgeIds.includes(bridgeId)) this.#outputs.putConference(room);
    }
    const untold = this.#untold.get(bridgeId) ?? [];
    this.#untold.delete(bridgeId);
    for (const room of untold) {
      for (const participant of room.participants.values())
        if (participant.bridgeId === bridgeId) room.touch(participant);
      this.apply(room);
    }
  }

  onDown(bridgeId: BridgeId): void {
    for (const room of this.directory.all()) {
      handleOldLost(room, bridgeId);
      this.apply(room);
      for (const participant of [...room.participants.values()]) {
        if (participant.bridgeId === bridgeId) this.#moveLost(room, participant);
      }
    }
  }

  /** Moves whoever is meant to another bridge. */
  async moveParticipant({ participant: named, room: roomName, to }: MoveOrder): Promise<MoveAnswer> {
    const found = this.#findMovable(named, roomName);
    if (found.length > 1) return { kind: 'ambiguous', rooms: found.map(({ room }) => room.identity.name) };
    if (found.length === 0) return { kind: 'not-found' };
    const [{ room, participant }] = found;
    const outcome = await this.mover.moveEndpoint(room, participant, to, 'operator');
    return { kind: 'ordered', room: room.identity.name, identity: participant.identity, outcome };
  }

  /** Names of the rooms in which {@link moveParticipant} finds somebody. */
  roomsOf({ participant, room }: Pick<MoveOrder, 'participant' | 'room'>): string[] {
    return this.#findMovable(participant, room).map(found => found.room.identity.name);
  }

  /** An identity does not mean its shadows in other rooms: those follow it. */
  #findMovable(named: string, roomName: string | undefined): { room: Room; participant: Participant }[] {
    return this.directory.all().flatMap(room => {
      if (roomName !== undefined && room.identity.name !== roomName) return [];
      const participant = room.withSid(named) ?? room.participants.get(named);
      if (participant === undefined || (participant.forwards !== null && participant.sid !== named)) return [];
      return [{ room, participant }];
    });
  }

  onLost(bridgeId: BridgeId, bootId: string): void {
    this.#inBackground(this.#options.bridges.lost(bridgeId, bootId), 'bridge not taken out of the store');
  }

  onEvent(bridgeId: BridgeId, event: ToldEvent): void {
    if (event.kind === 'hello' || event.kind === 'report') {
      this.#inBackground(this.#options.bridges.report(event.report), 'report not stored');
      return;
    }
    if (event.kind === 'quality') this.#noteDistances(bridgeId, event.links);
    const conferenceId = parseId<ConferenceId>(event.conferenceId);
    if (conferenceId === undefined) return;
    const room = this.directory.withConference(conferenceId);
    if (room !== undefined) {
      handleBridgeEvent(room, this.nowMs(), bridgeId, event);
      this.apply(room);
    }
    const endpointId = event.kind === 'endpoint' ? parseId<EndpointId>(event.endpointId) : undefined;
    if (event.kind !== 'endpoint' || endpointId === undefined || room?.withEndpoint(endpointId) !== undefined) return;
    const isThere = event.state === 'new' || event.state === 'connected';
    if (isThere) this.leftovers.noteStranger(this.nowMs(), bridgeId, conferenceId, endpointId);
    else this.leftovers.noteGone(bridgeId, conferenceId, endpointId);
  }

  /** Nothing is done any more: bridges, the store and clients are left as they are. */
  abandon(): void {
    clearInterval(this.#ticker);
    for (const room of this.directory.all()) {
      this.#dropped.add(room);
      this.#end(room);
    }
    this.#options.links.close();
  }

  /** Everybody is told to leave, bridges forget, the store is given back. Resolves within about a second. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    for (const room of this.directory.all()) {
      this.#emptyRoom(room, DisconnectReason.SERVER_SHUTDOWN, LeaveRequest_Action.DISCONNECT);
      this.directory.remove(room);
      this.#options.onNotice({ event: 'room_finished', room: room.info() });
    }
    const { store, focusId, links } = this.#options;
    const deadlineMs = this.nowMs() + CLOSE_WAIT_MS;
    while (links.pending > 0 && this.nowMs() < deadlineMs) await new Promise(resolve => setTimeout(resolve, 10));
    links.close();
    await store.releaseOwner(focusId);
  }

  #tick(): void {
    const nowMs = this.nowMs();
    const heldUpMs = nowMs - this.#tickedAtMs - TICK_MS;
    this.#tickedAtMs = nowMs;
    if (heldUpMs >= HELD_UP_MS && !this.#isChecking) {
      this.#isChecking = true;
      const checked = this.#options.onHeldUp().finally(() => {
        this.#isChecking = false;
      });
      this.#inBackground(checked, 'it is not known whether other focuses have taken over');
    }
    if (this.#isChecking) return;
    for (const room of this.directory.all()) {
      handleTimeout(room, nowMs);
      this.apply(room);
    }
    void this.leftovers.handleTick(nowMs);
    for (const room of this.directory.expired(nowMs)) {
      this.#inBackground(this.closeRoom(room, DisconnectReason.ROOM_CLOSED), 'room not closed in the store');
    }
  }

  #moveLost(room: Room, participant: Participant): void {
    void this.mover.moveEndpoint(room, participant, null, 'bridge-lost');
  }

  /** What bridges said while nobody was home is said again; to those that this focus does not know yet, everything when they are up. */
  #hearAgain(room: Room): void {
    for (const bridgeId of room.document().bridgeIds) {
      const link = this.#options.links.link(bridgeId);
      if (link !== undefined) link.hearAgain();
      else this.#untold.set(bridgeId, (this.#untold.get(bridgeId) ?? new Set()).add(room));
    }
  }

  #end(room: Room): void {
    for (const [bridgeId, untold] of this.#untold) {
      if (untold.delete(room) && untold.size === 0) this.#untold.delete(bridgeId);
    }
    this.directory.remove(room);
    this.#options.onEnded(room);
    this.#ended.add(room.identity.conferenceId);
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.keys().next().value!);
  }

  /** A room goes, with all that is in it. */
  #uncount(room: Room): void {
    const { metrics } = this.#options;
    metrics.rooms.dec();
    for (const { region } of room.participants.values()) metrics.participants.dec({ region });
    for (const sid of room.publishers.keys()) {
      const kind = room.track(sid)?.track.kind;
      if (kind !== undefined) metrics.tracks.dec({ kind });
    }
  }

  #emptyRoom(room: Room, reason: DisconnectReason, action: LeaveRequest_Action): void {
    for (const participant of [...room.participants.values()]) {
      leave(room, this.nowMs(), participant, { reason, action, cause: DisconnectReason[reason].toLowerCase() });
    }
    this.apply(room);
  }

  #noteDistances(from: BridgeId, links: readonly { readonly bridgeId: string; readonly rttMs: number | null }[]): void {
    const { links: bridgeLinks, distances } = this.#options;
    const region = bridgeLinks.peer(from)?.region;
    for (const { bridgeId, rttMs } of links) {
      const other = bridgeLinks.peer(bridgeId as BridgeId)?.region;
      if (rttMs !== null && region !== undefined && other !== undefined) distances.noteRtt(region, other, rttMs);
    }
  }

  #inBackground(work: Promise<unknown>, trouble: string): void {
    work.catch(error => this.#options.log.error({ error: String(error) }, trouble));
  }
}
