/**
 * The measures of a block of bridges, worked out once for as long as the block lives: a placement compares one number for each block, and
 * looks at single bridges only where one might be better than what it has.
 */
import type { BridgeBlock, BridgeRecord, RegionBridges } from '../store/store.ts';
import { type LoadSettings, type Measure, measured } from './bridge-load.ts';

export interface LoadOrder {
  /** `measured` of each bridge, in the block's order. */
  readonly measures: readonly number[];
  /** Indices of the bridges that come first by least, and by most load; equal ones in the order of {@link isBefore}. */
  readonly least: number;
  readonly most: number;
  /** From here on every bridge of the block counts with all of its capacity. */
  readonly rampedUpAtMs: number;
  readonly key: Measure;
  readonly endpointStress: number;
  readonly rampUpMs: number;
}

/** Remembered with the block, by the measure that was asked for last. */
export function loadOrderOf(block: BridgeBlock, key: Measure, settings: LoadSettings): LoadOrder {
  const known = block.memo as LoadOrder | undefined;
  if (
    known !== undefined &&
    known.key === key &&
    known.endpointStress === settings.endpoint_stress &&
    known.rampUpMs === settings.ramp_up_ms
  ) {
    return known;
  }
  const order = workOut(block.bridges, key, settings);
  block.memo = order;
  return order;
}

/** The blocks of a region in short: what comes first by least, and by most load, of all of them. */
export interface RegionOrder {
  readonly least: Ranked;
  readonly most: Ranked;
  readonly key: Measure;
  readonly endpointStress: number;
}

export interface Ranked {
  readonly bridge: BridgeRecord;
  readonly measure: number;
}

/** Remembered with the region's bridges, of which there are some. */
export function regionOrderOf(region: RegionBridges, key: Measure, settings: LoadSettings): RegionOrder {
  const known = region.memo as RegionOrder | undefined;
  const { endpoint_stress: endpointStress } = settings;
  if (known !== undefined && known.key === key && known.endpointStress === endpointStress) return known;
  let [least, most]: (Ranked | undefined)[] = [];
  for (const block of region.blocks) {
    const order = loadOrderOf(block, key, settings);
    const [lowest, highest] = [rankedAt(block, order, order.least), rankedAt(block, order, order.most)];
    if (least === undefined || isFirst(lowest.measure - least.measure, lowest, least)) least = lowest;
    if (most === undefined || isFirst(most.measure - highest.measure, highest, most)) most = highest;
  }
  const order = { least: least!, most: most!, key, endpointStress };
  region.memo = order;
  return order;
}

function rankedAt({ bridges }: BridgeBlock, { measures }: LoadOrder, index: number): Ranked {
  return { bridge: bridges[index]!, measure: measures[index]! };
}

function isFirst(difference: number, a: Ranked, b: Ranked): boolean {
  return difference < 0 || (difference === 0 && isBefore(a.bridge, b.bridge));
}

/** Equal ones by what they were given since their reports, then by name: the same view always has the same answer. */
export function isBefore(a: BridgeRecord, b: BridgeRecord): boolean {
  if (a.placedSinceReport !== b.placedSinceReport) return a.placedSinceReport < b.placedSinceReport;
  return a.bridgeId < b.bridgeId;
}

function workOut(bridges: readonly BridgeRecord[], key: Measure, settings: LoadSettings): LoadOrder {
  const { endpoint_stress: endpointStress, ramp_up_ms: rampUpMs } = settings;
  const measures: number[] = [];
  let [least, most] = [0, 0];
  let rampedUpAtMs = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < bridges.length; index++) {
    const bridge = bridges[index]!;
    const measure = measured(bridge, key, settings);
    measures.push(measure);
    const { upMs } = bridge.report;
    if (upMs !== undefined) rampedUpAtMs = Math.max(rampedUpAtMs, bridge.reportedAtMs - upMs + rampUpMs);
    if (measure < measures[least]! || (measure === measures[least]! && isBefore(bridge, bridges[least]!)))
      least = index;
    if (measure > measures[most]! || (measure === measures[most]! && isBefore(bridge, bridges[most]!))) most = index;
  }
  return { measures, least, most, rampedUpAtMs, key, endpointStress, rampUpMs };
}
