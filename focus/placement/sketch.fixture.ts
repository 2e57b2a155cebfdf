/** Bridges sketched in a line each, for the tests of placement. */
import type { Load, Protocols } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord, PlacementView } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { chooseBridge, type PlacementSettings } from './choose-bridge.ts';
import type { Placement } from './placement.ts';
import { createRegionDistances } from './region-distance.ts';

const NOW_MS = 1_700_000_000_000;
/** The defaults, with one group. */
export const SETTINGS: PlacementSettings = {
  report_age_ms_max: 5_000,
  overload_stress: 0.8,
  endpoint_stress: 0.01,
  participants_per_bridge_max: 80,
  endpoints_per_bridge_max: 0,
  joins_per_minute_max: 0,
  ramp_up_ms: 30_000,
  kind: 'region',
  sort_by: 'stress',
  algorithm: 'lowest',
  region_groups: [['us-east', 'us-west']],
};
const DISTANCES = createRegionDistances([
  { name: 'eu', lat: 50.1, lon: 8.7 },
  { name: 'us-east', lat: 39, lon: -77.5 },
  { name: 'us-west', lat: 45.8, lon: -119.7 },
  { name: 'ap', lat: 1.35, lon: 103.8 },
  { name: 'af', lat: -33.9, lon: 18.4 },
]);

/** A bridge in a few words. Absent fields: idle, fresh, running, version 1, no host known. */
export interface Sketch {
  readonly id: string;
  readonly region: string;
  readonly host?: string;
  readonly stress?: number;
  readonly placed?: number;
  /** Further fields of the load, and how long it has been up. */
  readonly load?: Partial<Load>;
  readonly upMs?: number;
  readonly inConference?: number;
  readonly ageMs?: number;
  readonly draining?: boolean;
  readonly version?: string;
  readonly protocols?: Protocols;
  readonly suspected?: boolean;
}

function record(sketch: Sketch): BridgeRecord {
  const sample = sampleReport(sketch.id);
  return {
    bridgeId: sketch.id as BridgeId,
    reportedAtMs: NOW_MS - (sketch.ageMs ?? 0),
    placedSinceReport: sketch.placed ?? 0,
    report: {
      ...sample,
      peer: { ...sample.peer, region: sketch.region },
      ...(sketch.host === undefined ? {} : { host: sketch.host }),
      version: sketch.version ?? '1',
      ...(sketch.protocols === undefined ? {} : { protocols: sketch.protocols }),
      state: sketch.draining === true ? 'draining' : 'running',
      load: { ...sample.load, stress: sketch.stress ?? 0, ...sketch.load },
      ...(sketch.upMs === undefined ? {} : { upMs: sketch.upMs }),
    },
  };
}

/** A view of these bridges. */
export function view(sketches: readonly Sketch[]): PlacementView {
  const inConference = sketches.flatMap(({ id, inConference: count = 0 }): [BridgeId, number][] =>
    count === 0 ? [] : [[id as BridgeId, count]],
  );
  return { atMs: NOW_MS, bridges: sketches.map(record), inConference: new Map(inConference) };
}

/** The decision for a client of `region`, between regions eu, us-east and us-west (a group), ap, and af, which are on the map. */
export function choose(region: string, sketches: readonly Sketch[], settings = SETTINGS, draw = 0): Placement {
  const suspected = new Set<string>(sketches.filter(sketch => sketch.suspected === true).map(({ id }) => id));
  return chooseBridge(view(sketches), region, settings, DISTANCES, draw, bridgeId => suspected.has(bridgeId));
}
