import type { Static } from 'typebox';
import { addressList } from '../protocol/address-list.ts';
import { ConfigurationError, type ConfigurationSources, readConfiguration } from '../protocol/configuration.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../protocol/control/development-secret.ts';
import { SECRET_LENGTH_MIN } from './api/key-file.ts';
import { FocusConfigSchema } from './config-schema.ts';
import { placementServiceProblems } from './placement/service-config.ts';
import { redisProblems } from './store/redis/redis-config.ts';

export type FocusConfig = Static<typeof FocusConfigSchema>;

/** LiveKit's development key, so that `lk --dev` and every tutorial work. */
export const DEVELOPMENT_KEYS: Readonly<Record<string, string>> = Object.freeze({ devkey: 'secret' });

/**
 * The checked, deeply frozen configuration. In development, missing keys become {@link DEVELOPMENT_KEYS} and an empty
 * `control.secret` the well-known one. Throws ConfigurationError with every problem, also those no schema can say.
 */
export function readFocusConfig(sources: ConfigurationSources): FocusConfig {
  const config = readConfiguration(FocusConfigSchema, sources);
  const problems = [
    ...secretProblems(config),
    ...regionProblems(config),
    ...proxyProblems(config),
    ...timingProblems(config),
    ...redistributionProblems(config),
    ...redisProblems(config.redis),
    ...issuerProblems(config),
    ...webhookProblems(config),
    ...placementServiceProblems(config.placement.kind, config.placement.http),
  ];
  if (problems.length > 0) throw new ConfigurationError(problems);
  if (!config.development) return config;
  const keys = Object.keys(config.keys).length > 0 ? config.keys : DEVELOPMENT_KEYS;
  const control = Object.freeze({ secret: config.control.secret || DEVELOPMENT_CONTROL_SECRET });
  return Object.freeze({ ...config, keys, control });
}

function secretProblems(config: FocusConfig): string[] {
  if (config.development) return [];
  const problems: string[] = [];
  const keys = Object.entries(config.keys);
  if (keys.length === 0 && config.key_file === '') {
    problems.push('keys or key_file is required outside development: at least one API key with its secret');
  }
  for (const [key, secret] of keys) {
    if (secret.length < SECRET_LENGTH_MIN) {
      problems.push(`keys.${key} has a secret of ${secret.length} characters; allowed: ${SECRET_LENGTH_MIN} or more`);
    }
  }
  if (config.control.secret.length < SECRET_LENGTH_MIN) {
    problems.push(
      `control.secret has ${config.control.secret.length} characters; allowed outside development: ${SECRET_LENGTH_MIN} or more`,
    );
  }
  return problems;
}

function regionProblems(config: FocusConfig): string[] {
  const problems: string[] = [];
  const names = config.regions.map(region => region.name);
  for (const [index, region] of config.regions.entries()) {
    if (names.indexOf(region.name) !== index) problems.push(`regions[${index}].name is ${region.name} a second time`);
    if ((region.lat === undefined) !== (region.lon === undefined)) {
      problems.push(`regions[${index}] (${region.name}) has only one of lat and lon; allowed: both or neither`);
    }
  }
  const grouped = config.placement.region_groups.flat();
  for (const name of new Set(grouped.filter((region, index) => grouped.indexOf(region) !== index))) {
    problems.push(`placement.region_groups has ${name} twice; allowed: a region in one group at most`);
  }
  return problems;
}

function proxyProblems(config: FocusConfig): string[] {
  return config.trusted_proxies.flatMap((entry, index) => {
    try {
      addressList([entry]);
      return [];
    } catch {
      return [
        `trusted_proxies[${index}] is ${JSON.stringify(entry)}; allowed: an address or a range such as 10.0.0.0/8`,
      ];
    }
  });
}

function timingProblems(config: FocusConfig): string[] {
  const { retry_delay_ms_min: minimum, retry_delay_ms_max: maximum } = config.bridges;
  if (minimum <= maximum) return [];
  return [`bridges.retry_delay_ms_min is ${minimum}; allowed: at most bridges.retry_delay_ms_max (${maximum})`];
}

function redistributionProblems({ redistribution }: FocusConfig): string[] {
  const { low_stress: low, high_stress: high } = redistribution;
  if (low < high) return [];
  return [`redistribution.low_stress is ${low}; allowed: less than redistribution.high_stress (${high})`];
}

function issuerProblems(config: FocusConfig): string[] {
  const problems: string[] = [];
  const names = config.jwks.map(({ issuer }) => issuer);
  for (const [index, { issuer, url }] of config.jwks.entries()) {
    const at = `jwks[${index}]`;
    if (names.indexOf(issuer) !== index) problems.push(`${at}.issuer is ${issuer} a second time`);
    if (Object.hasOwn(config.keys, issuer)) problems.push(`${at}.issuer is ${issuer}, which is an API key in keys too`);
    if (!URL.canParse(url)) problems.push(`${at}.url is ${url}; allowed: an http or https URL`);
  }
  return problems;
}

function webhookProblems({ webhook, keys, key_file, development }: FocusConfig): string[] {
  const problems: string[] = [];
  for (const [index, url] of webhook.urls.entries()) {
    if (!URL.canParse(url)) problems.push(`webhook.urls[${index}] is no URL; allowed: an http or https URL`);
    else if (new URL(url).username !== '') {
      problems.push(`webhook.urls[${index}] has a user in it; allowed: a URL without, receivers verify the signature`);
    }
  }
  const { retry_delay_ms_min: minimum, retry_delay_ms_max: maximum } = webhook;
  if (minimum > maximum) {
    problems.push(`webhook.retry_delay_ms_min is ${minimum}; allowed: at most webhook.retry_delay_ms_max (${maximum})`);
  }
  if (webhook.urls.length === 0) return problems;
  const known = Object.keys(keys).length === 0 && development ? DEVELOPMENT_KEYS : keys;
  if (webhook.api_key === '') problems.push('webhook.api_key is required with webhook.urls: the key that signs them');
  else if (!Object.hasOwn(known, webhook.api_key) && key_file === '') {
    problems.push(`webhook.api_key is ${webhook.api_key}; allowed: a key of keys or of key_file`);
  }
  return problems;
}
