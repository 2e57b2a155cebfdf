import type { SourceSpec } from '../../protocol/control/spec.ts';
import { type BridgeId, type ConferenceId, type EndpointId, parseId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { Chance } from '../soak/chance.ts';
import type { PathSettings } from '../wan/path-settings.ts';
import { DEFAULT_SETTINGS } from '../wan/path-settings.ts';
import { Agenda } from './agenda.ts';
import { CHEAP_FRAME_CIPHERS } from './cheap-ciphers.ts';
import type { ClientLeg } from './client-leg.ts';
import { problemOf, type Standing, standingOf } from './flow-rules.ts';
import { Focus } from './focus.ts';
import { MeshEpochs } from './mesh-epochs.ts';
import { type MessageKind, MessageLedger, type Passage } from './message-ledger.ts';
import { Network } from './network.ts';
import { Participant, type Subscription } from './participant.ts';
import { Paths } from './paths.ts';
import { Publication } from './publication.ts';
import { SimBridge } from './sim-bridge.ts';
import type { Stage } from './steps.ts';
import { sourceKey, WireWatch } from './wire-watch.ts';
import type { WorldSettings } from './world-settings.ts';

/** What has stood like this for so long is exactly known: no more than what is shown crosses a link. */
const EXACT_AFTER_MS = 4_500;
const CONNECT_MS_MAX = 300;
/** Reliable messages that may wait for one peer (bridge/relay/message-sender.ts). */
const QUEUED_MESSAGES_MAX = 4_096;

/** One of the invariants does not hold. */
export class Violation extends Error {}

/** Bridges, a network, a focus and people, and everything that has to be true of them. Time passes by `agenda`. */
export class World implements Stage {
  toldCount = 0;
  readonly lastTold = new Map<string, number>();
  readonly settings: WorldSettings;
  readonly agenda = new Agenda();
  readonly chance: Chance;
  readonly network: Network;
  readonly paths: Paths;
  readonly bridges: readonly SimBridge[];
  readonly focus: Focus;
  readonly watch: WireWatch;
  readonly ledger: MessageLedger;
  readonly trace: string[] = [];
  present: Participant[] = [];
  flowsChecked = 0;
  readonly #meshes: MeshEpochs;
  readonly #everybody = new Map<number, Participant>();
  readonly #publications = new Map<number, { readonly owner: Participant; readonly sourceId: number }>();
  readonly #startedMs: number[];
  /** When somebody last left a bridge: for a while it wants what they watched. */
  readonly #leftMs = new Map<number, number>();
  readonly #budgeted = new Map<number, number>();
  readonly #conferenceIds: ConferenceId[];
  #nextUid = 1;
  #nextEndpointId = 1;
  #nextPublication = 1;
  #nextSsrc = 1_000;
  #nextConferenceId = 100;

  constructor(settings: WorldSettings) {
    this.settings = settings;
    this.chance = new Chance(settings.seed);
    const { agenda, chance } = this;
    const seed = () => chance.below(2 ** 32);
    this.network = new Network(agenda, settings.bridges, seed);
    this.paths = new Paths(agenda, this.network);
    this.bridges = Array.from(
      { length: settings.bridges },
      (_, index) =>
        new SimBridge({
          index,
          seed: seed(),
          agenda,
          network: this.network,
          ciphers: settings.isSealed ? PORTABLE_FRAME_CIPHERS : CHEAP_FRAME_CIPHERS,
          rekeyAgeMs: settings.rekeyAgeMs,
          sendsRuns: settings.sendsRuns,
          open: (bridge, { conference, id }) => this.#expected(bridge, conference.id, id),
          onLeg: leg => this.#handleLeg(leg),
          onEvent: (bridge, event) => {
            if (event.kind !== 'needed-layers') return;
            const told = ++this.toldCount;
            const key = `${event.conferenceId}/${event.endpointId}/${event.sourceId}`;
            this.lastTold.set(key, told);
            agenda.after(20 + chance.below(100), () => {
              if (this.lastTold.get(key) !== told) return;
              const origin = this.present.find(
                each =>
                  each.bridge === bridge &&
                  each.endpointId === parseId(event.endpointId) &&
                  each.conferenceId === parseId(event.conferenceId),
              );
              const pub = origin?.publications.get(event.sourceId);
              if (pub === undefined) return;
              pub.setNeededLayers(event.layers);
            });
          },
        }),
    );
    this.network.hosts.push(...this.bridges);
    this.#startedMs = this.bridges.map(() => 0);
    this.#conferenceIds = Array.from({ length: settings.conferences }, () => this.#nextConferenceId++ as ConferenceId);
    this.focus = new Focus({
      agenda,
      chance: new Chance(seed()),
      bridges: this.bridges,
      handleApplied: bridge => this.#handleBridgeChanged(bridge),
      handleConferenceOver: (bridge, conferenceId) => {
        for (const each of this.#everybody.values()) {
          if (each.bridge === bridge && each.conferenceId === conferenceId && each.hasLeft) each.handleGone();
        }
        this.#handleBridgeChanged(bridge);
      },
      handleEndpointOver: participant => {
        participant.handleGone();
        this.#handleBridgeChanged(participant.bridge);
      },
    });
    this.#meshes = new MeshEpochs(this.bridges, this.focus);
    this.watch = new WireWatch(this.#wireHost(), settings.bridges);
    this.network.tap = (from, to, bytes) => this.watch.handleFrame(from, to, bytes);
    this.ledger = new MessageLedger({
      ...this.#host(),
      get nowMs() {
        return agenda.nowMs;
      },
      passage: (from, to) => this.#passage(from, to),
    });
    for (let a = 0; a < settings.bridges; a++) {
      for (let b = 0; b < settings.bridges; b++) if (a !== b) this.paths.change(a, b, settings.paths[a][b]);
    }
    for (const bridge of this.bridges) bridge.start();
  }

  get participantsMax(): number {
    return this.settings.participants;
  }

  fail(text: string): void {
    throw new Violation(text);
  }

  log(text: string): void {
    this.trace.push(`${(this.agenda.nowMs / 1000).toFixed(3).padStart(7)} s  ${text}`);
  }

  after(delayMs: number, action: () => void): void {
    this.agenda.after(delayMs, action);
  }

  join(): Participant {
    const { chance } = this;
    const conferenceId = this.#conferenceIds[chance.below(this.#conferenceIds.length)];
    const up = this.bridges.filter(({ process }) => process !== undefined);
    const bridge = up.length === 0 ? this.bridges[0] : up[chance.below(up.length)];
    const endpointId = this.#endpointIdFor(conferenceId);
    const participant = new Participant(this.#host(), this.#nextUid++, conferenceId, endpointId, bridge);
    this.#everybody.set(participant.uid, participant);
    this.present.push(participant);
    this.focus.join(participant);
    return participant;
  }

  leave(participant: Participant): void {
    this.present = this.present.filter(each => each !== participant);
    this.#leftMs.set(participant.bridge.index, this.agenda.nowMs);
    this.focus.leave(participant);
    for (const other of this.present) this.#dropSubscriptions(other, ({ origin }) => origin === participant);
  }

  publish(participant: Participant, kind: SourceSpec['kind'], layers: number): Publication {
    const { chance, agenda } = this;
    // IDs go round, so that late packets of an ended source are not taken for those of the next: that is what a focus does.
    let sourceId = participant.nextSourceId;
    if (chance.is(0.3)) sourceId += 1 + chance.below(20);
    participant.nextSourceId = sourceId + 1;
    const spec: SourceSpec = {
      sourceId,
      kind,
      mid: `${sourceId}`,
      rids: kind === 'video' && layers > 1 ? ['q', 'h', 'f'].slice(0, layers) : [],
      ssrcs: Array.from({ length: layers }, () => this.#nextSsrc++),
      rtxSsrcs: [],
      muted: false,
    };
    const publication = new Publication(this.#nextPublication++, spec, agenda.nowMs, chance);
    this.#publications.set(publication.uid, { owner: participant, sourceId });
    participant.publications.set(sourceId, publication);
    participant.startEncoding(publication);
    return publication;
  }

  unpublish(participant: Participant, publication: Publication): void {
    const { sourceId } = publication.spec;
    participant.publications.delete(sourceId);
    this.focus.putEndpoint(participant);
    for (const other of this.present) {
      this.#dropSubscriptions(other, each => each.origin === participant && each.sourceId === sourceId);
    }
  }

  setMuted(participant: Participant, publication: Publication, isMuted: boolean): void {
    publication.spec.muted = isMuted;
    this.focus.putEndpoint(participant);
  }

  setActiveLayers(publication: Publication, layers: number): void {
    publication.setActiveLayers(this.agenda.nowMs, layers);
    this.watch.forgetExact();
  }

  subscribe(participant: Participant, origin: Participant, publication: Publication): Subscription {
    const { chance } = this;
    const { kind, sourceId } = publication.spec;
    // The RTX stream's number is the next one: that is how the client knows whose it is.
    const ssrc = this.#nextSsrc++;
    const rtxSsrc = kind === 'video' ? this.#nextSsrc++ : null;
    const layerMax = kind === 'video' ? chance.below(3) : 0;
    const subscription = { origin, sourceId, kind, ssrc, rtxSsrc, enabled: true, layerMax, temporalMax: 3 };
    participant.subscriptions.set(`${origin.uid}/${sourceId}`, subscription);
    return subscription;
  }

  unsubscribe(participant: Participant, { origin, sourceId }: Subscription): void {
    participant.subscriptions.delete(`${origin.uid}/${sourceId}`);
  }

  resubscribe(participant: Participant): void {
    this.focus.putEndpoint(participant);
  }

  sendMessages(
    sender: Participant,
    kind: 'reliable' | 'lossy',
    count: number,
    bytes: number,
    to: readonly Participant[],
  ): void {
    for (let sent = 0; sent < count && sender.isConnected; sent++) {
      const message = this.ledger.compose(sender, bytes, to);
      const audience = to.length > 0 ? to : this.present;
      const receivers = audience.filter(each => each !== sender && each.conferenceId === sender.conferenceId);
      const before = receivers.map(receiver => this.#refusals(sender, receiver, kind));
      const owed = receivers.map(receiver => this.#passage(sender, receiver).epoch);
      this.ledger.expect(
        sender,
        kind,
        receivers.map((receiver, at) => ({ receiver, epoch: owed[at] })),
      );
      sender.sendMessage(kind, message);
      for (const [at, receiver] of receivers.entries()) {
        if (this.#refusals(sender, receiver, kind) !== before[at]) this.ledger.forgive(sender, receiver, kind);
      }
    }
  }

  changePath(from: SimBridge, to: SimBridge, settings: Partial<PathSettings>): void {
    this.paths.change(from.index, to.index, settings);
    this.watch.forgetExact();
  }

  mendPath(from: SimBridge, to: SimBridge): void {
    this.changePath(from, to, { ...DEFAULT_SETTINGS, ...this.settings.paths[from.index][to.index] });
  }

  restart(bridge: SimBridge, isGraceful: boolean, downMs: number): void {
    bridge.stop(isGraceful);
    this.focus.handleBridgeDown(bridge);
    this.#startedMs[bridge.index] = this.agenda.nowMs;
    for (const each of this.#everybody.values()) if (each.bridge === bridge) each.handleGone();
    this.#handleBridgeChanged(bridge);
    this.agenda.after(downMs, () => {
      bridge.start();
      this.#startedMs[bridge.index] = this.agenda.nowMs;
      this.focus.handleBridgeUp(bridge);
    });
  }

  endConference(conferenceId: number): void {
    this.present = this.present.filter(each => each.conferenceId !== conferenceId);
    this.focus.end(conferenceId as ConferenceId);
    // An ID is given once: whoever meets again is in another conference.
    this.#conferenceIds[this.#conferenceIds.indexOf(conferenceId as ConferenceId)] = this
      .#nextConferenceId++ as ConferenceId;
  }

  /** Looks at every stream of every subscriber. */
  checkFlows(): void {
    const { nowMs } = this.agenda;
    this.noteBudgets();
    const exact = new Map<string, { readonly at: number; readonly key: number; mask: number }>();
    const unsure = new Set<string>();
    for (const viewer of this.present) {
      for (const [ssrc, projection] of viewer.appliedProjections) {
        const { spec } = projection;
        const stream = viewer.viewers.get(ssrc);
        const standing = standingOf(this.#flowFacts, viewer, projection);
        const key = sourceKey(parseId<EndpointId>(spec.origin) ?? 0, spec.sourceId);
        const name = `${viewer.bridge.index}/${key}`;
        if (standing === undefined || stream === undefined) {
          if (spec.enabled) unsure.add(name);
          continue;
        }
        this.flowsChecked++;
        const problem = problemOf(nowMs, standing, spec.kind, stream.shownMs, stream.shownLayer);
        if (problem !== undefined && !(spec.kind === 'video' && stream.isPutOff(nowMs))) {
          this.fail(
            `${viewer.show()}, ${spec.kind} ${spec.sourceId} of ${standing.origin.show()}, ssrc ${ssrc}: ${problem}`,
          );
        }
        if (standing.path === 'local') continue;
        if (!isExact(nowMs, standing)) unsure.add(name);
        const known = exact.get(name) ?? { at: viewer.bridge.index, key, mask: 0 };
        known.mask |= 1 << standing.layer;
        exact.set(name, known);
      }
    }
    for (const [name, { at, key, mask }] of exact) {
      const isSure = !unsure.has(name) && nowMs - (this.#leftMs.get(at) ?? 0) > EXACT_AFTER_MS;
      if (isSure) this.watch.setExact(at, key, mask, nowMs - EXACT_AFTER_MS);
    }
  }

  /** What may be looked at now and then. */
  checkBooks(): void {
    this.ledger.check(false);
    for (const { id, process } of this.bridges) {
      for (const link of process?.relay.snapshot() ?? []) {
        if (link.violations > 0)
          this.fail(`${link.violations} frames from ${link.bridgeId} to ${id} against the specification`);
        if (link.messagesQueued > QUEUED_MESSAGES_MAX) this.fail(`${link.messagesQueued} messages wait at ${id}`);
      }
    }
  }

  /** After everything has been mended, and has had its time: nothing is missing. */
  checkSettled(): void {
    this.ledger.check(true);
    for (const bridge of this.bridges) {
      for (const other of this.bridges) {
        const link = bridge.process?.relay.linkTo(other.id);
        const isNeeded = this.focus.shareAny(bridge, other);
        if (isNeeded && link?.state !== 'up') this.fail(`the link from ${bridge.id} to ${other.id} is ${link?.state}`);
        if (!isNeeded && link !== undefined) this.fail(`${bridge.id} still has a link to ${other.id}`);
      }
    }
  }

  /** After everybody has left: nothing is left of them. */
  checkEmpty(): void {
    for (const { id, process } of this.bridges) {
      if (process === undefined) continue;
      const { bridge, relay, octo, media } = process;
      const left: readonly [number, string][] = [
        [bridge.conferences.size, 'conferences'],
        [bridge.endpointCount, 'endpoints'],
        [relay.snapshot().length, 'links'],
        [octo.adopted, 'addresses of peers'],
        [octo.slots - octo.freeSlots, 'slots of the link port'],
        [media.slots - media.freeSlots, 'slots of the media port'],
      ];
      for (const [count, what] of left) if (count !== 0) this.fail(`${id} still has ${count} ${what}`);
    }
  }

  get #flowFacts() {
    return {
      focus: this.focus,
      paths: this.paths,
      participantOf: (conferenceId: number, endpointId: number) =>
        this.present.find(each => each.endpointId === endpointId && each.conferenceId === conferenceId),
      nowMs: this.agenda.nowMs,
      bridgeStartedMs: (index: number) => this.#startedMs[index],
      budgetedMs: (from: number, to: number) => this.#budgetedMs(from, to),
    };
  }

  /** When the link from one bridge to another had a send budget last; now: it has one. Complete as often as flows are checked. */
  #budgetedMs(from: number, to: number): number {
    const link = this.bridges[from].process?.relay.linkTo(this.bridges[to].id);
    if (link !== undefined && link.sendBudgetBps !== Number.POSITIVE_INFINITY) {
      this.#budgeted.set(from * 64 + to, this.agenda.nowMs);
    }
    return this.#budgeted.get(from * 64 + to) ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether any link has a send budget; remembers when each had. */
  noteBudgets(): boolean {
    const { nowMs } = this.agenda;
    let isAny = false;
    for (const from of this.bridges) {
      for (const to of this.bridges) if (this.#budgetedMs(from.index, to.index) === nowMs) isAny = true;
    }
    return isAny;
  }

  #host() {
    const { agenda } = this;
    return {
      get nowMs() {
        return agenda.nowMs;
      },
      after: (delayMs: number, action: () => void) => agenda.after(delayMs, action),
      fail: (text: string) => this.fail(text),
      publication: (uid: number) => this.#publications.get(uid),
      handleMessage: (receiver: Participant, kind: 'reliable' | 'lossy', bytes: Uint8Array) =>
        this.ledger.handleMessage(receiver, kind, bytes, uid => this.#everybody.get(uid)!),
    };
  }

  #wireHost() {
    const { agenda } = this;
    return {
      get nowMs() {
        return agenda.nowMs;
      },
      fail: (text: string) => this.fail(text),
      serves: (from: number, conferenceId: number, endpointId: number) => {
        const conference = this.bridges[from].process?.bridge.conferences.get(conferenceId as ConferenceId);
        return conference?.endpoints.has(endpointId as EndpointId) === true;
      },
      shares: (from: number, to: number, conferenceId: number) =>
        this.focus.applied(this.bridges[from], conferenceId as ConferenceId)?.bridges.has(this.bridges[to].id) === true,
      pathOf: (from: number, to: number) => this.paths.classOf(from, to),
      budgetedMs: (from: number, to: number) => this.#budgetedMs(from, to),
      disturbedMs: (from: number, to: number) =>
        Math.max(this.paths.changedMs(from, to), this.#startedMs[from], this.#startedMs[to]),
      sourceChangedMs: (conferenceId: number, endpointId: number, sourceId: number) => {
        const origin = this.#flowFacts.participantOf(conferenceId, endpointId);
        const appliedMs = origin?.appliedSources.get(sourceId)?.sinceMs ?? 0;
        return Math.max(appliedMs, origin?.publications.get(sourceId)?.changedMs ?? 0);
      },
    };
  }

  /** A new ID, or sometimes that of somebody who has left this conference. */
  #endpointIdFor(conferenceId: ConferenceId): EndpointId {
    if (this.chance.is(0.3)) {
      for (const former of this.#everybody.values()) {
        const isFree =
          former.conferenceId === conferenceId &&
          former.hasLeft &&
          !this.present.some(each => each.endpointId === former.endpointId);
        if (!isFree) continue;
        former.isSuperseded = true;
        return former.endpointId;
      }
    }
    return this.#nextEndpointId++ as EndpointId;
  }

  #expected(bridge: SimBridge, conferenceId: ConferenceId, endpointId: EndpointId): Participant {
    const found = [...this.#everybody.values()].findLast(
      each => each.bridge === bridge && each.conferenceId === conferenceId && each.endpointId === endpointId,
    );
    if (found === undefined) throw new Violation(`bridge ${bridge.id} opens endpoint ${endpointId}, whom nobody knows`);
    return found;
  }

  #handleLeg(leg: ClientLeg): void {
    const participant = leg.user as Participant;
    participant.handleLeg(leg);
    this.agenda.after(this.chance.fraction() * CONNECT_MS_MAX, () => {
      if (participant.leg !== leg || leg.isClosed) return;
      leg.connect();
      participant.handleConnected();
      this.#handleBridgeChanged(participant.bridge);
    });
  }

  /** Something that a bridge knows has changed. */
  #handleBridgeChanged(bridge: SimBridge): void {
    this.#meshes.refresh();
    this.watch.forgetExact();
    const masks = new Map<number, { mask: number; signature: number }>();
    for (const participant of this.#everybody.values()) {
      if (participant.bridge !== bridge || !participant.isConnected) continue;
      for (const { spec } of participant.appliedProjections.values()) {
        if (!spec.enabled) continue;
        const key = sourceKey(parseId<EndpointId>(spec.origin) ?? 0, spec.sourceId);
        const before = masks.get(key);
        const mask = (before?.mask ?? 0) | ((2 << spec.layerMax) - 1);
        const signature = ((before?.signature ?? 0) * 31 + participant.uid * 4 + spec.layerMax) | 0;
        masks.set(key, { mask, signature });
      }
    }
    this.watch.setWanted(bridge.index, masks);
  }

  #dropSubscriptions(participant: Participant, isOver: (subscription: Subscription) => boolean): void {
    const over = [...participant.subscriptions.values()].filter(isOver);
    for (const subscription of over) this.unsubscribe(participant, subscription);
    if (over.length > 0) this.resubscribe(participant);
  }

  /** How many messages of a kind the link between their bridges has not taken. */
  #refusals(sender: Participant, receiver: Participant, kind: MessageKind): number {
    const counters = sender.bridge.process?.relay.linkTo(receiver.bridge.id as BridgeId)?.counters;
    return (kind === 'reliable' ? counters?.messagesRefused : counters?.lossyMessagesDropped) ?? 0;
  }

  #passage(from: Participant, to: Participant): Passage {
    const [a, b] = [from.bridge, to.bridge];
    if (!to.isConnected || from.conferenceId !== to.conferenceId) return NO_PASSAGE;
    if (a === b) return { epoch: 0, cleanSinceMs: 0 };
    const here = this.focus.applied(a, from.conferenceId);
    const there = this.focus.applied(b, from.conferenceId);
    const isKnown =
      here?.bridges.get(b.id) === b.peer.fingerprint.value &&
      there?.bridges.get(a.id) === a.peer.fingerprint.value &&
      here.homes.get(to.endpointId) === b.id;
    if (!isKnown) return NO_PASSAGE;
    const sinceMs = Math.max(
      this.paths.changedMs(a.index, b.index),
      here.bridgeSinceMs.get(b.id) ?? 0,
      there.bridgeSinceMs.get(a.id) ?? 0,
      this.#startedMs[a.index],
      this.#startedMs[b.index],
      this.#budgetedMs(a.index, b.index),
    );
    const isBudgeted = this.#budgetedMs(a.index, b.index) === this.agenda.nowMs;
    const isClean = this.paths.classOf(a.index, b.index) === 'clean' && !isBudgeted;
    // A link needs a while to come up.
    const cleanSinceMs = isClean ? sinceMs + LINK_UP_MS : Number.POSITIVE_INFINITY;
    return { epoch: this.#meshes.epoch(from.conferenceId, a, b), cleanSinceMs };
  }
}

const LINK_UP_MS = 2_000;
const NO_PASSAGE: Passage = { epoch: undefined, cleanSinceMs: Number.POSITIVE_INFINITY };

function isExact(nowMs: number, { path, sinceMs }: Standing): boolean {
  return path === 'clean' && nowMs - sinceMs > EXACT_AFTER_MS;
}
