/** Configuration of a geo-proxy. Names follow LiveKit's server where it has the setting (`port`, `bind_addresses`, `logging.level`). */
import { type Static, Type } from 'typebox';
import { addressList } from '../protocol/address-list.ts';
import { ConfigurationError, type ConfigurationSources, readConfiguration } from '../protocol/configuration.ts';

const Milliseconds = (minimum: number, defaultMs: number, description: string) =>
  Type.Integer({ minimum, maximum: 3_600_000, default: defaultMs, unit: 'ms', description });

const RegionSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9-]{1,32}$', description: 'the name that goes into the region header' }),
    focus: Type.String({
      pattern: '^https?://[^/]+/?$',
      description: 'origin of the focus that serves this region first; regions may share one',
    }),
    lat: Type.Optional(Type.Number({ minimum: -90, maximum: 90, unit: 'degrees' })),
    lon: Type.Optional(Type.Number({ minimum: -180, maximum: 180, unit: 'degrees' })),
  },
  { additionalProperties: false },
);

export const GeoProxyConfigSchema = Type.Object(
  {
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 8080,
      description: 'TCP port of clients; 0 takes a free one. Unprivileged, so that no root is needed',
    }),
    bind_addresses: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 16,
      default: ['0.0.0.0'],
      description: 'addresses the port listens on: this is the public entrance',
    }),
    development: Type.Boolean({
      default: false,
      description: 'a path prefix /region/NAME stands in for geography; production refuses it',
    }),
    regions: Type.Array(RegionSchema, {
      minItems: 1,
      maxItems: 256,
      description:
        'the regions of the network. One without coordinates is never the nearest, only a default or a fallback',
    }),
    default_region: Type.String({
      default: '',
      description: 'region of clients that cannot be located (private or unknown address); empty: the first of regions',
    }),
    region_header: Type.String({
      pattern: '^[a-z0-9-]{1,64}$',
      default: 'x-region',
      description: 'header that tells the focus the region; whatever a client sends in it is removed',
    }),
    trusted_proxies: Type.Array(Type.String(), {
      maxItems: 256,
      default: [],
      description:
        'addresses and CIDR ranges whose X-Forwarded-For and X-Forwarded-Proto are believed: load balancers in front',
    }),
    geoip: Type.Object(
      {
        database: Type.String({
          default: '',
          description:
            'path of a MaxMind-format city or country database; empty: the country database that is installed with Causeway (CC0)',
        }),
        reload_interval_ms: Milliseconds(
          100,
          10_000,
          'how often the file is looked at; a changed one is loaded without a gap',
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    health: Type.Object(
      {
        probe_interval_ms: Milliseconds(100, 2_000, 'pause between two looks at /healthz of a focus'),
        probe_timeout_ms: Milliseconds(50, 1_000, 'a look without an answer for so long has failed'),
        memory_ms: Milliseconds(0, 5_000, 'a focus that refused or timed out for a client is tried last for so long'),
      },
      { additionalProperties: false, default: {} },
    ),
    upstream: Type.Object(
      {
        connect_timeout_ms: Milliseconds(
          50,
          2_000,
          'a focus that has not accepted by then is passed over for the next',
        ),
        response_timeout_ms: Milliseconds(
          100,
          15_000,
          'a request without the first byte of an answer by then gets 504; LiveKit SDKs wait as long for a join',
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    limits: Type.Object(
      {
        connections: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          description:
            'open client connections per bind address; further ones are closed at once. About 50 kB of memory each',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    logging: Type.Object(
      {
        level: Type.Union(
          [
            Type.Literal('debug'),
            Type.Literal('info'),
            Type.Literal('warn'),
            Type.Literal('error'),
            Type.Literal('silent'),
          ],
          { default: 'info', description: 'least severity that is logged' },
        ),
      },
      { additionalProperties: false, default: {} },
    ),
  },
  { additionalProperties: false },
);
export type GeoProxyConfig = Static<typeof GeoProxyConfigSchema>;

/** The checked, frozen configuration. Throws ConfigurationError, also for what the schema cannot say: names that repeat, half a coordinate. */
export function readGeoProxyConfig(sources: ConfigurationSources): GeoProxyConfig {
  const config = readConfiguration(GeoProxyConfigSchema, sources);
  const problems = contradictions(config);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return config;
}

function contradictions(config: GeoProxyConfig): string[] {
  const problems: string[] = [];
  const names = config.regions.map(region => region.name);
  for (const [index, region] of config.regions.entries()) {
    if (names.indexOf(region.name) !== index) problems.push(`regions[${index}].name is ${region.name} a second time`);
    if ((region.lat === undefined) !== (region.lon === undefined)) {
      problems.push(`regions[${index}] (${region.name}) has only one of lat and lon; allowed: both or neither`);
    }
  }
  if (config.default_region !== '' && !names.includes(config.default_region)) {
    problems.push(`default_region is ${config.default_region}; allowed: ${names.join(', ')}, or empty for the first`);
  }
  for (const [index, entry] of config.trusted_proxies.entries()) {
    try {
      addressList([entry]);
    } catch (error) {
      problems.push(`trusted_proxies[${index}]: ${(error as Error).message}`);
    }
  }
  return problems;
}
