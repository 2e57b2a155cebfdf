import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../protocol/configuration.ts';
import { readGeoProxyConfig } from './config.ts';

const REGIONS =
  'regions: [{ name: eu, focus: "http://eu:7880", lat: 50.1, lon: 8.7 }, { name: us, focus: "http://us:7880" }]\n';

function problemsOf(yaml: string): string {
  try {
    readGeoProxyConfig({ yaml, env: {} });
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems.join('\n');
  }
  assert.fail('this configuration must be refused');
}

test('regions are all that must be said', () => {
  const config = readGeoProxyConfig({ yaml: REGIONS, env: {} });
  assert.deepEqual([config.port, config.development, config.region_header], [8080, false, 'x-region']);
});

test('regions may come from the environment', () => {
  const config = readGeoProxyConfig({ env: { CAUSEWAY_REGIONS: '[{ name: eu, focus: "http://eu:7880" }]' } });
  assert.equal(config.regions[0]?.focus, 'http://eu:7880');
});

test('what the schema cannot say is refused by name too', () => {
  assert.match(problemsOf(`${REGIONS}default_region: ap`), /default_region is ap; allowed: eu, us/);
  assert.match(
    problemsOf('regions: [{ name: eu, focus: "http://a", lat: 1 }]'),
    /regions\[0\].*only one of lat and lon/,
  );
  assert.match(
    problemsOf('regions: [{ name: eu, focus: "http://a" }, { name: eu, focus: "http://b" }]'),
    /regions\[1\]\.name is eu a second time/,
  );
  assert.match(
    problemsOf(`${REGIONS}trusted_proxies: [10.0.0.0/33]`),
    /trusted_proxies\[0\]: 10\.0\.0\.0\/33 is not an address/,
  );
  assert.match(problemsOf('regions: [{ name: eu, focus: "http://a/path" }]'), /regions\[0\]\.focus/);
});
