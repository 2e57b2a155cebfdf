/**
 * Takes load off bridges that have too much, a few participants a minute (off by default). Each focus decides for its own participants from the view
 * all share, and moves its share, so that all of them together move no more than one would. Decides only: io/bridge-redistribution.ts owns
 * the clock and has them moved.
 */
import { FIRST_PROTOCOLS } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { expectedStress, type LoadSettings, lackOf } from '../placement/bridge-load.ts';
import type { BridgeRecord } from '../store/store.ts';
import { inOrder, type Movable } from './drains.ts';

/** Settings of `redistribution.*`; see focus/config-schema.ts for units and reasons. */
export interface RedistributionSettings {
  readonly high_stress: number;
  readonly low_stress: number;
  readonly endpoints_per_minute: number;
  readonly rest_seconds: number;
}

export interface OwnParticipant extends Movable {
  /** 1, or 2 of a client with two PeerConnections. */
  readonly endpoints: number;
  /** Participants of its conference on each bridge. */
  readonly inConference: ReadonlyMap<BridgeId, number>;
}

export interface RedistributionView {
  readonly bridges: readonly BridgeRecord[];
  readonly isSuspected: (bridgeId: BridgeId) => boolean;
  /** Participants of this focus that may be moved. */
  readonly ownOn: (bridgeId: BridgeId) => readonly OwnParticipant[];
}

export interface Order {
  readonly sid: string;
  readonly to: BridgeId;
}

/** One step, or why there was none. */
export interface Decision {
  readonly atMs: number;
  readonly bridgeId: BridgeId;
  readonly stress: number;
  /** `moved`: orders were given. `share-too-small`: less than one endpoint is this focus's part so far. `no-target`: no bridge may take any; `rejected` says why. `relieved`: below the low mark. */
  readonly what: 'moved' | 'share-too-small' | 'nobody-here' | 'no-target' | 'relieved';
  /** Endpoints that are this focus's part now. */
  readonly budget: number;
  readonly orders: readonly Order[];
  /** Bridges of the region that take nobody, and why. */
  readonly rejected: Readonly<Record<string, string>>;
}

export interface RedistributionState {
  readonly bridgeId: BridgeId;
  readonly state: 'over' | 'relieving' | 'resting';
  readonly sinceMs: number;
  /** When something is decided next. */
  readonly nextMs: number;
}

/** A peak is no reason to move anybody: only what lasts for so long, which is several reports. */
export const SUSTAINED_MS = 10_000;
const STEP_MS = 60_000;

interface Entry {
  state: RedistributionState['state'];
  sinceMs: number;
  nextMs: number;
  /** This focus's part that was less than a whole endpoint. */
  carry: number;
}

export class Redistribution {
  readonly #settings: RedistributionSettings;
  readonly #load: LoadSettings;
  readonly #entries = new Map<BridgeId, Entry>();

  constructor(settings: RedistributionSettings, load: LoadSettings) {
    this.#settings = settings;
    this.#load = load;
  }

  /** Every few seconds. Answers what was decided now; most often nothing. */
  step(nowMs: number, view: RedistributionView): Decision[] {
    const known = new Set(view.bridges.map(({ bridgeId }) => bridgeId));
    for (const bridgeId of this.#entries.keys()) if (!known.has(bridgeId)) this.#entries.delete(bridgeId);
    const decisions: Decision[] = [];
    const planned = new Map<BridgeId, number>();
    for (const bridge of view.bridges) {
      const decision = this.#decide(nowMs, bridge, view, planned);
      if (decision !== undefined) decisions.push(decision);
    }
    return decisions;
  }

  states(): readonly RedistributionState[] {
    return [...this.#entries].map(([bridgeId, { state, sinceMs, nextMs }]) => ({ bridgeId, state, sinceMs, nextMs }));
  }

  #decide(
    nowMs: number,
    bridge: BridgeRecord,
    view: RedistributionView,
    planned: Map<BridgeId, number>,
  ): Decision | undefined {
    const { bridgeId } = bridge;
    const stress = expectedStress(bridge, this.#load);
    const { high_stress: high, low_stress: low, rest_seconds: restSeconds } = this.#settings;
    const entry = this.#entries.get(bridgeId);
    // What drains is emptied anyway, and of what is suspected nobody knows.
    if (bridge.report.state === 'draining' || view.isSuspected(bridgeId)) {
      this.#entries.delete(bridgeId);
      return undefined;
    }
    if (entry === undefined) {
      if (stress >= high) this.#enter(bridgeId, 'over', nowMs, nowMs + SUSTAINED_MS);
      return undefined;
    }
    if (entry.state === 'over' && stress < high) {
      this.#entries.delete(bridgeId);
      return undefined;
    }
    if (entry.state === 'relieving' && stress <= low) {
      this.#enter(bridgeId, 'resting', nowMs, nowMs + restSeconds * 1_000);
      return { atMs: nowMs, bridgeId, stress, what: 'relieved', budget: 0, orders: [], rejected: {} };
    }
    if (nowMs < entry.nextMs) return undefined;
    if (entry.state === 'resting') {
      this.#entries.delete(bridgeId);
      return undefined;
    }
    if (entry.state === 'over') this.#enter(bridgeId, 'relieving', nowMs, nowMs + STEP_MS);
    else entry.nextMs = nowMs + STEP_MS;
    return this.#relieve(nowMs, bridge, stress, view, planned);
  }

  #enter(bridgeId: BridgeId, state: RedistributionState['state'], nowMs: number, nextMs: number): void {
    this.#entries.set(bridgeId, { state, sinceMs: nowMs, nextMs, carry: 0 });
  }

  #relieve(
    nowMs: number,
    bridge: BridgeRecord,
    stress: number,
    view: RedistributionView,
    planned: Map<BridgeId, number>,
  ): Decision {
    const { bridgeId, report } = bridge;
    const entry = this.#entries.get(bridgeId)!;
    const own = view.ownOn(bridgeId);
    const ownEndpoints = own.reduce((sum, { endpoints }) => sum + endpoints, 0);
    const share = Math.min(1, ownEndpoints / Math.max(1, report.load.endpoints));
    const budget = entry.carry + this.#settings.endpoints_per_minute * share;
    const decided = { atMs: nowMs, bridgeId, stress, budget };
    if (own.length === 0) return { ...decided, what: 'nobody-here', orders: [], rejected: {} };

    const rejected: Record<string, string> = {};
    const targets = view.bridges.filter(other => {
      const reason = this.#rejection(other, bridge, view);
      if (reason !== undefined && other !== bridge) rejected[other.bridgeId] = reason;
      return reason === undefined;
    });
    // Other focuses, and other bridges of the region that have too much, look at the same room on the same targets.
    const part = share / this.#relievingIn(report.peer.region, view.bridges);
    const orders: Order[] = [];
    let left = budget;
    let isShort = false;
    for (const participant of inOrder(own) as OwnParticipant[]) {
      isShort = participant.endpoints > left;
      if (isShort) break;
      const target = this.#targetFor(participant, targets, planned, part);
      if (target === undefined) continue;
      planned.set(target.bridgeId, (planned.get(target.bridgeId) ?? 0) + participant.endpoints);
      orders.push({ sid: participant.sid, to: target.bridgeId });
      left -= participant.endpoints;
    }
    // What could not be used is not saved up: only a part of an endpoint waits for the rest of it.
    entry.carry = isShort ? Math.min(left, 2) : 0;
    for (const { bridgeId: name } of targets) if (!orders.some(({ to }) => to === name)) rejected[name] = 'not-needed';
    if (orders.length > 0) return { ...decided, what: 'moved', orders, rejected };
    return {
      ...decided,
      what: isShort ? 'share-too-small' : 'no-target',
      orders,
      rejected: isShort ? {} : full(rejected),
    };
  }

  /** Why nobody is moved to that bridge, whoever it is. */
  #rejection(other: BridgeRecord, from: BridgeRecord, view: RedistributionView): string | undefined {
    const { report } = other;
    if (other.bridgeId === from.bridgeId) return 'same-bridge';
    if (report.peer.region !== from.report.peer.region) return 'other-region';
    if (report.state === 'draining') return 'draining';
    if (view.isSuspected(other.bridgeId)) return 'suspected';
    if ((report.protocols ?? FIRST_PROTOCOLS).octo !== (from.report.protocols ?? FIRST_PROTOCOLS).octo)
      return 'incompatible';
    if (report.version !== from.report.version) return 'other-version';
    if (this.#entries.has(other.bridgeId)) return 'had-too-much-itself';
    return undefined;
  }

  /** One of the conference's bridges before another, and the least loaded of those; none that would come near the high mark. */
  #targetFor(
    participant: OwnParticipant,
    targets: readonly BridgeRecord[],
    planned: ReadonlyMap<BridgeId, number>,
    part: number,
  ): BridgeRecord | undefined {
    let best: { readonly bridge: BridgeRecord; readonly isInConference: boolean; readonly stress: number } | undefined;
    for (const bridge of targets) {
      const inConference = participant.inConference.get(bridge.bridgeId) ?? 0;
      if (lackOf(bridge, inConference, this.#load) !== undefined) continue;
      const added = ((planned.get(bridge.bridgeId) ?? 0) + participant.endpoints) * this.#load.endpoint_stress;
      const now = expectedStress(bridge, this.#load);
      if (now + added / part > this.#settings.low_stress) continue;
      const found = { bridge, isInConference: inConference > 0, stress: now + added };
      if (best === undefined || isBetter(found, best)) best = found;
    }
    return best?.bridge;
  }

  #relievingIn(region: string, bridges: readonly BridgeRecord[]): number {
    const count = bridges.filter(
      ({ bridgeId, report }) => report.peer.region === region && this.#entries.get(bridgeId)?.state === 'relieving',
    ).length;
    return Math.max(1, count);
  }
}

function isBetter(
  a: { readonly isInConference: boolean; readonly stress: number },
  b: { readonly isInConference: boolean; readonly stress: number },
): boolean {
  return a.isInConference === b.isInConference ? a.stress < b.stress : a.isInConference;
}

/** Those that were acceptable as bridges had no room for anybody. */
function full(rejected: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(rejected).map(([name, reason]) => [
      name,
      reason === 'not-needed' ? 'no-room-below-low-mark' : reason,
    ]),
  );
}
