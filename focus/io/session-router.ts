/** Decides for each admitted client whether its session is served here or relayed to the focus that its room lives at, and takes that room over when its focus is gone. */
import { SignalRequest, SignalResponse } from '@livekit/protocol';
import { DecodeError } from '../../protocol/errors.ts';
import type { SignalMessage } from '../conference/room-output.ts';
import { FocusError } from '../errors.ts';
import type { Held } from '../limits/limits.ts';
import type { KnownHomes } from '../peers/known-homes.ts';
import { type TakenPlace, writeOpening } from '../peers/opening.ts';
import type { ClientRegion } from '../region.ts';
import type { Admission } from '../signal/admission.ts';
import type { ConferenceRecord } from '../store/store.ts';
import { type PeerLink, PeerUnavailable, type Relay } from './peer-link.ts';
import type { PeerLinks } from './peer-links.ts';
import { openSession, refuseJoin, type SessionOpenerOptions, takePlace } from './session-opener.ts';
import type { SignalSocket } from './signal-socket.ts';
import type { Takeovers } from './takeovers.ts';

export interface SessionRouterOptions {
  readonly focusId: string;
  readonly sessions: SessionOpenerOptions;
  readonly links: PeerLinks;
  readonly homes: KnownHomes;
  readonly takeovers: Takeovers;
}

/** A client that was let in, and where it is. */
export interface Arrival {
  readonly socket: SignalSocket;
  readonly admission: Admission;
  readonly region: ClientRegion;
  readonly address: string | undefined;
}

/** Where the room of a client lives. `place`: taken for it in the store already. */
type Whereabouts =
  | { readonly kind: 'here'; readonly place: TakenPlace | null }
  | {
      readonly kind: 'there';
      readonly focusId: string;
      readonly place: TakenPlace | null;
      readonly conference: ConferenceRecord | null;
    }
  /** It has been sent away. */
  | { readonly kind: 'done' }
  /** Another focus was faster in taking it over. */
  | { readonly kind: 'again' };

/** One arrival on its way. */
interface Visit extends Arrival {
  /** What it takes of the limits of its key. */
  readonly held: Held | undefined;
  /** It is in a room here, and counts until it leaves. */
  inside: string | undefined;
  /** It is relayed, and counts until that ends. */
  isRelayed: boolean;
}

/** `lost`: the link ended meanwhile, which says nothing of the focus: the next attempt asks it. */
type RelayOutcome = 'relayed' | 'refused' | 'lost' | 'unreachable';

/** A room may close, or move, between the store's answer and the home's; more often than so is no coincidence. */
const ATTEMPTS_MAX = 4;

export class SessionRouter {
  readonly #options: SessionRouterOptions;
  /** Clients of rooms that live elsewhere. */
  readonly #relayed = new Set<SignalSocket>();

  constructor(options: SessionRouterOptions) {
    this.#options = options;
  }

  /** Serves the client wherever its room is, or sends it away. Never rejects. */
  async route(arrival: Arrival): Promise<void> {
    const { socket, admission } = arrival;
    const { host } = this.#options.sessions;
    let visit: Visit | undefined;
    try {
      visit = { ...arrival, held: this.#hold(admission), inside: undefined, isRelayed: false };
      await host.directory.holding(admission.room, () => this.#admit(visit!));
    } catch (error) {
      this.#refuse(socket, admission, error);
    } finally {
      if (visit?.isRelayed === false) visit.held?.release(visit.inside);
    }
  }

  /** Closes some of the sockets that are relayed, for their clients to come back elsewhere. Answers how many are left. */
  closeRelayed(most: number): number {
    for (const socket of [...this.#relayed].slice(0, most)) {
      this.#relayed.delete(socket);
      socket.close('this focus is going away');
    }
    return this.#relayed.size;
  }

  async #admit(visit: Visit): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (!visit.socket.isOpen || (await this.#attempt(visit))) return;
    }
    throw new FocusError('home-unavailable');
  }

  #refuse(socket: SignalSocket, admission: Admission, error: unknown): void {
    const { sessions } = this.#options;
    if (!admission.request.reconnect) {
      refuseJoin(sessions, socket, admission, error);
      return;
    }
    sessions.log.warn(
      { room: admission.room, participant: admission.token.identity, error: String(error) },
      'resume failed',
    );
    sessions.metrics.resumes.inc({ result: 'failed' });
    // Its media may be well: it tries again by its own schedule.
    socket.close('the session cannot be resumed at the moment');
  }

  /** True when the client needs nothing more. */
  async #attempt(arrival: Visit): Promise<boolean> {
    const where = await this.#find(arrival);
    if (where.kind === 'done') return true;
    if (where.kind === 'again') return false;
    if (where.kind === 'here') {
      await this.#serve(arrival, where.place);
      return true;
    }
    const { focusId, place } = where;
    const outcome = await this.#relay(arrival, focusId, place);
    if (outcome === 'relayed') return true;
    this.#options.homes.forget(arrival.admission.room, focusId);
    if (outcome !== 'unreachable') return false;
    const conference = place?.conference ?? where.conference ?? (await this.#record(arrival.admission.room));
    if (conference?.owner === focusId) await this.#options.takeovers.take(conference);
    return false;
  }

  async #find(arrival: Arrival): Promise<Whereabouts> {
    const { homes, sessions, focusId: self } = this.#options;
    const { room: name, request } = arrival.admission;
    const isHere = sessions.host.room(name) !== undefined;
    if (isHere && request.reconnect) return { kind: 'here', place: null };
    const known = isHere ? undefined : homes.find(name);
    if (known !== undefined) return { kind: 'there', focusId: known, place: null, conference: null };
    if (request.reconnect) {
      const conference = await this.#record(name);
      if (conference === undefined) return { kind: 'here', place: null };
      if (conference.owner !== self) return { kind: 'there', focusId: conference.owner, place: null, conference };
      return this.#own(conference, null);
    }
    const place = await takePlace(sessions, arrival.socket, arrival.admission, arrival.region);
    if (place === undefined) return { kind: 'done' };
    const { conference } = place;
    if (conference.owner === self) return this.#own(conference, place);
    const lost = sessions.host.directory.withConference(conference.conferenceId);
    if (lost !== undefined) sessions.host.dropRoom(lost);
    return { kind: 'there', focusId: conference.owner, place, conference };
  }

  /** The store says that it lives here; if it does not, it did so before a restart. */
  async #own(conference: ConferenceRecord, place: TakenPlace | null): Promise<Whereabouts> {
    const { takeovers, sessions } = this.#options;
    if (!sessions.host.isHomeOf(conference) && (await takeovers.take(conference)) === undefined)
      return { kind: 'again' };
    return { kind: 'here', place };
  }

  #record(room: string): Promise<ConferenceRecord | undefined> {
    return this.#options.sessions.store.conference(room);
  }

  /** Who comes back has been counted; it may be at another focus. */
  #hold({ token, room, request }: Admission): Held | undefined {
    const { sessions, homes } = this.#options;
    if (request.reconnect) return undefined;
    const isOpen = sessions.host.room(room) !== undefined || homes.find(room) !== undefined;
    return sessions.limits.holdPlace(token.apiKey, room, isOpen);
  }

  async #serve(visit: Visit, place: TakenPlace | null): Promise<void> {
    const { socket, admission, region } = visit;
    const { sessions } = this.#options;
    const { host } = sessions;
    const opened = await openSession(sessions, socket, admission, region, { by: null, place });
    if (opened === undefined) return;
    const { room, participant } = opened;
    // It may have left again already, and its notice with it.
    visit.inside = room.withSid(participant.sid)?.sid;
    socket.listen(
      message => {
        // The socket may have been replaced by a resume; what it still brings is of the past.
        if (host.session(participant.sid)?.sink === socket) host.handleRequest(room, participant, message);
      },
      () => host.handleSignalLost(room, participant, socket),
    );
  }

  async #relay(visit: Visit, focusId: string, place: TakenPlace | null): Promise<RelayOutcome> {
    const { links } = this.#options;
    let link: PeerLink;
    try {
      link = await links.link(focusId);
    } catch (error) {
      if (error instanceof PeerUnavailable && error.isGone) return 'unreachable';
      throw new FocusError('home-unavailable', focusId);
    }
    return this.#relayOver(link, visit, place);
  }

  /** Resolves when the home has taken the session, or has not; what happens later is between the two. */
  #relayOver(link: PeerLink, visit: Visit, place: TakenPlace | null): Promise<RelayOutcome> {
    const { socket, admission, region, address, held } = visit;
    const { homes, sessions } = this.#options;
    const { promise, resolve } = Promise.withResolvers<RelayOutcome>();
    let leaveHome: (() => void) | undefined;
    const finish = () => {
      if (leaveHome === undefined) return;
      this.#relayed.delete(socket);
      leaveHome();
      held?.release();
    };
    const opening = writeOpening({ admission, region, address: address ?? null, place });
    const relay: Relay = link.relay(opening, {
      onOpened: () => {
        visit.isRelayed = true;
        this.#relayed.add(socket);
        leaveHome = homes.hold(admission.room, link.focusId);
        sessions.log.debug(
          { room: admission.room, participant: admission.token.identity, home: link.focusId },
          'session relayed',
        );
        resolve('relayed');
        socket.listen(
          message => {
            // Answered by the socket itself.
            if (message.case === 'ping' || message.case === 'pingReq') return;
            relay.up(new SignalRequest({ message }).toBinary());
          },
          () => {
            if (relay.end('the client is gone')) finish();
          },
        );
      },
      onDown: response => socket.send(readResponse(response)),
      onEnd: (how, reason) => {
        finish();
        if (leaveHome === undefined) resolve(how === 'refused' ? 'refused' : 'lost');
        else socket.close(how === 'lost' ? 'the focus that served this room is gone' : reason);
      },
    });
    return promise;
  }
}

/** Throws DecodeError. */
function readResponse(bytes: Uint8Array): SignalMessage {
  try {
    return SignalResponse.fromBinary(bytes).message;
  } catch {
    throw new DecodeError('peer-response');
  }
}
