/** A place on earth, in degrees: latitude -90 to 90, longitude -180 to 180, named as LiveKit's configuration names them. */
export interface GeoPoint {
  readonly lat: number;
  readonly lon: number;
}

/** A region of the network; one without coordinates has no distance to anything. */
export interface Region {
  readonly name: string;
  readonly lat?: number;
  readonly lon?: number;
}

export interface RankedRegion<R extends Region = Region> {
  readonly region: R;
  /** Infinity for a region without coordinates. */
  readonly distanceKm: number;
}

/** IUGG mean radius. */
const EARTH_RADIUS_KM = 6371.0088;

/** Great-circle distance by the haversine formula, which stays exact for near points; at most half the earth's circumference (20 015 km). */
export function distanceKm(a: GeoPoint, b: GeoPoint): number {
  const latA = radians(a.lat);
  const latB = radians(b.lat);
  const halfChordSquared =
    Math.sin((latB - latA) / 2) ** 2 + Math.cos(latA) * Math.cos(latB) * Math.sin(radians(b.lon - a.lon) / 2) ** 2;
  // Rounding can push antipodes past 1, where asin has no answer.
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(halfChordSquared)));
}

/** All of `regions`, nearest first; equally far ones (and those without coordinates, which come last) keep the order they were given in. */
export function nearestRegions<R extends Region>(point: GeoPoint, regions: readonly R[]): RankedRegion<R>[] {
  return regions
    .map(region => ({ region, distanceKm: distanceToRegion(point, region) }))
    .sort((a, b) => (a.distanceKm === b.distanceKm ? 0 : a.distanceKm - b.distanceKm));
}

/** The coordinates of a region, or undefined when its configuration gives none. */
export function pointOf(region: Region): GeoPoint | undefined {
  return region.lat === undefined || region.lon === undefined ? undefined : { lat: region.lat, lon: region.lon };
}

function distanceToRegion(point: GeoPoint, region: Region): number {
  const there = pointOf(region);
  return there === undefined ? Number.POSITIVE_INFINITY : distanceKm(point, there);
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
