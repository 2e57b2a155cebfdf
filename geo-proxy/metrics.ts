import { Counter, Gauge, Registry } from 'prom-client';

/** The metrics of one geo-proxy, in a registry of its own: several services may share a process. */
export interface ProxyMetrics {
  readonly registry: Registry;
  /** By region, rule and kind (http, websocket). */
  readonly requests: Counter<'region' | 'rule' | 'kind'>;
  /** By code of errors.ts. */
  readonly refusals: Counter<'code'>;
  /** Requests that a focus could not take, by focus and reason; each went to the next one if there was one. */
  readonly focusFailures: Counter<'focus' | 'reason'>;
  /** Requests that another focus than the first choice answered. */
  readonly fallbacks: Counter<'region' | 'focus'>;
  readonly focusUp: Gauge<'focus'>;
  readonly webSockets: Gauge;
  /** By result: reloaded, broken. */
  readonly databaseReloads: Counter<'result'>;
  readonly databaseBuilt: Gauge;
}

export function createProxyMetrics(): ProxyMetrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: 'causeway_geo_proxy_requests_total',
      help: 'Requests passed on, by region, the rule that chose it, and kind',
      labelNames: ['region', 'rule', 'kind'],
      registers,
    }),
    refusals: new Counter({
      name: 'causeway_geo_proxy_refusals_total',
      help: 'Requests refused here, by error code',
      labelNames: ['code'],
      registers,
    }),
    focusFailures: new Counter({
      name: 'causeway_geo_proxy_focus_failures_total',
      help: 'Requests that a focus could not take, by focus and reason',
      labelNames: ['focus', 'reason'],
      registers,
    }),
    fallbacks: new Counter({
      name: 'causeway_geo_proxy_fallbacks_total',
      help: 'Requests answered by another focus than the first choice of their region',
      labelNames: ['region', 'focus'],
      registers,
    }),
    focusUp: new Gauge({
      name: 'causeway_geo_proxy_focus_up',
      help: '1 while a focus is believed to work',
      labelNames: ['focus'],
      registers,
    }),
    webSockets: new Gauge({
      name: 'causeway_geo_proxy_websockets',
      help: 'WebSocket connections open through this proxy',
      registers,
    }),
    databaseReloads: new Counter({
      name: 'causeway_geo_proxy_database_reloads_total',
      help: 'Changed GeoIP databases, by result: reloaded, or broken (the previous one stays in use)',
      labelNames: ['result'],
      registers,
    }),
    databaseBuilt: new Gauge({
      name: 'causeway_geo_proxy_database_built_timestamp_seconds',
      help: 'When the GeoIP database in use was built',
      registers,
    }),
  };
}
