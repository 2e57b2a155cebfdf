import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { addressList } from '../protocol/address-list.ts';
import type { GeoProxyConfig } from './config.ts';
import { FocusHealth } from './focus-health.ts';
import { FocusAgents } from './io/ask-focus.ts';
import { startHealthProbe } from './io/health-probe.ts';
import { LocationDatabase, packagedDatabasePath } from './io/location-database.ts';
import { createProxyServer } from './io/proxy-server.ts';
import { UpgradedSockets } from './io/upgraded-sockets.ts';
import { createProxyMetrics, type ProxyMetrics } from './metrics.ts';

export interface RunningGeoProxy {
  /** Where clients on this machine reach it, without a slash at the end. */
  readonly url: string;
  /** Looks at the database file now instead of at its next turn. */
  checkDatabase(): Promise<void>;
  /** Stops listening and cuts what is open. WebSockets that should end politely are ended by their focus before. */
  close(): Promise<void>;
}

/**
 * Starts a geo-proxy and resolves once it listens. Rejects with node's own EADDRINUSE and kin when a port cannot be had, and with an Error
 * that names the setting when the database or the trusted proxies cannot be used.
 */
export async function startGeoProxy(config: GeoProxyConfig, log: Logger): Promise<RunningGeoProxy> {
  const trustedProxies = addressList(config.trusted_proxies);
  const database = await LocationDatabase.open(config.geoip.database || packagedDatabasePath());
  const regions = config.regions.map(region => ({ ...region, focus: region.focus.replace(/\/$/, '') }));
  const metrics = createProxyMetrics();
  const now = () => performance.now();
  const health = new FocusHealth(
    regions.map(region => region.focus),
    { memoryMs: config.health.memory_ms },
  );
  const agents = new FocusAgents();
  const sockets = new UpgradedSockets(metrics);
  const timeouts = {
    connectMs: config.upstream.connect_timeout_ms,
    responseMs: config.upstream.response_timeout_ms,
  };
  const passing = { health, metrics, agents, sockets, timeouts, regionHeader: config.region_header, now, log };
  const defaultRegion = config.default_region || regions[0]!.name;
  const lookup = (address: string) => database.lookup(address);
  const context = { config, regions, defaultRegion, trustedProxies, lookup, passing };
  const servers = await listen(config, () => createProxyServer(context));
  const probe = startHealthProbe(
    health,
    { intervalMs: config.health.probe_interval_ms, timeoutMs: config.health.probe_timeout_ms, now },
    metrics,
    log,
  );
  const checkDatabase = () => reload(database, metrics, log);
  const reloadTimer = setInterval(checkDatabase, config.geoip.reload_interval_ms).unref();
  metrics.databaseBuilt.set(database.builtAt().getTime() / 1000);
  const url = urlOf(servers[0]!);
  log.info({ url, regions: regions.map(region => region.name), database: database.path }, 'geo-proxy listens');
  return {
    url,
    checkDatabase,
    async close() {
      probe.close();
      clearInterval(reloadTimer);
      const closing = servers.map(closeServer);
      sockets.closeAll();
      agents.close();
      await Promise.all(closing);
    },
  };
}

async function reload(database: LocationDatabase, metrics: ProxyMetrics, log: Logger): Promise<void> {
  const result = await database.checkForUpdate();
  if (result === 'unchanged') return;
  metrics.databaseReloads.inc({ result });
  const fields = { database: database.path, builtAt: database.builtAt() };
  if (result === 'reloaded') log.info(fields, 'GeoIP database reloaded');
  else log.error(fields, 'the new GeoIP database cannot be read: the one from before stays in use');
  metrics.databaseBuilt.set(database.builtAt().getTime() / 1000);
}

async function listen(config: GeoProxyConfig, create: () => Server): Promise<Server[]> {
  const servers: Server[] = [];
  try {
    for (const address of config.bind_addresses) {
      const server = create();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(config.port, address, () => {
          server.off('error', reject);
          resolve();
        });
      });
      servers.push(server);
    }
  } catch (error) {
    await Promise.all(servers.map(closeServer));
    throw error;
  }
  return servers;
}

function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}

function urlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  const host =
    address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
  return `http://${host}:${port}`;
}
