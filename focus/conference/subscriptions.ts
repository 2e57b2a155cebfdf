/** What one participant wants to receive, and how. Which of it there is, and whether it may, is the room's knowledge. */
import { DEFAULT_SETTINGS, type TrackSettings } from './layer-choice.ts';
import { newSsrc, type Random } from './random.ts';

/** How a subscribed track appears to this subscriber; the same as long as it is subscribed and its bridge is the same. */
export interface Subscription {
  readonly trackSid: string;
  readonly ssrc: number;
  /** Null for audio, which is not retransmitted. */
  readonly rtxSsrc: number | null;
}

/** Tracks that one subscriber receives. Each takes a section of its offer, which has to stay below what the SDP reader accepts. */
export const SUBSCRIPTIONS_MAX = 400;

/** All there is of what a subscriber wants and gets, to go on with elsewhere. */
export interface SubscriptionsState {
  readonly autoSubscribe: boolean;
  readonly explicit: readonly (readonly [trackSid: string, isWanted: boolean])[];
  readonly settings: readonly (readonly [trackSid: string, settings: TrackSettings])[];
  readonly active: readonly Subscription[];
  readonly denied: readonly string[];
}

export class Subscriptions {
  /** LiveKit's auto-subscribe: every track unless it was said otherwise. */
  autoSubscribe: boolean;
  readonly #explicit = new Map<string, boolean>();
  readonly #settings = new Map<string, TrackSettings>();
  readonly #active = new Map<string, Subscription>();
  /** Tracks that it wants and whose publisher does not let it: it was told so. */
  readonly denied = new Set<string>();
  #changes = 0;

  constructor(autoSubscribe: boolean) {
    this.autoSubscribe = autoSubscribe;
  }

  state(): SubscriptionsState {
    return {
      autoSubscribe: this.autoSubscribe,
      explicit: [...this.#explicit],
      settings: [...this.#settings],
      active: [...this.#active.values()],
      denied: [...this.denied],
    };
  }

  /** For one that knows nothing yet. */
  restore({ autoSubscribe, explicit, settings, active, denied }: SubscriptionsState): void {
    this.autoSubscribe = autoSubscribe;
    for (const [trackSid, isWanted] of explicit) this.#explicit.set(trackSid, isWanted);
    for (const [trackSid, each] of settings) this.#settings.set(trackSid, each);
    for (const subscription of active) this.#active.set(subscription.trackSid, subscription);
    for (const trackSid of denied) this.denied.add(trackSid);
    this.#changes++;
  }

  /** Grows whenever wishes, settings, or what is active may have changed. */
  get changes(): number {
    return this.#changes;
  }

  /** For a track that exists: kept until {@link forget}, so it is bounded by the tracks of the room. */
  choose(trackSid: string, isWanted: boolean): void {
    this.#explicit.set(trackSid, isWanted);
    this.#changes++;
  }

  wants(trackSid: string): boolean {
    return this.#explicit.get(trackSid) ?? this.autoSubscribe;
  }

  /** For a track that exists. True when something changed. */
  set(trackSid: string, settings: TrackSettings): boolean {
    const before = this.settings(trackSid);
    this.#settings.set(trackSid, settings);
    this.#changes++;
    return (
      before.isDisabled !== settings.isDisabled ||
      before.layerMax !== settings.layerMax ||
      before.temporalMax !== settings.temporalMax
    );
  }

  settings(trackSid: string): TrackSettings {
    return this.#settings.get(trackSid) ?? DEFAULT_SETTINGS;
  }

  /** Subscribed now, oldest first. */
  get active(): ReadonlyMap<string, Subscription> {
    return this.#active;
  }

  /** `reserved` are SSRCs that the client itself uses. Undefined when there are too many. */
  start(
    trackSid: string,
    kind: 'audio' | 'video',
    reserved: Iterable<number>,
    random: Random,
  ): Subscription | undefined {
    if (this.#active.size >= SUBSCRIPTIONS_MAX) return undefined;
    const subscription = newSubscription(trackSid, kind === 'video', this.#taken(reserved), random);
    this.#active.set(trackSid, subscription);
    this.#changes++;
    return subscription;
  }

  /** All that is subscribed appears under other SSRCs from now on. */
  renew(reserved: Iterable<number>, random: Random): void {
    const taken = this.#taken(reserved);
    for (const { trackSid, rtxSsrc } of [...this.#active.values()]) {
      this.#active.set(trackSid, newSubscription(trackSid, rtxSsrc !== null, taken, random));
    }
  }

  stop(trackSid: string): void {
    if (this.#active.delete(trackSid)) this.#changes++;
  }

  /** The track is gone for good. */
  forget(trackSid: string): void {
    const known = [this.#active, this.#explicit, this.#settings].filter(tracks => tracks.delete(trackSid));
    if (known.length > 0) this.#changes++;
    this.denied.delete(trackSid);
  }

  #taken(reserved: Iterable<number>): Set<number> {
    const taken = new Set(reserved);
    for (const { ssrc, rtxSsrc } of this.#active.values()) {
      taken.add(ssrc);
      if (rtxSsrc !== null) taken.add(rtxSsrc);
    }
    return taken;
  }
}

/** Takes its SSRCs. */
function newSubscription(trackSid: string, hasRtx: boolean, taken: Set<number>, random: Random): Subscription {
  const ssrc = newSsrc(taken, random);
  taken.add(ssrc);
  const rtxSsrc = hasRtx ? newSsrc(taken, random) : null;
  if (rtxSsrc !== null) taken.add(rtxSsrc);
  return { trackSid, ssrc, rtxSsrc };
}
