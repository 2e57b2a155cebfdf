import type { BridgeId } from '../protocol/ids.ts';
import { isSameMask, isSameWant, type Want } from '../protocol/octo/wants.ts';
import type { Conference } from './conference.ts';
import type { Relay } from './relay/relay.ts';

/** A want that was refused is told again after this. */
const RETRY_MS = 100;
/** How long the other bridge may believe in a number of viewers that has changed, while what is wanted has not: it decides on it about as often. */
export const COUNTS_SETTLE_MS = 1_000;

interface Told {
  readonly wants: readonly Want[];
  /** When it is told anew because of counts alone; Infinity while they are right. */
  countsDueMs: number;
}

/** Tells every other bridge of a conference what this one wants from it, when that has changed. */
export class WantsTeller {
  readonly #relay: Relay;
  readonly #told = new WeakMap<Conference, Map<BridgeId, Told>>();

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  tell(nowMs: number, conference: Conference): void {
    let told = this.#told.get(conference);
    if (told === undefined) {
      told = new Map();
      this.#told.set(conference, told);
    }
    for (const { bridgeId } of conference.bridges) {
      const peer = bridgeId as BridgeId;
      const wants = conference.wants(nowMs, peer);
      const before = told.get(peer);
      if (!isDue(nowMs, conference, before, wants)) continue;
      if (this.#relay.setWanted(conference.id, peer, wants)) {
        told.set(peer, { wants, countsDueMs: Number.POSITIVE_INFINITY });
      } else conference.wantsDue.bringForward(nowMs + RETRY_MS);
    }
    for (const peer of told.keys())
      if (!conference.bridges.some(({ bridgeId }) => bridgeId === peer)) told.delete(peer);
  }
}

/** True when it is to be told now. What has changed in numbers alone waits until it has settled. */
function isDue(nowMs: number, conference: Conference, before: Told | undefined, wants: readonly Want[]): boolean {
  if (before === undefined) return wants.length > 0;
  if (!isEach(isSameMask, before.wants, wants)) return true;
  if (isEach(isSameWant, before.wants, wants)) {
    before.countsDueMs = Number.POSITIVE_INFINITY;
    return false;
  }
  if (before.countsDueMs === Number.POSITIVE_INFINITY) before.countsDueMs = nowMs + COUNTS_SETTLE_MS;
  if (nowMs >= before.countsDueMs) return true;
  conference.wantsDue.bringForward(before.countsDueMs);
  return false;
}

function isEach(same: (a: Want, b: Want) => boolean, left: readonly Want[], right: readonly Want[]): boolean {
  return left.length === right.length && left.every((want, index) => same(want, right[index]));
}
