/** Where an address is: what a MaxMind-format database says of it, whichever of the usual layouts the database has. */
import type { GeoPoint } from '../protocol/geo.ts';
import { COUNTRY_COORDINATES } from './countries.ts';

export interface Location {
  /** ISO 3166-1 alpha-2, null when the database does not say. */
  readonly country: string | null;
  readonly point: GeoPoint;
  /** How exact the coordinates are: a city database's own, or the middle of the country's people. */
  readonly precision: 'city' | 'country';
}

/**
 * Reads a record of GeoLite2/GeoIP2 (`location`, `country.iso_code`), of DB-IP and ip-location-db (`latitude`, `country_code`) or of
 * IPinfo (`country`). Undefined when it holds neither coordinates nor a country that we know.
 */
export function readLocation(record: unknown): Location | undefined {
  if (!isMapping(record)) return undefined;
  const country = countryOf(record);
  const point = pointOf(record['location']) ?? pointOf(record);
  if (point !== undefined) return { country, point, precision: 'city' };
  const middle = country === null ? undefined : COUNTRY_COORDINATES[country];
  if (middle === undefined) return undefined;
  return { country, point: { lat: middle[0], lon: middle[1] }, precision: 'country' };
}

function countryOf(record: Readonly<Record<string, unknown>>): string | null {
  for (const key of ['country', 'country_code', 'registered_country']) {
    const value = record[key];
    const code = isMapping(value) ? value['iso_code'] : value;
    if (typeof code === 'string' && /^[A-Z]{2}$/.test(code)) return code;
  }
  return null;
}

function pointOf(value: unknown): GeoPoint | undefined {
  if (!isMapping(value)) return undefined;
  const lat = numberOf(value['latitude']);
  const lon = numberOf(value['longitude']);
  if (lat === undefined || lon === undefined) return undefined;
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : undefined;
}

/** Some databases hold coordinates as text. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
