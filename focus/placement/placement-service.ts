/** Asks the external service of `placement.kind: http` before a placement, as long as it is worth waiting for. */
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import type { Advice, AdviceCandidate, AskService } from './advice.ts';
import { expectedStress, type LoadSettings } from './bridge-load.ts';
import { type BreakerSettings, CircuitBreaker } from './circuit-breaker.ts';
import type { JoinPlacement } from './placement.ts';

export interface PlacementService {
  /** What the service says of a join. Never rejects, and takes no longer than the service may. */
  advise(join: Pick<JoinPlacement, 'room' | 'region' | 'present'>): Promise<Advice>;
}

export interface PlacementServiceOptions {
  readonly ask: AskService;
  /** Those that report to this focus: known without a question to the store. */
  readonly bridges: () => readonly KnownBridge[];
  readonly breaker: BreakerSettings;
  readonly load: LoadSettings & { readonly report_age_ms_max: number };
  readonly nowMs: () => number;
  /** Joins do not wait for the service any more (false), or do again. */
  readonly onChange: (isAnswering: boolean) => void;
}

/** Of more bridges than this the service is told of those with the room's people and the least loaded. */
export const CANDIDATES_TOLD_MAX = 500;

const NOT_ASKED: Advice = { kind: 'none', reason: 'not-asked' };

export function createPlacementService(options: PlacementServiceOptions): PlacementService {
  const { ask, bridges, load, nowMs, onChange } = options;
  const breaker = new CircuitBreaker(options.breaker);

  async function question(join: Parameters<PlacementService['advise']>[0], permit: 'wait' | 'probe'): Promise<Advice> {
    const { room, region, present } = join;
    const advice = await ask({ room, region, candidates: candidatesOf(bridges(), load, nowMs(), present) });
    const wasOpen = breaker.isOpen;
    // An answer that is none is a bug of the service, and one to every join: it is left alone like one that is dead.
    if (advice.kind === 'named' || advice.reason === 'no-opinion') breaker.succeeded();
    else breaker.failed(nowMs(), permit);
    if (wasOpen !== breaker.isOpen) onChange(wasOpen);
    return advice;
  }

  return {
    async advise(join) {
      const permit = breaker.permit(nowMs());
      if (permit === 'wait') return question(join, permit);
      if (permit === 'probe') void question(join, permit);
      return NOT_ASKED;
    },
  };
}

function candidatesOf(
  bridges: readonly KnownBridge[],
  load: PlacementServiceOptions['load'],
  nowMs: number,
  present: JoinPlacement['present'],
): readonly AdviceCandidate[] {
  const fresh = bridges.filter(({ reportedAtMs }) => nowMs - reportedAtMs < load.report_age_ms_max);
  const candidates = fresh.map(bridge => describe(bridge, load, nowMs, present?.onBridge(bridge.bridgeId) ?? 0));
  if (candidates.length <= CANDIDATES_TOLD_MAX) return candidates;
  return candidates
    .sort((a, b) => Number(b.inConference > 0) - Number(a.inConference > 0) || a.stress - b.stress)
    .slice(0, CANDIDATES_TOLD_MAX);
}

function describe(bridge: KnownBridge, load: LoadSettings, nowMs: number, inConference: number): AdviceCandidate {
  const { bridgeId, report, reportedAtMs } = bridge;
  return {
    bridgeId,
    region: report.peer.region,
    ...(report.host === undefined ? {} : { host: report.host }),
    state: report.state,
    version: report.version,
    stress: expectedStress({ ...bridge, placedSinceReport: 0 }, load),
    cpu: report.load.cpu,
    endpoints: report.load.endpoints,
    tracks: report.load.sources,
    inConference,
    reportAgeMs: nowMs - reportedAtMs,
  };
}
