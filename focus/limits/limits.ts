/** How much of a focus one address and one API key may take. Each refusal names the limit, as its configuration key. */
import type { Notice } from '../conference/notice.ts';
import type { FocusErrorCode } from '../errors.ts';
import { FocusError } from '../errors.ts';
import type { FocusMetrics } from '../metrics.ts';
import { TokenBucket } from '../signal/token-bucket.ts';
import { addressGroup } from './address-group.ts';
import { KeyUsage } from './key-usage.ts';
import { KeyedBuckets } from './keyed-buckets.ts';

/** 0: no limit, except for `joinsPerSecond`, which there always is. */
export interface LimitSettings {
  readonly joinsPerSecond: number;
  readonly joinsPerSecondPerAddress: number;
  readonly joinsPerSecondPerKey: number;
  readonly roomsPerKey: number;
  readonly participantsPerKey: number;
}

export interface LimitsOptions {
  readonly settings: LimitSettings;
  readonly metrics: Pick<FocusMetrics, 'limitsHit'>;
  /** When it begins. */
  readonly nowMs: number;
}

export interface JoinOrigin {
  readonly apiKey: string;
  /** The client's; undefined when it is not known, because a proxy does not say: then no limit goes by it. */
  readonly address: string | undefined;
}

/** A place of a key, while somebody is on the way into it. */
export interface Held {
  /** Ends the hold; call it exactly once. `participantSid`: who got in, and counts until it leaves. */
  release(participantSid?: string): void;
}

/** Bursts of so many seconds' worth are let through: people come to a meeting at the same minute. */
const BURST_SECONDS = 2;

export class Limits {
  readonly #settings: LimitSettings;
  readonly #metrics: LimitsOptions['metrics'];
  readonly #joins: TokenBucket;
  readonly #byAddress: KeyedBuckets;
  readonly #byKey: KeyedBuckets;
  readonly usage = new KeyUsage();

  constructor({ settings, metrics, nowMs }: LimitsOptions) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#joins = new TokenBucket(settings.joinsPerSecond, Math.max(1, settings.joinsPerSecond), nowMs);
    this.#byAddress = bucketsOf(settings.joinsPerSecondPerAddress);
    this.#byKey = bucketsOf(settings.joinsPerSecondPerKey);
  }

  /** One more join. Throws FocusError `too-many-joins`. Who is over a limit of its own takes nothing from what is for all. */
  join(nowMs: number, { address, apiKey }: JoinOrigin): void {
    const { joinsPerSecond, joinsPerSecondPerAddress, joinsPerSecondPerKey } = this.#settings;
    if (joinsPerSecondPerAddress > 0 && address !== undefined && !this.#byAddress.take(nowMs, addressGroup(address))) {
      throw this.#refusal('too-many-joins', 'limit.joins_per_second_per_address', joinsPerSecondPerAddress);
    }
    if (joinsPerSecondPerKey > 0 && !this.#byKey.take(nowMs, apiKey)) {
      throw this.#refusal('too-many-joins', 'limit.joins_per_second_per_key', joinsPerSecondPerKey);
    }
    if (!this.#joins.take(nowMs)) {
      throw this.#refusal('too-many-joins', 'signal.joins_per_second', joinsPerSecond);
    }
  }

  /** Would {@link holdPlace} be refused now? Throws as it does. */
  check(apiKey: string, room: string, isOpen: boolean): void {
    const { participantsPerKey } = this.#settings;
    if (!isOpen) this.#checkRoom(apiKey, room);
    if (participantsPerKey > 0 && this.usage.of(apiKey).participants >= participantsPerKey) {
      throw this.#refusal('limit-exceeded', 'limit.participants_per_key', participantsPerKey);
    }
  }

  /** A participant, and a room if it is not open yet. Throws FocusError `limit-exceeded`. */
  holdPlace(apiKey: string, room: string, isOpen: boolean): Held {
    this.check(apiKey, room, isOpen);
    this.usage.entering(apiKey);
    if (!isOpen) this.usage.opening(apiKey, room);
    return {
      release: participantSid => {
        this.usage.entered(apiKey, participantSid);
        if (!isOpen) this.usage.opened(room);
      },
    };
  }

  /** A room alone. Throws FocusError `limit-exceeded`. */
  holdRoom(apiKey: string, room: string): Held {
    this.#checkRoom(apiKey, room);
    this.usage.opening(apiKey, room);
    return { release: () => this.usage.opened(room) };
  }

  handleNotice(notice: Notice): void {
    this.usage.handleNotice(notice);
  }

  #checkRoom(apiKey: string, room: string): void {
    const { roomsPerKey } = this.#settings;
    // Who comes second into a room that is being opened takes no room of its own.
    if (roomsPerKey === 0 || this.usage.isOpening(room) || this.usage.of(apiKey).rooms < roomsPerKey) return;
    throw this.#refusal('limit-exceeded', 'limit.rooms_per_key', roomsPerKey);
  }

  #refusal(code: FocusErrorCode, limit: string, allowed: number): FocusError {
    this.#metrics.limitsHit.inc({ limit });
    return new FocusError(code, `${limit} is ${allowed}`);
  }
}

function bucketsOf(ratePerSecond: number): KeyedBuckets {
  return new KeyedBuckets(ratePerSecond, Math.max(1, ratePerSecond * BURST_SECONDS));
}
