import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../../../protocol/configuration.ts';
import { readFocusConfig } from '../../config.ts';
import { type RedisTarget, redisTarget } from './redis-config.ts';

function target(yaml: string): RedisTarget | undefined {
  return redisTarget(readFocusConfig({ yaml: `development: true\nredis: ${yaml}`, env: {} }).redis, 'focus-1');
}

function problemsOf(yaml: string): readonly string[] {
  try {
    target(yaml);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

test('without an address there is no shared store', () => {
  assert.equal(redisTarget(readFocusConfig({ yaml: 'development: true', env: {} }).redis, 'focus-1'), undefined);
  assert.equal(target('{username: someone}'), undefined);
});

test("LiveKit's keys say where Redis is: one server, Sentinels, or a cluster, with the usual port where none is given", () => {
  const one = target("{address: 'redis:6380', username: u, password: p, db: 5}")!;
  assert.equal(one.kind, 'standalone');
  assert.deepEqual(one.addresses, [{ host: 'redis', port: 6380 }]);
  assert.deepEqual([one.username, one.password, one.db, one.tls], ['u', 'p', 5, undefined]);
  const sentinels = target(
    "{sentinel_addresses: [s1, '[2001:db8::1]:26380'], sentinel_master_name: mymaster, sentinel_username: su, sentinel_password: sp}",
  )!;
  assert.equal(sentinels.kind, 'sentinel');
  assert.deepEqual(sentinels.addresses, [
    { host: 's1', port: 26_379 },
    { host: '2001:db8::1', port: 26_380 },
  ]);
  assert.deepEqual(
    [sentinels.masterName, sentinels.sentinelUsername, sentinels.sentinelPassword],
    ['mymaster', 'su', 'sp'],
  );
  assert.deepEqual(target('{cluster_addresses: [c1, c2]}')!.addresses, [
    { host: 'c1', port: 6379 },
    { host: 'c2', port: 6379 },
  ]);
});

test('TLS is on by use_tls or by tls.enabled, with the files that are given', () => {
  assert.deepEqual(target('{address: r, use_tls: true}')!.tls, {
    isInsecure: false,
    serverName: undefined,
    caCertFile: undefined,
    clientCertFile: undefined,
    clientKeyFile: undefined,
  });
  const { tls } = target(
    '{address: r, tls: {enabled: true, server_name: n, ca_cert_file: /ca, client_cert_file: /c, client_key_file: /k}}',
  )!;
  assert.deepEqual(tls, {
    isInsecure: false,
    serverName: 'n',
    caCertFile: '/ca',
    clientCertFile: '/c',
    clientKeyFile: '/k',
  });
  assert.equal(target('{address: r, tls: {ca_cert_file: /ca}}')!.tls, undefined);
});

test('what cannot be meant is refused by name, with what is allowed', () => {
  const cases: readonly [yaml: string, problem: RegExp][] = [
    ["{address: 'redis://r:6379'}", /^redis\.address is "redis:\/\/r:6379"; allowed: host:port such as/],
    ["{address: 'r:0'}", /^redis\.address is "r:0"; allowed: host:port/],
    ["{cluster_addresses: ['a:1', 'b:99999']}", /^redis\.cluster_addresses\[1\] is "b:99999"; allowed: host:port/],
    ['{address: a, cluster_addresses: [b]}', /^redis has address and cluster_addresses; allowed: one of them$/],
    ['{sentinel_addresses: [s]}', /^redis\.sentinel_master_name is required with redis\.sentinel_addresses/],
    ['{sentinel_master_name: m}', /^redis\.sentinel_addresses is required with redis\.sentinel_master_name/],
    ['{cluster_addresses: [c], db: 1}', /^redis\.db is 1; allowed with redis\.cluster_addresses: 0/],
    ['{address: r, tls: {client_cert_file: /c}}', /^redis\.tls has only one of client_cert_file and client_key_file/],
    ['{address: r, pool_size: 5}', /^redis\.pool_size .* is not accepted: there is one connection/],
    ["{address: r, key_prefix: 'a b'}", /^redis\.key_prefix .* is/],
  ];
  for (const [yaml, problem] of cases) {
    const problems = problemsOf(yaml);
    assert.equal(problems.length, 1, `${yaml}: ${problems}`);
    assert.match(problems[0]!, problem);
  }
});
