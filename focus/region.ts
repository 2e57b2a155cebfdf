/**
 * The region of a client, by named rules: the first that gives a region decides, and its name goes into the log and a metric.
 * Not the region it is served from: placement (focus/placement) decides that.
 */

/** What is known about a client when it joins. */
export interface ClientOrigin {
  /** The sticky region in its verified token: where an earlier placement was. */
  readonly tokenRegion: string | undefined;
  /** The region header as received, believed only from a trusted proxy. */
  readonly headerRegion: string | undefined;
  /** True when the other end of the connection is in `trusted_proxies`. */
  readonly isFromTrustedProxy: boolean;
  /** The nearest region to where a GeoIP database places the address; asked last, since it costs most. */
  readonly lookUp: () => string | undefined;
}

export type RegionRuleName = 'token' | 'header' | 'geoip' | 'own-region';

export interface ClientRegion {
  readonly region: string;
  readonly rule: RegionRuleName;
  /** A region header came from somebody who may not set it: ignored, to be counted. */
  readonly isHeaderIgnored: boolean;
}

interface RegionRule {
  readonly name: RegionRuleName;
  readonly region: (origin: ClientOrigin, ownRegion: string) => string | undefined;
}

const RULES: readonly RegionRule[] = [
  { name: 'token', region: origin => origin.tokenRegion },
  { name: 'header', region: origin => (origin.isFromTrustedProxy ? origin.headerRegion : undefined) },
  { name: 'geoip', region: origin => origin.lookUp() },
  { name: 'own-region', region: (_origin, ownRegion) => ownRegion },
];

/** Region names as configuration allows them; any other text is as good as none. */
const REGION_NAME = /^[a-z0-9-]{1,32}$/;

/** Finds the region of a client; `ownRegion` is the focus's own. A region that no bridge serves is an answer too: placement finds the nearest. */
export function clientRegion(origin: ClientOrigin, ownRegion: string): ClientRegion {
  const isHeaderIgnored = origin.headerRegion !== undefined && !origin.isFromTrustedProxy;
  for (const rule of RULES) {
    const region = rule.region(origin, ownRegion);
    if (region !== undefined && REGION_NAME.test(region)) return { region, rule: rule.name, isHeaderIgnored };
  }
  return { region: ownRegion, rule: 'own-region', isHeaderIgnored };
}
