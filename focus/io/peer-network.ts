/** This focus among the others: its links, what they ask of it, and what it takes over when one of them is gone. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { DecodeError } from '../../protocol/errors.ts';
import type { FocusNetwork, FocusStatus } from '../api/focus-routes.ts';
import type { Paths } from '../conference/paths.ts';
import type { NetworkRooms, Rooms } from '../conference/rooms.ts';
import { FocusError } from '../errors.ts';
import { heirOf } from '../peers/heir.ts';
import { KnownHomes } from '../peers/known-homes.ts';
import type { PlacementExplanation } from '../placement/placement.ts';
import type { ConferenceRecord, FocusRecord, Store } from '../store/store.ts';
import { FocusDrain } from './focus-drain.ts';
import { NetworkOperators, type NetworkOperatorsOptions } from './network-operators.ts';
import { RoomNetwork } from './network-rooms.ts';
import { type CallHandler, createPeerHome, NOT_HOME } from './peer-home.ts';
import { PeerUnavailable } from './peer-link.ts';
import { PeerLinks } from './peer-links.ts';
import type { PeerMetrics } from './peer-metrics.ts';
import { registerPeerRoute } from './peer-route.ts';
import { checkSelf } from './self-check.ts';
import type { SessionOpenerOptions } from './session-opener.ts';
import { SessionRouter } from './session-router.ts';
import type { SnapshotWriter } from './snapshot-writer.ts';
import { type RestoreRoom, Takeovers } from './takeovers.ts';

export interface PeerNetworkOptions {
  readonly focusId: string;
  readonly bootId: string;
  readonly secret: string;
  readonly callTimeoutMs: number;
  readonly sessions: SessionOpenerOptions;
  readonly local: Rooms;
  readonly snapshots: SnapshotWriter;
  /** How long a drain may take that says nothing else. */
  readonly drainTimeoutMs: number;
  /** How long it takes clients after it has begun. */
  readonly drainNoticeMs: number;
  readonly restore: RestoreRoom;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Of the participants whose home this focus is. */
  readonly drainProgress: NetworkOperatorsOptions['drainProgress'];
  readonly isClosing: () => boolean;
}

export class PeerNetwork {
  readonly router: SessionRouter;
  /** The server API's operations, wherever the rooms are. */
  readonly rooms: NetworkRooms;
  readonly operators: NetworkOperators;
  readonly #options: PeerNetworkOptions;
  readonly #store: Store;
  readonly #links: PeerLinks;
  readonly #homes = new KnownHomes();
  readonly #takeovers: Takeovers;
  readonly #roomNetwork: RoomNetwork;
  readonly drain: FocusDrain;
  #record: FocusRecord | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closeIncoming = () => {};
  #endSelfCheck: (() => void) | undefined;

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    const { sessions, focusId, metrics, log, local, callTimeoutMs: timeoutMs } = options;
    const { host, store } = sessions;
    this.#store = store;
    this.#links = new PeerLinks({ ...options, store, onGone: gone => this.#inBackground(this.#settleGone(gone)) });
    this.#takeovers = new Takeovers({ ...options, store, host });
    const parts = { links: this.#links, homes: this.#homes, takeovers: this.#takeovers };
    this.router = new SessionRouter({ focusId, sessions, ...parts });
    this.#roomNetwork = new RoomNetwork({ focusId, local, host, store, timeoutMs, log, ...parts });
    this.rooms = this.#roomNetwork.rooms();
    this.operators = new NetworkOperators({
      focusId,
      host,
      placements: sessions.placements,
      drainProgress: options.drainProgress,
      rooms: this.#roomNetwork,
      links: this.#links,
    });
    const closeRelayed = (most: number) => this.router.closeRelayed(most);
    this.drain = new FocusDrain({
      ...options,
      host,
      store,
      links: this.#links,
      timeoutMs,
      noticeMs: options.drainNoticeMs,
      closeRelayed,
    });
    store.onOrphans(orphans => this.#inBackground(this.#takeAll(orphans)));
    store.onLost(({ conferenceId }) => {
      const room = host.directory.withConference(conferenceId);
      if (room === undefined) return;
      metrics.roomsLost.inc();
      log.warn({ room: room.identity.name }, 'another focus has taken the room over');
      host.dropRoom(room);
    });
  }

  /** Adds `/v1/peers`. */
  register(app: FastifyInstance): void {
    const { sessions, secret, focusId, isClosing, log } = this.#options;
    const calls = { ...this.#roomNetwork.calls(), ...this.operators.calls(), ...this.#calls() };
    const takeovers = this.#takeovers;
    const handler = createPeerHome({ focusId, sessions, store: this.#store, takeovers, calls, log, isClosing });
    const route = registerPeerRoute(app, { ...this.#options, secret, handler });
    this.#closeIncoming = route.closeAll;
  }

  /** Makes this focus known to the others, and takes back what it had before a restart. Resolves when the store has answered once; goes on trying while it is away. */
  async start(record: FocusRecord): Promise<void> {
    this.#record = record;
    this.drain.known(record);
    this.#endSelfCheck ??= checkSelf({ ...this.#options, url: record.url });
    try {
      await this.#store.putFocus(record);
      const own = (await this.#store.conferences()).filter(({ owner }) => owner === record.focusId);
      await this.#takeAll(own.filter(conference => !this.#options.sessions.host.isHomeOf(conference)));
    } catch (error) {
      this.#options.log.warn(
        { error: String(error) },
        'conferences of before are not taken back yet: the store is away',
      );
      this.#retry = setTimeout(() => void this.start(record), START_RETRY_MS);
      this.#retry.unref();
    }
  }

  /** The ways of media of one participant, wherever its room is. Rejects with FocusError. */
  paths(room: string, identity: string): Promise<Paths> {
    return this.#roomNetwork.paths(room, identity);
  }

  /** Whether another focus serves the room, as far as is known without asking. */
  isRelayed(room: string): boolean {
    return this.#homes.find(room) !== undefined;
  }

  /** For the admin API. */
  view(): FocusNetwork {
    return {
      summaries: () => this.#roomNetwork.summaries(),
      focuses: () => this.#focuses(),
      placements: () => this.operators.placements(),
      explain: participant => this.#explain(participant),
      setState: (focusId, state, forMs) => this.#setStateOf(focusId, state, forMs),
      isDraining: () => this.drain.isDraining,
      isHome: room => this.#options.sessions.host.room(room) !== undefined,
    };
  }

  /** Rooms whose home is another focus by now are dropped: what a focus asks that was held up for longer than others wait. */
  async checkOwnership(): Promise<void> {
    const { host } = this.#options.sessions;
    for (const room of host.rooms()) {
      const { name, conferenceId } = room.identity;
      const conference = await this.#store.conference(name);
      if (conference?.conferenceId === conferenceId && conference.owner === this.#options.focusId) continue;
      // Closed by us just now, it is in the directory no more.
      if (host.directory.withConference(conferenceId) !== room) continue;
      this.#options.metrics.roomsLost.inc();
      host.dropRoom(room);
    }
  }

  /** Sessions relayed from here end with their links, those relayed to here lose their clients. */
  close(): void {
    clearTimeout(this.#retry);
    this.#endSelfCheck?.();
    this.#links.close();
    this.#closeIncoming();
  }

  async #setStateOf(focusId: string, state: FocusRecord['state'], forMs: number | undefined): Promise<boolean> {
    const { focusId: self, callTimeoutMs } = this.#options;
    if (focusId === self) {
      this.#setState(state, forMs);
      return true;
    }
    if (!(await this.#links.others()).some(other => other.focusId === focusId)) return false;
    await this.#links.call(focusId, 'focus.state', { state, forMs }, callTimeoutMs).catch(() => {
      throw new FocusError('focus-unavailable', focusId);
    });
    return true;
  }

  #setState(state: FocusRecord['state'], forMs = this.#options.drainTimeoutMs): void {
    this.#inBackground(state === 'draining' ? this.drain.drain(forMs) : this.drain.undo());
  }

  async #takeAll(conferences: readonly ConferenceRecord[]): Promise<void> {
    await Promise.all(conferences.map(conference => this.#takeovers.take(conference)));
  }

  /** So that nothing stays behind for which no client comes: each conference to its heir, which this focus may be. */
  async #settleGone(gone: string): Promise<void> {
    const { focusId: self, callTimeoutMs } = this.#options;
    const others = (await this.#links.alive()).filter(({ state }) => state === 'running').map(({ focusId }) => focusId);
    const alive = this.drain.isDraining && others.length > 0 ? others : [self, ...others];
    const orphans = (await this.#store.conferences()).filter(({ owner }) => owner === gone);
    const byHeir = Map.groupBy(orphans, ({ conferenceId }) => heirOf(conferenceId, alive) ?? self);
    await Promise.all(
      [...byHeir].map(async ([heir, conferences]) => {
        if (heir === self) return this.#takeAll(conferences);
        const rooms = conferences.map(({ room }) => room);
        try {
          await this.#links.call(heir, 'conferences.inherit', { from: gone, rooms }, callTimeoutMs);
        } catch (error) {
          if (!(error instanceof PeerUnavailable)) throw error;
          await this.#takeAll(conferences);
        }
      }),
    );
  }

  /** Another focus says that `from` is gone. It is believed when this one cannot reach it either. */
  async #inherit(from: string, rooms: readonly string[]): Promise<void> {
    const isThere = await this.#links.link(from).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    for (const room of rooms) {
      const conference = await this.#store.conference(room);
      if (conference?.owner === from) await this.#takeovers.take(conference);
    }
  }

  #calls(): Readonly<Record<string, CallHandler>> {
    return {
      'conferences.inherit': body => {
        const { from, rooms } = (body ?? {}) as Record<string, unknown>;
        if (typeof from !== 'string' || !Array.isArray(rooms)) throw new DecodeError('conferences-inherit');
        this.#inBackground(this.#inherit(from, rooms.map(String)));
        return { ok: true, value: null };
      },
      'conferences.take': async (body, from) => {
        const { room } = (body ?? {}) as Record<string, unknown>;
        if (typeof room !== 'string') throw new DecodeError('conferences-take');
        const conference = await this.#store.conference(room);
        const isTaken = conference?.owner === from && (await this.#takeovers.take(conference)) !== undefined;
        return isTaken ? { ok: true, value: null } : { ok: false, code: NOT_HOME, detail: room };
      },
      'focus.state': body => {
        const { state, forMs } = (body ?? {}) as Record<string, unknown>;
        if (state !== 'running' && state !== 'draining') throw new DecodeError('focus-state');
        this.#setState(state, typeof forMs === 'number' ? forMs : undefined);
        return { ok: true, value: null };
      },
      'focus.status': () => ({ ok: true, value: this.#status() }),
      'placements.explain': body => ({ ok: true, value: this.#localExplanations(String(body)) }),
    };
  }

  #status(): OwnStatus {
    const { host } = this.#options.sessions;
    const relayedOut = this.#links.open().reduce((sum, link) => sum + link.sessions, 0);
    const { progress: drain } = this.drain;
    return { rooms: host.directory.size, sessions: host.sessions, relayedOut, relayedRooms: this.#homes.size, drain };
  }

  async #focuses(): Promise<{ readonly focuses: FocusStatus[]; readonly silent: readonly string[] }> {
    const { focusId: self, callTimeoutMs } = this.#options;
    const records = await this.#store.focuses().catch(() => (this.#record === undefined ? [] : [this.#record]));
    const silent: string[] = [];
    const asked = records.map(async (record): Promise<FocusStatus> => {
      if (record.focusId === self) return { ...record, ...this.#status(), rttMs: null };
      const status = await this.#links
        .call(record.focusId, 'focus.status', null, callTimeoutMs)
        .then(answer => (answer.ok ? (answer.value as OwnStatus) : undefined))
        .catch(() => undefined);
      if (status === undefined) silent.push(record.focusId);
      const rttMs = this.#links.open().find(({ focusId }) => focusId === record.focusId)?.rttMs ?? null;
      return { ...record, ...(status ?? UNKNOWN), rttMs };
    });
    return { focuses: await Promise.all(asked), silent: silent.sort() };
  }

  #localExplanations(participant: string): PlacementExplanation[] {
    const { placements } = this.#options.sessions;
    return placements
      .explanations()
      .filter(({ sid, identity }) => sid === participant || identity === participant)
      .slice(0, EXPLANATIONS_MAX);
  }

  async #explain(
    participant: string,
  ): Promise<{ readonly found: PlacementExplanation[]; readonly silent: readonly string[] }> {
    const read = (value: unknown) => value as PlacementExplanation[];
    const { values, silent } = await this.#roomNetwork.gather('placements.explain', participant, read);
    const found = [...this.#localExplanations(participant), ...values.flat()];
    // A SID names one participant, an identity whoever had it last.
    const rank = ({ sid }: PlacementExplanation) => (sid === participant ? 0 : 1);
    return { found: found.sort((a, b) => rank(a) - rank(b) || b.placement.at - a.placement.at), silent };
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch(error => this.#options.log.error({ error: String(error) }, 'conferences not taken over'));
  }
}

type OwnStatus = Pick<FocusStatus, 'rooms' | 'sessions' | 'relayedOut' | 'relayedRooms' | 'drain'>;

/** Of one participant, from one focus. */
const EXPLANATIONS_MAX = 20;
const START_RETRY_MS = 1_000;
const UNKNOWN = { rooms: null, sessions: null, relayedOut: null, relayedRooms: null, drain: null };
