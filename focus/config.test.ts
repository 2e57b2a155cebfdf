import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../protocol/configuration.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../protocol/control/development-secret.ts';
import { readFocusConfig } from './config.ts';

const SECRET = 'x'.repeat(32);
const PRODUCTION = `keys: {key1: ${SECRET}}\ncontrol: {secret: ${SECRET}}\n`;

function problemsOf(yaml: string, env: Record<string, string> = {}): readonly string[] {
  try {
    readFocusConfig({ yaml, yamlName: 'focus.yaml', env });
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

test("defaults are LiveKit's where it has the setting", () => {
  const config = readFocusConfig({ yaml: PRODUCTION, env: {} });
  assert.equal(config.port, 7880);
  assert.deepEqual(config.room, {
    auto_create: true,
    empty_timeout: 300,
    departure_timeout: 20,
    max_participants: 0,
    enable_remote_unmute: false,
  });
  assert.equal(config.limit.signal_message_size_limit, 2 * 1024 * 1024);
});

test("development needs no keys: LiveKit's devkey and the well-known control secret are filled in", () => {
  const config = readFocusConfig({ env: { CAUSEWAY_DEVELOPMENT: 'true' } });
  assert.deepEqual(config.keys, { devkey: 'secret' });
  assert.equal(config.control.secret, DEVELOPMENT_CONTROL_SECRET);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.keys) && Object.isFrozen(config.control));
});

test('development keeps the keys and the secret it is given', () => {
  const config = readFocusConfig({ yaml: 'development: true\nkeys: {a: b}\ncontrol: {secret: short}', env: {} });
  assert.deepEqual(config.keys, { a: 'b' });
  assert.equal(config.control.secret, 'short');
});

test('production without keys and secret is refused, and so are weak ones, without repeating them', () => {
  assert.deepEqual(problemsOf(''), [
    'keys or key_file is required outside development: at least one API key with its secret',
    'control.secret has 0 characters; allowed outside development: 32 or more',
  ]);
  assert.deepEqual(problemsOf('keys: {devkey: hunter2}\ncontrol: {secret: hunter22}'), [
    'keys.devkey has a secret of 7 characters; allowed: 32 or more',
    'control.secret has 8 characters; allowed outside development: 32 or more',
  ]);
});

test('redis is read from the file and from the environment, and its contradictions are refused with the rest', () => {
  const config = readFocusConfig({
    yaml: `${PRODUCTION}redis: {address: 'localhost:6379'}`,
    env: { CAUSEWAY_REDIS_PASSWORD: 'hunter2' },
  });
  assert.equal(config.redis.address, 'localhost:6379');
  assert.equal(config.redis.password, 'hunter2');
  assert.deepEqual(problemsOf(`redis: {address: 'a:1', db: 3, cluster_addresses: ['b:2']}`).slice(2), [
    'redis has address and cluster_addresses; allowed: one of them',
    'redis.db is 3; allowed with redis.cluster_addresses: 0, the only one a cluster has',
  ]);
});

test('contradictions that no schema can say are refused by name', () => {
  const cases: readonly [yaml: string, problem: RegExp][] = [
    ['regions: [{name: eu}, {name: eu}]', /^regions\[1\]\.name is eu a second time$/],
    ['regions: [{name: eu, lat: 50}]', /^regions\[0\] \(eu\) has only one of lat and lon/],
    ['placement: {region_groups: [[a, b], [b, c]]}', /^placement\.region_groups has b twice/],
    ['trusted_proxies: [10.0.0.0/8, nonsense]', /^trusted_proxies\[1\] is "nonsense"; allowed: an address or a range/],
    [
      'bridges: {retry_delay_ms_min: 50, retry_delay_ms_max: 10}',
      /^bridges\.retry_delay_ms_min is 50; allowed: at most/,
    ],
    ['webhook: {urls: ["http://u:p@a.example/"], api_key: key1}', /^webhook\.urls\[0\] has a user in it; allowed/],
    ['webhook: {urls: ["http://a.example/"]}', /^webhook\.api_key is required with webhook\.urls/],
    ['webhook: {urls: ["http://a.example/"], api_key: other}', /^webhook\.api_key is other; allowed: a key of keys/],
    ['webhook: {retry_delay_ms_min: 50, retry_delay_ms_max: 10}', /^webhook\.retry_delay_ms_min is 50; allowed: at/],
    ['jwks: [{issuer: key1, url: "https://a.example/"}]', /^jwks\[0\]\.issuer is key1, which is an API key/],
    [
      'jwks: [{issuer: a, url: "https://a.example/"}, {issuer: a, url: "https://b.example/"}]',
      /^jwks\[1\]\.issuer is a a second time$/,
    ],
  ];
  for (const [yaml, problem] of cases) {
    const problems = problemsOf(PRODUCTION + yaml);
    assert.equal(problems.length, 1, yaml);
    assert.match(problems[0]!, problem);
  }
});
