import { parseId } from '../../protocol/ids.ts';
import type { Focus } from './focus.ts';
import type { AppliedProjection, Participant } from './participant.ts';
import type { PathClass, Paths } from './paths.ts';

/** What a subscriber may expect, and how soon after the last thing that disturbed it. */
interface FlowBound {
  /** From then on it flows: nothing shown is older than `staleMs`. */
  readonly withinMs: number;
  readonly staleMs: number;
}

interface FlowRule {
  readonly audio: FlowBound | undefined;
  readonly video: FlowBound | undefined;
  /** It is the layer that was asked for, or the best one below that is sent. */
  readonly isLayerExact: boolean;
}

/** What is between a publisher and a subscriber. */
export type Way = PathClass | 'local' | 'budgeted';

/**
 * By what lies between publisher and subscriber. Frames come every 100 ms (audio) and 125 or 250 ms (video). A path with loss may cost a key frame, and clients
 * ask for those three times in ten seconds at most; one with a limited rate owes audio only.
 */
export const FLOW_RULES: Readonly<Record<Way, FlowRule>> = {
  local: {
    audio: { withinMs: 500, staleMs: 350 },
    video: { withinMs: 1_500, staleMs: 750 },
    isLayerExact: true,
  },
  clean: {
    audio: { withinMs: 1_800, staleMs: 450 },
    video: { withinMs: 2_300, staleMs: 900 },
    isLayerExact: true,
  },
  lossy: {
    audio: { withinMs: 4_000, staleMs: 1_500 },
    video: { withinMs: 6_000, staleMs: 5_000 },
    isLayerExact: false,
  },
  /** The link has a send budget: audio goes whatever it is. */
  budgeted: { audio: { withinMs: 4_000, staleMs: 1_500 }, video: undefined, isLayerExact: false },
  limited: { audio: { withinMs: 5_000, staleMs: 2_500 }, video: undefined, isLayerExact: false },
  cut: { audio: undefined, video: undefined, isLayerExact: false },
};

/** What is added to each bound: a handshake takes two, then what is wanted is told, and what is sent comes. */
const ROUND_TRIPS = 4;

/** What somebody is to get of one source now. */
export interface Standing {
  readonly path: Way;
  /** The last thing that disturbed it. */
  readonly sinceMs: number;
  readonly layer: number;
  readonly origin: Participant;
  /** Between the two bridges, without jitter. */
  readonly rttMs: number;
}

export interface FlowFacts {
  readonly nowMs: number;
  readonly focus: Focus;
  readonly paths: Paths;
  participantOf(conferenceId: number, endpointId: number): Participant | undefined;
  bridgeStartedMs(index: number): number;
  /** When the link had a send budget last; now: it has one. */
  budgetedMs(from: number, to: number): number;
}

/** Undefined while something that all sides need is not in force: a document, a connection, the source itself. */
export function standingOf(
  facts: FlowFacts,
  viewer: Participant,
  { spec, sinceMs }: AppliedProjection,
): Standing | undefined {
  if (!spec.enabled || !viewer.isConnected) return undefined;
  const origin = facts.participantOf(viewer.conferenceId, parseId(spec.origin) ?? 0);
  const source = origin?.appliedSources.get(spec.sourceId);
  const publication = origin?.publications.get(spec.sourceId);
  if (origin === undefined || source === undefined || publication === undefined || !origin.isConnected)
    return undefined;
  if (source.spec.muted || source.spec.ssrcs[0] !== publication.spec.ssrcs[0]) return undefined;
  const ownMs = Math.max(sinceMs, viewer.connectedMs, origin.connectedMs, source.sinceMs, publication.changedMs);
  const layer = Math.min(spec.layerMax, publication.activeLayers - 1);
  if (origin.bridge === viewer.bridge) return { path: 'local', sinceMs: ownMs, layer, origin, rttMs: 0 };
  const meshMs = meshSinceMs(facts, viewer, origin);
  if (meshMs === undefined) return undefined;
  const [a, b] = [viewer.bridge.index, origin.bridge.index];
  const pathMs = Math.max(facts.paths.changedMs(a, b), facts.bridgeStartedMs(a), facts.bridgeStartedMs(b));
  const budgetedMs = facts.budgetedMs(b, a);
  const allMs = Math.max(ownMs, meshMs, pathMs, budgetedMs === facts.nowMs ? 0 : budgetedMs);
  const path = facts.paths.classOf(a, b);
  const isBudgeted = budgetedMs === facts.nowMs && (path === 'clean' || path === 'lossy');
  return { path: isBudgeted ? 'budgeted' : path, sinceMs: allMs, layer, origin, rttMs: facts.paths.rttMs(a, b) };
}

/** Since when both bridges know of each other, and the viewer's of the origin. */
function meshSinceMs({ focus }: FlowFacts, viewer: Participant, origin: Participant): number | undefined {
  const here = focus.applied(viewer.bridge, viewer.conferenceId);
  const there = focus.applied(origin.bridge, viewer.conferenceId);
  if (here === undefined || there === undefined) return undefined;
  if (here.bridges.get(origin.bridge.id) !== origin.bridge.peer.fingerprint.value) return undefined;
  if (there.bridges.get(viewer.bridge.id) !== viewer.bridge.peer.fingerprint.value) return undefined;
  if (here.homes.get(origin.endpointId) !== origin.bridge.id) return undefined;
  return Math.max(
    here.bridgeSinceMs.get(origin.bridge.id) ?? 0,
    there.bridgeSinceMs.get(viewer.bridge.id) ?? 0,
    here.homeSinceMs.get(origin.endpointId) ?? 0,
  );
}

/** What is wrong with what `viewer` gets of one stream; undefined: nothing, or it is too early to say. */
export function problemOf(
  nowMs: number,
  standing: Standing,
  kind: 'audio' | 'video',
  shownMs: number,
  shownLayer: number,
): string | undefined {
  const rule = FLOW_RULES[standing.path];
  const bound = rule[kind];
  if (bound === undefined || nowMs - standing.sinceMs <= bound.withinMs + ROUND_TRIPS * standing.rttMs)
    return undefined;
  const undisturbedMs = Math.round(nowMs - standing.sinceMs);
  const staleMs = Math.round(nowMs - shownMs);
  if (staleMs > bound.staleMs) {
    return `${standing.path} path, undisturbed for ${undisturbedMs} ms: nothing shown for ${staleMs} ms`;
  }
  if (rule.isLayerExact && shownLayer !== standing.layer) {
    return `${standing.path} path, undisturbed for ${undisturbedMs} ms: layer ${shownLayer} shown, not ${standing.layer}`;
  }
  return undefined;
}
