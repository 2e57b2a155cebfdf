/** What tests of stores ask with: reports, joins, rules. */
import assert from 'node:assert/strict';
import type { BridgeReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { AssignRequest, FocusRecord, PlacementView, Store } from './store.ts';

/** A fresh, empty store and the hand on its clock. */
export interface StoreUnderTest {
  readonly store: Store;
  readonly advanceMs: (ms: number) => void;
  /** How far the clock may run on by itself within a test, at least 1. */
  readonly driftMsMax: number;
}

/** A report of an idle bridge, as tests need it. */
export function sampleReport(bridgeId: string, changes: Partial<BridgeReport> = {}): BridgeReport {
  return {
    peer: {
      bridgeId,
      region: 'eu',
      octo: { address: '127.0.0.1', port: 4096 },
      fingerprint: { algorithm: 'sha-256', value: 'AB:CD' },
    },
    bootId: `${bridgeId}-boot`,
    version: '0.1.0',
    controlUrl: 'http://127.0.0.1:9090',
    state: 'running',
    load: {
      stress: 0,
      endpoints: 0,
      conferences: 0,
      sources: 0,
      cpu: 0,
      packetsPerSecond: 0,
      bitrateInBps: 0,
      bitrateOutBps: 0,
    },
    ...changes,
  };
}

/** A focus as it says of itself. */
export function sampleFocus(focusId: string, changes: Partial<FocusRecord> = {}): FocusRecord {
  return {
    focusId,
    bootId: `${focusId}-boot`,
    url: 'http://127.0.0.1:7880',
    region: 'eu',
    version: '0.1.0',
    state: 'running',
    startedAtMs: 1_700_000_000_000,
    ...changes,
  };
}

export const request = (identity: string, changes: Partial<AssignRequest> = {}): AssignRequest => ({
  room: 'talk',
  createAs: { roomSid: 'RM_1' },
  identity,
  sid: `PA_${identity}`,
  region: 'eu',
  owner: 'focus-1',
  participantsMax: 0,
  ...changes,
});

export const toBridge = (bridgeId: string) => () => ({ bridgeId: bridgeId as BridgeId });
/** Fills the first bridge to `cap` participants of the conference, then the next. */
export const upTo = (cap: number, except?: string) => (view: PlacementView) => ({
  bridgeId:
    view.bridges.find(({ bridgeId }) => bridgeId !== except && (view.inConference.get(bridgeId) ?? 0) < cap)
      ?.bridgeId ?? null,
});

export async function placed(store: Store, identity: string, changes: Partial<AssignRequest> = {}, bridgeId = 'b1') {
  const assigned = await store.assign(request(identity, changes), toBridge(bridgeId));
  assert.equal(assigned.kind, 'placed');
  if (assigned.kind !== 'placed') throw new assert.AssertionError({ message: 'unreachable' });
  return assigned;
}
