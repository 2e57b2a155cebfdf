import type { ConferenceId } from '../protocol/ids.ts';
import { FRAME_OVERHEAD_BYTES } from '../protocol/octo/header.ts';
import { WITHHELD_FOR_BUDGET, type Withheld } from '../protocol/octo/withheld.ts';
import type { Conference } from './conference.ts';
import { ExtraLoad } from './extra-load.ts';
import { type Allotment, LinkAllocator, type WantedSource } from './link-allocation.ts';
import { wantedMaskOf } from './link-supply.ts';
import type { Link } from './relay/link.ts';
import type { Relay } from './relay/relay.ts';
import type { Layer, Source } from './source.ts';

/** How often a full link divides itself anew while nothing else makes it. */
const DECIDE_MS = 100;
/** A budget below this share of the one last decided on is acted upon at once. */
const FALL = 0.98;
/** Extra load counts up to this share of the budget: were it more, repairs would push out what they repair. */
const EXTRA_SHARE_MAX = 0.25;
/** What encoders put into a packet, about: for how many packets a rate is. */
const PACKET_BYTES = 1_100;

/** A link that cannot carry all that is wanted of it. */
interface Full {
  readonly allocator: LinkAllocator;
  readonly extra: ExtraLoad;
  /** Conferences in which the peer has been told of something held back. */
  told: Set<Conference>;
  budgetBps: number;
  mediaBps: number;
  isPassing: boolean;
  dueMs: number;
}

/** Divides the budget of every link that has one among what is wanted of it (link-allocation.ts), sends accordingly, and tells the peer. Links without a limit cost a comparison a tick. */
export class LinkBudgets {
  readonly #relay: Relay;
  readonly #conferences: ReadonlyMap<ConferenceId, Conference>;
  readonly #full = new Map<Link, Full>();

  constructor(relay: Relay, conferences: ReadonlyMap<ConferenceId, Conference>) {
    this.#relay = relay;
    this.#conferences = conferences;
  }

  /** What could be sent over a link has changed. */
  handleDemandChanged(link: Link): void {
    const full = this.#full.get(link);
    if (full !== undefined) full.dueMs = 0;
  }

  /** Every 10 ms. */
  handleTimeout(nowMs: number): void {
    for (const link of this.#relay.links) {
      const budgetBps = link.sendBudgetBps;
      let full = this.#full.get(link);
      if (budgetBps === Number.POSITIVE_INFINITY) {
        if (full !== undefined) this.#release(nowMs, link, full);
        continue;
      }
      if (full === undefined) {
        full = newFull();
        this.#full.set(link, full);
      }
      if (nowMs >= full.dueMs || budgetBps < full.budgetBps * FALL) this.#divide(nowMs, link, full);
    }
    for (const link of this.#full.keys()) if (this.#relay.linkTo(link.peerId) !== link) this.#full.delete(link);
  }

  #divide(nowMs: number, link: Link, full: Full): void {
    const budgetBps = link.sendBudgetBps;
    const { audioBps, sources } = this.#demand(nowMs, link);
    full.extra.update(nowMs, link.counters.bytesOut, full.mediaBps, !full.isPassing);
    const extraBps = Math.min(full.extra.bps, budgetBps * EXTRA_SHARE_MAX);
    const decided = full.allocator.decide(nowMs, budgetBps, audioBps + extraBps, sources);
    full.budgetBps = budgetBps;
    full.mediaBps = decided.grantedBps - extraBps;
    full.isPassing = decided.isPassing;
    full.dueMs = nowMs + DECIDE_MS;
    link.counters.layersRaised += decided.raised;
    link.counters.layersOverBudget += decided.overBudget;
    link.counters.layersOutbid += decided.outbid;
    this.#apply(nowMs, link, full, decided.allotments);
    link.demandBps = link.layers.withheld === 0 ? 0 : Math.round(decided.wantedBps);
  }

  #demand(nowMs: number, link: Link): { audioBps: number; sources: WantedSource[] } {
    const sources: WantedSource[] = [];
    let audioBps = 0;
    for (const conference of this.#conferences.values()) {
      for (const [key, want] of conference.supply.wantsOf(link)) {
        const source = conference.source(want.endpointId, want.sourceId);
        if (source === undefined || !source.isLocal) continue;
        const layerBps = source.layers.map(layer => relayedBps(nowMs, layer));
        if (source.kind === 'audio') audioBps += layerBps[0];
        else {
          const wantedMask = wantedMaskOf(source, want);
          const viewers = viewersOf(source, want.viewers);
          const flowingMask = flowingMaskOf(nowMs, source);
          sources.push({ conferenceId: conference.id, key, wantedMask, viewers, flowingMask, layerBps });
        }
      }
    }
    return { audioBps, sources };
  }

  #apply(nowMs: number, link: Link, full: Full, allotments: readonly Allotment[]): void {
    const { told } = full;
    full.told = new Set();
    link.layers.withheld = 0;
    const byConference = Map.groupBy(allotments, ({ source }) => source.conferenceId);
    for (const [conferenceId, ofConference] of byConference) {
      const conference = this.#conferences.get(conferenceId as ConferenceId);
      if (conference === undefined) continue;
      conference.supply.limit(nowMs, link, new Map(ofConference.map(({ source, top }) => [source.key, top])));
      const withheld = withheldOf(conference, ofConference);
      for (const { withheldMask } of withheld) link.layers.withheld += bitsIn(withheldMask);
      if (withheld.length > 0) full.told.add(conference);
      this.#relay.setWithheld(conference.id, link.peerId, withheld);
      told.delete(conference);
    }
    for (const conference of told) this.#relay.setWithheld(conference.id, link.peerId, []);
  }

  #release(nowMs: number, link: Link, { told }: Full): void {
    this.#full.delete(link);
    for (const conference of this.#conferences.values()) conference.supply.limit(nowMs, link, undefined);
    for (const conference of told) this.#relay.setWithheld(conference.id, link.peerId, []);
    link.layers.withheld = 0;
    link.demandBps = 0;
  }
}

function newFull(): Full {
  return {
    allocator: new LinkAllocator(),
    extra: new ExtraLoad(),
    told: new Set(),
    budgetBps: Number.POSITIVE_INFINITY,
    mediaBps: 0,
    isPassing: false,
    dueMs: 0,
  };
}

/** What a layer takes on a link now, with header and tag of every frame. */
function relayedBps(nowMs: number, layer: Layer): number {
  const bps = layer.bitrateBps(nowMs);
  if (bps === 0) return 0;
  const framesPerSecond = Math.max(1, layer.framesPerSecond(nowMs));
  const packetsPerFrame = Math.ceil(bps / 8 / framesPerSecond / PACKET_BYTES);
  return bps + framesPerSecond * packetsPerFrame * FRAME_OVERHEAD_BYTES * 8;
}

function flowingMaskOf(nowMs: number, source: Source): number {
  let mask = 0;
  for (const layer of source.layers) if (layer.isFlowing(nowMs)) mask |= 1 << layer.index;
  return mask;
}

/** By layers that there are: whoever wants one above them wants the highest. */
function viewersOf(source: Source, viewers: readonly number[]): number[] {
  const highest = source.layers.length - 1;
  return source.layers.map(({ index }) => (index < highest ? viewers[index] : Math.max(...viewers.slice(highest))));
}

function withheldOf(conference: Conference, allotments: readonly Allotment[]): Withheld[] {
  const withheld: Withheld[] = [];
  for (const { source, withheldMask } of allotments) {
    const want = withheldMask === 0 ? undefined : conference.sourceOf(source.key);
    if (want === undefined) continue;
    const { endpointId, sourceId } = want;
    withheld.push({ endpointId, sourceId, withheldMask, reason: WITHHELD_FOR_BUDGET });
  }
  return withheld;
}

function bitsIn(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
