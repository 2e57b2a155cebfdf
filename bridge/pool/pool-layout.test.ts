import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../../protocol/configuration.ts';
import { type BridgeConfig, readBridgeConfig } from '../config.ts';
import { layOutPool } from './pool-layout.ts';

function read(yaml: string): BridgeConfig {
  return readBridgeConfig({ yaml: `development: true\n${yaml}`, env: {} });
}

function problemsOf(yaml: string, count: number): readonly string[] {
  try {
    layOutPool(read(yaml), count);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

test('each bridge has a name, ports and a control URL of its own, and all else in common', () => {
  const config = read(
    'bridge_id: fra\nregion: eu\nhost: metal-7\ncontrol: {url: "http://10.0.0.10:9090/b"}\nbridges: 3',
  );
  const members = layOutPool(config, 3);
  assert.deepEqual(
    members.map(({ bridge_id, rtc, octo, control }) => [bridge_id, rtc.udp_port, octo.port, control.port, control.url]),
    [
      ['fra-0', 10_000, 4096, 9090, 'http://10.0.0.10:9090/b'],
      ['fra-1', 10_001, 4097, 9091, 'http://10.0.0.10:9091/b'],
      ['fra-2', 10_002, 4098, 9092, 'http://10.0.0.10:9092/b'],
    ],
  );
  for (const { region, host, limits } of members) {
    assert.deepEqual({ region, host, limits }, { region: 'eu', host: 'metal-7', limits: config.limits });
  }
});

test('a mapped Octo port goes with the bridge, one after the other as the ports do', () => {
  const advertised = (octo: string) => layOutPool(read(`octo: ${octo}`), 2).map(member => member.octo.advertised_port);
  assert.deepEqual(advertised('{advertised_port: 30096}'), [30_096, 30_097]);
  assert.deepEqual(advertised('{}'), [0, 0]);
  assert.match(problemsOf('octo: {advertised_port: 65535}', 2)[0]!, /^octo\.advertised_port is 65535 with 2 bridges/);
});

test('a pool of one is named and numbered as every pool is', () => {
  const [only] = layOutPool(read('bridge_id: fra'), 1);
  assert.deepEqual([only!.bridge_id, only!.rtc.udp_port, only!.control.url], ['fra-0', 10_000, '']);
});

test('what does not fit so many bridges is refused by its key, with what is allowed', () => {
  const cases: readonly [yaml: string, count: number, problem: RegExp][] = [
    ['rtc: {udp_port: 65534}', 3, /^rtc\.udp_port is 65534 with 3 bridges; allowed: 1 to 65533,/],
    ['octo: {port: 0}', 1, /^octo\.port is 0 with 1 bridge; allowed: 1 to 65535,/],
    ['control: {port: 65535}', 2, /^control\.port is 65535 with 2 bridges; allowed: 1 to 65534,/],
    [
      'octo: {port: 10003}',
      4,
      /^octo\.port is 10003 with 4 bridges: they take 10003 to 10006, and rtc\.udp_port takes 10000 to 10003; allowed: two ranges/,
    ],
    ['octo: {port: 9999}', 2, /^octo\.port is 9999 with 2 bridges/],
    ['octo: {port: 10001, bind_address: 10.0.0.1}', 2, /^octo\.port is 10001/],
    [
      'control: {url: "http://10.0.0.10"}',
      2,
      /^control\.url is "http:\/\/10\.0\.0\.10" with 2 bridges; allowed: a URL with/,
    ],
    ['control: {url: "http://[::1]:65535"}', 2, /^control\.url is .*; allowed: a URL with the port .*, 1 to 65534/],
    [
      `bridge_id: ${'b'.repeat(62)}`,
      11,
      /^bridge_id has 62 characters with 11 bridges; allowed: at most 61, since -0 to -10/,
    ],
  ];
  for (const [yaml, count, problem] of cases) {
    const problems = problemsOf(yaml, count);
    assert.equal(problems.length, 1, `${yaml}: ${problems}`);
    assert.match(problems[0]!, problem);
  }
});

test('ranges that only touch, are on two addresses, or are TCP beside UDP, are fine', () => {
  assert.deepEqual(problemsOf('octo: {port: 10004}', 4), []);
  assert.deepEqual(problemsOf('octo: {port: 9996}', 4), []);
  assert.deepEqual(problemsOf('control: {port: 10000}', 4), []);
  const apart = 'rtc: {bind_address: 10.0.0.1}\nocto: {port: 10000, bind_address: 10.0.0.2}';
  assert.deepEqual(problemsOf(apart, 4), []);
  assert.deepEqual(problemsOf(`bridge_id: ${'b'.repeat(62)}`, 10), []);
});

test('every reason is told at once', () => {
  assert.equal(problemsOf('rtc: {udp_port: 0}\nocto: {port: 0}\ncontrol: {port: 0, url: "http://x"}', 2).length, 4);
});
