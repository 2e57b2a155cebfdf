/** Finds the region of a client from its request: what focus/region.ts decides on, gathered. */
import { open, type Reader, type Response } from 'maxmind';
import { addressList } from '../../protocol/address-list.ts';
import { clientAddress, plainAddress } from '../../protocol/client-address.ts';
import { nearestRegions, type Region } from '../../protocol/geo.ts';
import type { FocusConfig } from '../config.ts';
import type { FocusMetrics } from '../metrics.ts';
import { type ClientRegion, clientRegion } from '../region.ts';

/** The parts of a request that tell where it comes from. Of a header that came several times, the last counts. */
export interface RequestOrigin {
  /** The other end of the connection: `request.socket.remoteAddress`. */
  readonly peerAddress: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The sticky region in its verified token. */
  readonly tokenRegion: string | undefined;
}

export interface RegionFinder {
  find(origin: RequestOrigin): ClientRegion;
}

type RegionConfiguration = Pick<FocusConfig, 'region' | 'regions' | 'region_header' | 'trusted_proxies' | 'geoip'>;

/** A finder with its database in memory. Rejects with an Error that names the file when it cannot be read. */
export async function createRegionFinder(config: RegionConfiguration, metrics: FocusMetrics): Promise<RegionFinder> {
  const trusted = addressList(config.trusted_proxies);
  const isTrusted = (address: string) => trusted.includes(address);
  const database = await openDatabase(config.geoip.database);
  return {
    find({ peerAddress, headers, tokenRegion }) {
      const lookUp = () => {
        const address = clientAddress(peerAddress, lastOf(headers['x-forwarded-for'], ','), isTrusted);
        return database === undefined ? undefined : regionOfAddress(database, address, config.regions);
      };
      const headerRegion = lastOf(headers[config.region_header]);
      const isFromTrustedProxy = isTrusted(plainAddress(peerAddress));
      const found = clientRegion({ tokenRegion, headerRegion, isFromTrustedProxy, lookUp }, config.region);
      metrics.regionSources.inc({ rule: found.rule });
      if (found.isHeaderIgnored) metrics.regionHeadersIgnored.inc();
      return found;
    },
  };
}

async function openDatabase(path: string): Promise<Reader<Response> | undefined> {
  if (path === '') return undefined;
  try {
    return await open<Response>(path);
  } catch (error) {
    throw new Error(`geoip.database ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A country database has no coordinates and so no answer here: geo-proxy places those. */
function regionOfAddress(database: Reader<Response>, address: string, regions: readonly Region[]): string | undefined {
  const found = recordOf(database, address);
  if (found === null || !('location' in found) || found.location === undefined) return undefined;
  const { latitude: lat, longitude: lon } = found.location;
  const nearest = nearestRegions({ lat, lon }, regions)[0];
  return nearest !== undefined && Number.isFinite(nearest.distanceKm) ? nearest.region.name : undefined;
}

/** Null also for an IPv6 address in a database of IPv4, for what is no address, and for damage inside the file. */
function recordOf(database: Reader<Response>, address: string): Response | null {
  try {
    return database.get(address);
  } catch {
    return null;
  }
}

/** A list header is one list however often it came; of a single-valued one the last is what the nearest proxy set. */
function lastOf(value: string | readonly string[] | undefined, separator?: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  return separator === undefined ? value.at(-1) : value.join(separator);
}
