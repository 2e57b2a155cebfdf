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
  if (known !== undefined && isFor(known, key, settings)) return known;
  const before = block.basis?.block.memo as LoadOrder | undefined;
  const order =
    before !== undefined && isFor(before, key, settings)
      ? follow(before, block.bridges, block.basis!.changed, settings)
      : workOut(block.bridges, key, settings);
  block.memo = order;
  block.basis = undefined;
  return order;
}

function isFor(order: LoadOrder, key: Measure, settings: LoadSettings): boolean {
  return (
    order.key === key && order.endpointStress === settings.endpoint_stress && order.rampUpMs === settings.ramp_up_ms
  );
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
  let [least, most]: (BridgeRecord | undefined)[] = [];
  let [leastMeasure, mostMeasure] = [0, 0];
  for (let index = 0; index < region.blocks.length; index++) {
    const block = region.blocks[index]!;
    const order = loadOrderOf(block, key, settings);
    const [low, high] = [order.measures[order.least]!, order.measures[order.most]!];
    if (least === undefined || isFirst(low - leastMeasure, block.bridges[order.least]!, least)) {
      least = block.bridges[order.least]!;
      leastMeasure = low;
    }
    if (most === undefined || isFirst(mostMeasure - high, block.bridges[order.most]!, most)) {
      most = block.bridges[order.most]!;
      mostMeasure = high;
    }
  }
  const order: RegionOrder = {
    least: { bridge: least!, measure: leastMeasure },
    most: { bridge: most!, measure: mostMeasure },
    key,
    endpointStress,
  };
  region.memo = order;
  return order;
}

function isFirst(difference: number, a: BridgeRecord, b: BridgeRecord): boolean {
  return difference < 0 || (difference === 0 && isBefore(a, b));
}

/** Equal ones by what they were given since their reports, then by name: the same view always has the same answer. */
export function isBefore(a: BridgeRecord, b: BridgeRecord): boolean {
  if (a.placedSinceReport !== b.placedSinceReport) return a.placedSinceReport < b.placedSinceReport;
  return a.bridgeId < b.bridgeId;
}

function workOut(bridges: readonly BridgeRecord[], key: Measure, settings: LoadSettings): LoadOrder {
  const measures = bridges.map(bridge => measured(bridge, key, settings));
  let rampedUpAtMs = Number.NEGATIVE_INFINITY;
  for (const bridge of bridges) rampedUpAtMs = Math.max(rampedUpAtMs, rampedUpAt(bridge, settings));
  return ordered(bridges, measures, rampedUpAtMs, key, settings);
}

/**
 * From the order before some of the bridges changed: one placement changes one record, and to look at the reports of all others costs more than all else
 * about a choice. Of a bridge that started anew the later moment counts, so that the ramp may be asked about longer than it need.
 */
function follow(
  before: LoadOrder,
  bridges: readonly BridgeRecord[],
  changed: number,
  settings: LoadSettings,
): LoadOrder {
  const { key } = before;
  const measures = before.measures.slice();
  let { rampedUpAtMs } = before;
  for (let index = 0; index < bridges.length; index++) {
    if ((changed & (1 << index)) === 0) continue;
    const bridge = bridges[index]!;
    measures[index] = measured(bridge, key, settings);
    rampedUpAtMs = Math.max(rampedUpAtMs, rampedUpAt(bridge, settings));
  }
  return ordered(bridges, measures, rampedUpAtMs, key, settings);
}

function rampedUpAt({ report, reportedAtMs }: BridgeRecord, { ramp_up_ms: rampUpMs }: LoadSettings): number {
  return report.upMs === undefined ? Number.NEGATIVE_INFINITY : reportedAtMs - report.upMs + rampUpMs;
}

function ordered(
  bridges: readonly BridgeRecord[],
  measures: readonly number[],
  rampedUpAtMs: number,
  key: Measure,
  settings: LoadSettings,
): LoadOrder {
  const { endpoint_stress: endpointStress, ramp_up_ms: rampUpMs } = settings;
  let [least, most] = [0, 0];
  let [low, high] = [measures[0]!, measures[0]!];
  for (let index = 1; index < measures.length; index++) {
    const measure = measures[index]!;
    if (measure < low || (measure === low && isBefore(bridges[index]!, bridges[least]!))) {
      least = index;
      low = measure;
    }
    if (measure > high || (measure === high && isBefore(bridges[index]!, bridges[most]!))) {
      most = index;
      high = measure;
    }
  }
  return { measures, least, most, rampedUpAtMs, key, endpointStress, rampUpMs };
}
