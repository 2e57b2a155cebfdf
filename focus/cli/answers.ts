/** What the focus's API answers, as far as it is shown (focus/api/admin-routes.ts and bridge-control-routes.ts have the schemas). */
export interface BridgeAnswer {
  readonly bridgeId: string;
  readonly region: string;
  readonly state: 'running' | 'draining' | 'silent';
  readonly version: string;
  readonly health?: { readonly state: string; readonly rule: string };
  readonly reportAgeMs: number;
  readonly placedSinceReport: number;
  readonly load: {
    readonly stress: number;
    readonly endpoints: number;
    readonly conferences: number;
    readonly cpu: number;
    readonly bitrateInBps: number;
    readonly bitrateOutBps: number;
  };
}

export interface BridgeStateAnswer {
  readonly bridgeId: string;
  readonly region: string;
  readonly state: 'running' | 'draining';
  readonly endpoints: number;
  readonly drain: {
    readonly mode: string;
    readonly by: string;
    readonly deadlineInSeconds: number | null;
    readonly endpointsAtStart: number;
  } | null;
  readonly progress: {
    readonly left: number;
    readonly moving: number;
    readonly moved: number;
    readonly failed: number;
    readonly lastFailure: string | null;
  } | null;
}

export interface RegionStateAnswer {
  readonly region: string;
  readonly bridges: readonly BridgeStateAnswer[];
  readonly silent: readonly string[];
}

/** Null: it did not answer. */
export interface FocusAnswer {
  readonly focusId: string;
  readonly region: string;
  readonly version: string;
  readonly state: 'running' | 'draining';
  readonly rooms: number | null;
  readonly sessions: number | null;
  readonly relayedOut: number | null;
  readonly drain: { readonly deadlineMs: number; readonly roomsMoved: number } | null;
  readonly rttMs: number | null;
}

export interface LinkAnswer {
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly rttMs: number | null;
  readonly lossOut: number;
  readonly sentBps: number;
  readonly sendBudgetBps: number | null;
  readonly conferences: number;
}

export interface RoomAnswer {
  readonly name: string;
  readonly sid: string;
  readonly createdAtMs: number;
  readonly participants: readonly {
    readonly identity: string;
    readonly sid: string;
    readonly region: string;
    readonly bridge: string;
    readonly state: string;
  }[];
}

export interface PlacementAnswer {
  readonly sid: string;
  readonly identity: string;
  readonly room: string;
  readonly move?: { readonly from: string; readonly cause: string };
  readonly placement: {
    readonly bridgeId: string | null;
    readonly rule: string;
    readonly region: string;
    readonly placedFor: string;
    readonly sticky?: { readonly bridgeId: string; readonly ignored?: string };
    readonly at: number;
    readonly candidates: readonly {
      readonly bridgeId: string;
      readonly region: string;
      readonly stress: number;
      readonly inConference: number;
      readonly rejectedBy?: string;
    }[];
  };
}

export interface MovedAnswer {
  readonly room: string;
  readonly identity: string;
  /** `moved`, or why it was not. */
  readonly outcome: string;
  readonly from?: string;
  readonly to?: string;
  readonly tookMs?: number;
}

export interface StatusAnswer {
  readonly ready: boolean;
  readonly problems: readonly string[];
  readonly focuses: readonly FocusAnswer[];
  readonly bridges: readonly BridgeAnswer[];
  readonly links: readonly LinkAnswer[];
  /** Bridges that did not say what links they have. */
  readonly silent: readonly string[];
}
