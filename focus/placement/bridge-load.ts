/** How loaded a bridge is thought to be now: what it reported, and what was put on it that its report cannot show yet. */
import type { BridgeRecord } from '../store/store.ts';
import type { SortKey } from './policy.ts';

/** Settings of `placement.*` about load; see focus/config-schema.ts for units and reasons. */
export interface LoadSettings {
  readonly overload_stress: number;
  readonly endpoint_stress: number;
  readonly ramp_up_ms: number;
  readonly participants_per_bridge_max: number;
  readonly endpoints_per_bridge_max: number;
  readonly joins_per_minute_max: number;
}

/** What can be compared; chance is no measure. */
export type Measure = Exclude<SortKey, 'random'>;

/** Why a bridge has no room. */
export type Lack = 'overloaded' | 'conference-cap' | 'bridge-cap' | 'join-rate';

/** A bridge that has just started is credited with this share of its capacity. */
const CREDIT_MIN = 0.1;
/** Bits per second that one more endpoint is expected to move, in and out together: a camera sent and a small meeting received. */
const ENDPOINT_BPS = 2_000_000;

/** Endpoints whose load the report does not show: placed since, or put there so lately that its measures have not caught up. */
export function unseenEndpoints({ report, placedSinceReport }: BridgeRecord): number {
  return placedSinceReport + (report.load.unsettledEndpoints ?? 0);
}

/** Reported stress plus the estimate for the endpoints it does not show. */
export function expectedStress(bridge: BridgeRecord, settings: LoadSettings): number {
  return bridge.report.load.stress + unseenEndpoints(bridge) * settings.endpoint_stress;
}

/** Endpoints joined in the minute before now, as far as the report and what was placed since tell. */
export function joinsLastMinute({ report, placedSinceReport }: BridgeRecord): number {
  return (report.load.joinsLastMinute ?? 0) + placedSinceReport;
}

/** The first limit that one more participant of a conference would break; undefined: it has room. */
export function lackOf(bridge: BridgeRecord, inConference: number, settings: LoadSettings): Lack | undefined {
  if (expectedStress(bridge, settings) >= settings.overload_stress) return 'overloaded';
  if (inConference >= settings.participants_per_bridge_max) return 'conference-cap';
  if (isAtBridgeCap(bridge, settings)) return 'bridge-cap';
  if (settings.joins_per_minute_max > 0 && joinsLastMinute(bridge) >= settings.joins_per_minute_max) return 'join-rate';
  return undefined;
}

function isAtBridgeCap({ report, placedSinceReport }: BridgeRecord, settings: LoadSettings): boolean {
  const { endpoints_per_bridge_max: cap } = settings;
  return cap > 0 && report.load.endpoints + placedSinceReport >= cap;
}

/**
 * What `sort_by` compares, least first. A bridge that has just started counts with a part of its capacity, so that an empty newcomer
 * is not given every join of a busy region before its first reports tell how it does.
 */
export function measureOf(bridge: BridgeRecord, key: Measure, atMs: number, settings: LoadSettings): number {
  return measured(bridge, key, settings) / creditOf(bridge, atMs, settings.ramp_up_ms);
}

/** The measure itself, of whatever age the bridge is. */
export function measured(bridge: BridgeRecord, key: Measure, settings: LoadSettings): number {
  const { load } = bridge.report;
  switch (key) {
    case 'stress':
      return expectedStress(bridge, settings);
    case 'cpu':
      return load.cpu + unseenEndpoints(bridge) * settings.endpoint_stress;
    case 'endpoints':
      return load.endpoints + bridge.placedSinceReport;
    case 'tracks':
      // Whoever was placed and has not published yet will: one track each, or a burst would all go to one bridge.
      return load.sources + unseenEndpoints(bridge);
    case 'bytes':
      return (load.bitrateInBps + load.bitrateOutBps + unseenEndpoints(bridge) * ENDPOINT_BPS) / 8;
  }
}

/** Share of its capacity that a bridge is credited with, from 0.1 at its start to 1 after the ramp. One that does not say counts whole. */
export function creditOf({ report, reportedAtMs }: BridgeRecord, atMs: number, rampUpMs: number): number {
  if (report.upMs === undefined || rampUpMs === 0) return 1;
  const upMs = report.upMs + Math.max(0, atMs - reportedAtMs);
  return upMs >= rampUpMs ? 1 : Math.max(CREDIT_MIN, upMs / rampUpMs);
}
