/**
 * What a focus counts. One registry per focus, never prom-client's global one: several services may run in one process.
 * Labels have few values by nature (rules, regions, message kinds); names that clients choose never are labels.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface FocusMetrics {
  readonly registry: Registry;
  /** Participants placed, by rule and the bridge's region. */
  readonly joins: Counter<'rule' | 'region'>;
  /** The same by signalling path: `/rtc` are clients with two PeerConnections. */
  readonly sessions: Counter<'path'>;
  /** Decisions of placement, those for no bridge among them, by rule set and rule. */
  readonly placements: Counter<'policy' | 'rule'>;
  /** Stress of the chosen bridge, as placement reckoned it. */
  readonly placedStress: Histogram<'policy'>;
  /** Joins refused, by error code (focus/errors.ts). */
  readonly joinsRefused: Counter<'reason'>;
  /** Refusals by limit, as its configuration key. */
  readonly limitsHit: Counter<'limit'>;
  /** From the WebSocket's request to the JoinResponse. */
  readonly joinSeconds: Histogram;
  /** Which rule of focus/region.ts found a client's region. */
  readonly regionSources: Counter<'rule'>;
  /** Region headers from addresses that are no trusted proxy: ignored. */
  readonly regionHeadersIgnored: Counter;
  readonly rooms: Gauge;
  readonly participants: Gauge<'region'>;
  readonly tracks: Gauge<'kind'>;
  /** Bridges known to this focus, by region and state (running, draining, silent). */
  readonly bridges: Gauge<'region' | 'state'>;
  readonly bridgeReports: Counter<'result'>;
  /** Signalling messages by direction (in, out) and the protobuf case. */
  readonly signalMessages: Counter<'direction' | 'kind'>;
  /** Frames from clients that could not be accepted, by reason. */
  readonly signalFramesRefused: Counter<'reason'>;
  /** Open signalling sockets. */
  readonly signalSockets: Gauge;
  readonly resumes: Counter<'result'>;
  /** Orders to move a participant to another bridge, by cause and how they ended (focus/conference/endpoint-mover.ts). */
  readonly moves: Counter<'cause' | 'outcome'>;
  /** From the order to media being up at the other bridge. */
  readonly moveSeconds: Histogram<'cause'>;
  /** Participants that left, by LiveKit's DisconnectReason in lower case. */
  readonly leaves: Counter<'reason'>;
  /** Requests to bridges by method and outcome. */
  readonly bridgeRequests: Counter<'method' | 'result'>;
  /** Calls of the server API by method and Twirp code; ok for success. */
  readonly apiCalls: Counter<'method' | 'code'>;
}

/** Fresh metrics with their own registry; `defaultLabels` may name the focus. */
export function createFocusMetrics(defaultLabels: Readonly<Record<string, string>> = {}): FocusMetrics {
  const registry = new Registry();
  registry.setDefaultLabels(defaultLabels);
  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: `causeway_focus_${name}`, help, labelNames, registers: [registry] });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name: `causeway_focus_${name}`, help, labelNames, registers: [registry] });
  return {
    registry,
    joins: counter('joins_total', 'Participants placed on a bridge', ['rule', 'region']),
    sessions: counter('sessions_total', 'Sessions begun, by signalling path', ['path']),
    placements: counter('placements_total', 'Decisions of placement', ['policy', 'rule']),
    placedStress: new Histogram({
      name: 'causeway_focus_placed_stress_ratio',
      help: 'Stress of the bridge that a participant was placed on, before it',
      labelNames: ['policy'],
      // Overloaded is 0.8 by default; what lies past it is placed there because nothing had room.
      buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
      registers: [registry],
    }),
    joinsRefused: counter('joins_refused_total', 'Joins refused', ['reason']),
    limitsHit: counter('limits_hit_total', 'Refusals because of a limit, by its configuration key', ['limit']),
    joinSeconds: new Histogram({
      name: 'causeway_focus_join_seconds',
      help: 'Time from the request of the signalling socket to the join response',
      // A join is two local round trips; past 2.5 s an SDK user notices, past 15 s it gives up.
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
      registers: [registry],
    }),
    regionSources: counter('client_regions_total', 'Clients by the rule that found their region', ['rule']),
    regionHeadersIgnored: counter('region_headers_ignored_total', 'Region headers from untrusted addresses'),
    rooms: gauge('rooms', 'Open rooms'),
    participants: gauge('participants', 'Participants in rooms', ['region']),
    tracks: gauge('tracks', 'Published tracks', ['kind']),
    bridges: gauge('bridges', 'Known bridges', ['region', 'state']),
    bridgeReports: counter('bridge_reports_total', 'Reports of bridges', ['result']),
    signalMessages: counter('signal_messages_total', 'Signalling messages', ['direction', 'kind']),
    signalFramesRefused: counter('signal_frames_refused_total', 'Signalling frames refused', ['reason']),
    signalSockets: gauge('signal_sockets', 'Open signalling sockets'),
    resumes: counter('resumes_total', 'Sessions resumed after a dropped socket', ['result']),
    moves: counter('moves_total', 'Moves of participants to other bridges', ['cause', 'outcome']),
    moveSeconds: new Histogram({
      name: 'causeway_focus_move_seconds',
      help: 'Time from the order to move a participant to its media being up at the other bridge',
      labelNames: ['cause'],
      // Media is to be back within 2 s of a bridge's end, of which finding out takes up to 1 s.
      buckets: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10],
      registers: [registry],
    }),
    leaves: counter('leaves_total', 'Participants that left', ['reason']),
    bridgeRequests: counter('bridge_requests_total', 'Requests to bridges', ['method', 'result']),
    apiCalls: counter('api_calls_total', 'Calls of the server API', ['method', 'code']),
  };
}
