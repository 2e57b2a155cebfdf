/** The server API over all focuses: operations are carried to the focus that the room lives at, lists are asked of everybody. */
import type { Logger } from 'pino';
import { DecodeError } from '../../protocol/errors.ts';
import { type Paths, pathsFrom } from '../conference/paths.ts';
import type { Answer, NetworkRooms, RoomSummary, Rooms } from '../conference/rooms.ts';
import { FocusError } from '../errors.ts';
import type { KnownHomes } from '../peers/known-homes.ts';
import type { CallAnswer } from '../peers/peer-messages.ts';
import {
  ROOM_METHODS,
  type RoomMethod,
  readArguments,
  readInfos,
  readRoomAnswer,
  roomOfCall,
  writeArguments,
  writeInfos,
  writeRoomAnswer,
} from '../peers/room-calls.ts';
import type { ConferenceRecord, Store } from '../store/store.ts';
import { type ConferenceHost, LivesElsewhere } from './conference-host.ts';
import { type CallHandler, NOT_HOME } from './peer-home.ts';
import { PeerUnavailable } from './peer-link.ts';
import type { PeerLinks } from './peer-links.ts';
import type { Takeovers } from './takeovers.ts';

export interface NetworkRoomsOptions {
  readonly focusId: string;
  readonly local: Rooms;
  readonly host: Pick<ConferenceHost, 'room' | 'isHomeOf' | 'revokeTokens'>;
  readonly store: Pick<Store, 'conference' | 'conferences'>;
  readonly links: PeerLinks;
  readonly homes: KnownHomes;
  readonly takeovers: Takeovers;
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** What every other focus was asked, and who did not answer. */
export interface Gathered<T> {
  readonly values: readonly T[];
  readonly silent: readonly string[];
}

type AnyMethod = (...args: unknown[]) => Answer<unknown> | Promise<Answer<unknown>>;

/** A room may close, or move, between the store's answer and the home's. */
const ATTEMPTS_MAX = 3;

export class RoomNetwork {
  readonly #options: NetworkRoomsOptions;

  constructor(options: NetworkRoomsOptions) {
    this.#options = options;
  }

  /** What the API calls. Methods reject with FocusError `home-unavailable` and `focus-unavailable`, which name the focus. */
  rooms(): NetworkRooms {
    const single = Object.fromEntries(
      ROOM_METHODS.map(method => [method, (...args: unknown[]) => this.#operate(method, args)]),
    );
    return { ...single, listRooms: this.#listRooms, summaries: this.#localSummaries } as unknown as NetworkRooms;
  }

  /** What other focuses call here. */
  calls(): Readonly<Record<string, CallHandler>> {
    const { local, host } = this.#options;
    const operations = ROOM_METHODS.map((method): [string, CallHandler] => [
      `room.${method}`,
      async body => this.#answer(method, readArguments(method, body)),
    ]);
    return {
      ...Object.fromEntries(operations),
      'room.paths': body => {
        const [room, identity] = textsOf(body);
        return { ok: true, value: this.#localPaths(room ?? '', identity ?? '') };
      },
      'rooms.list': body => ({ ok: true, value: writeInfos(local.listRooms(textsOf(body))) }),
      'rooms.summaries': () => ({ ok: true, value: local.summaries() }),
      'tokens.revoke': body => {
        const { room, identity, beforeSeconds } = revocationOf(body);
        host.revokeTokens(room, identity, beforeSeconds);
        return { ok: true, value: null };
      },
    };
  }

  /** The ways of media of one participant. Rejects with FocusError when there is no such room or participant, or its home does not answer. */
  async paths(room: string, identity: string): Promise<Paths> {
    const { host, homes, store, links, focusId: self, timeoutMs } = this.#options;
    if (host.room(room) !== undefined) return this.#localPaths(room, identity);
    const home = homes.find(room) ?? (await store.conference(room))?.owner;
    if (home === undefined || home === self) throw new FocusError('room-not-found');
    const answer = await links.call(home, 'room.paths', [room, identity], timeoutMs).catch(() => {
      throw new FocusError('home-unavailable', home);
    });
    if (answer.ok) return answer.value as Paths;
    throw new FocusError(answer.code === 'participant-not-found' ? 'participant-not-found' : 'room-not-found');
  }

  #localPaths(name: string, identity: string): Paths {
    const room = this.#options.host.room(name);
    if (room === undefined) throw new FocusError('room-not-found');
    const participant = room.participants.get(identity);
    if (participant === undefined) throw new FocusError('participant-not-found');
    return pathsFrom(room, participant);
  }

  /** For the admin API: of all focuses, ordered by name. */
  async summaries(): Promise<{ readonly rooms: RoomSummary[]; readonly silent: readonly string[] }> {
    const { values, silent } = await this.gather('rooms.summaries', null, body => body as RoomSummary[]);
    const rooms = [...this.#options.local.summaries(), ...values.flat()];
    return { rooms: rooms.sort((a, b) => (a.name < b.name ? -1 : 1)), silent };
  }

  /** Asks all other focuses. One that is gone and has left nothing behind is not missed. */
  async gather<T>(method: string, body: unknown, read: (value: unknown) => T): Promise<Gathered<T>> {
    const { links, timeoutMs, store } = this.#options;
    const others = await links.others();
    const answers = await Promise.all(
      others.map(async ({ focusId }) => {
        try {
          const answer = await links.call(focusId, method, body, timeoutMs);
          return answer.ok ? { value: read(answer.value) } : undefined;
        } catch (error) {
          if (error instanceof PeerUnavailable || error instanceof DecodeError) return undefined;
          throw error;
        }
      }),
    );
    const silent = others.map(({ focusId }) => focusId).filter((_, index) => answers[index] === undefined);
    const values = answers.flatMap(answer => (answer === undefined ? [] : [answer.value]));
    if (silent.length === 0) return { values, silent };
    const owners = new Set((await store.conferences()).map(({ owner }) => owner));
    return { values, silent: silent.filter(focusId => !links.isGone(focusId) || owners.has(focusId)) };
  }

  readonly #localSummaries = () => this.#options.local.summaries();

  readonly #listRooms = async (names: readonly string[]) => {
    const { values, silent } = await this.gather('rooms.list', names, readInfos);
    if (silent.length > 0) throw new FocusError('focus-unavailable', silent.join(', '));
    const rooms = [...this.#options.local.listRooms(names), ...values.flat()];
    return rooms.sort((a, b) => (a.name < b.name ? -1 : 1));
  };

  async #operate(method: RoomMethod, args: readonly unknown[]): Promise<Answer<unknown>> {
    const answer = await this.#atHome(method, args);
    if (method === 'removeParticipant' && answer.ok && Number(args[2]) > 0) await this.#revokeEverywhere(args);
    return answer;
  }

  async #atHome(method: RoomMethod, args: readonly unknown[]): Promise<Answer<unknown>> {
    const { host, homes, store, focusId: self, takeovers } = this.#options;
    const name = roomOfCall(method, args);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (host.room(name) !== undefined) return this.#here(method, args);
      const conference = await store.conference(name).catch(() => {
        throw new FocusError('store-unavailable');
      });
      if (conference === undefined) {
        const answer = await this.#tryHere(method, args);
        if (answer !== undefined) return answer;
      } else if (conference.owner === self) {
        if (!host.isHomeOf(conference)) await takeovers.take(conference);
      } else {
        const answer = await this.#there(method, args, conference);
        if (answer !== undefined) return answer;
        homes.forget(name, conference.owner);
      }
    }
    throw new FocusError('home-unavailable');
  }

  async #here(method: RoomMethod, args: readonly unknown[]): Promise<Answer<unknown>> {
    return (this.#options.local[method] as unknown as AnyMethod)(...args);
  }

  /** Undefined: another focus opened the room in between. */
  async #tryHere(method: RoomMethod, args: readonly unknown[]): Promise<Answer<unknown> | undefined> {
    try {
      return await this.#here(method, args);
    } catch (error) {
      if (error instanceof LivesElsewhere) return undefined;
      throw error;
    }
  }

  /** Undefined: it does not live there any more. */
  async #there(
    method: RoomMethod,
    args: readonly unknown[],
    conference: ConferenceRecord,
  ): Promise<Answer<unknown> | undefined> {
    const { links, timeoutMs, takeovers } = this.#options;
    const home = conference.owner;
    try {
      const answer = await links.call(home, `room.${method}`, writeArguments(method, args), timeoutMs);
      if (answer.ok) return readRoomAnswer(method, answer.value);
      if (answer.code === NOT_HOME) return undefined;
      throw new FocusError('home-unavailable', home);
    } catch (error) {
      if (error instanceof FocusError) throw error;
      if (error instanceof PeerUnavailable && links.isGone(home)) {
        await takeovers.take(conference);
        return undefined;
      }
      throw new FocusError('home-unavailable', home);
    }
  }

  /** For a caller at another focus: only what is here. */
  async #answer(method: RoomMethod, args: readonly unknown[]): Promise<CallAnswer> {
    const { host } = this.#options;
    if (host.room(roomOfCall(method, args)) === undefined) return { ok: false, code: NOT_HOME, detail: '' };
    return { ok: true, value: writeRoomAnswer(method, await this.#here(method, args)) };
  }

  /** Wherever the token is tried from now on. A focus that does not answer is one that clients do not reach either. */
  async #revokeEverywhere([room, identity, beforeSeconds]: readonly unknown[]): Promise<void> {
    const { host, log } = this.#options;
    host.revokeTokens(String(room), String(identity), Number(beforeSeconds));
    const { silent } = await this.gather('tokens.revoke', { room, identity, beforeSeconds }, () => null);
    if (silent.length > 0) log.warn({ silent, room }, 'revocation not known to every focus');
  }
}

function textsOf(body: unknown): string[] {
  if (!Array.isArray(body) || !body.every(one => typeof one === 'string')) throw new DecodeError('rooms-list');
  return body;
}

function revocationOf(body: unknown): { room: string; identity: string; beforeSeconds: number } {
  const { room, identity, beforeSeconds } = (body ?? {}) as Record<string, unknown>;
  if (typeof room !== 'string' || typeof identity !== 'string' || typeof beforeSeconds !== 'number') {
    throw new DecodeError('tokens-revoke');
  }
  return { room, identity, beforeSeconds };
}
