import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../protocol/configuration.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../protocol/control/development-secret.ts';
import { readBridgeConfig } from './config.ts';

const SECRET = 'x'.repeat(32);

function problemsOf(yaml: string): readonly string[] {
  try {
    readBridgeConfig({ yaml, env: { CAUSEWAY_CONTROL_SECRET: SECRET } });
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

test('production without a control secret is refused, and so is a weak one, without repeating it', () => {
  for (const [yaml, length] of [
    ['', 0],
    ['control: {secret: hunter22}', 8],
    [`control: {secret: ${SECRET.slice(1)}}`, 31],
  ] as const) {
    assert.throws(() => readBridgeConfig({ yaml, env: {} }), {
      name: 'ConfigurationError',
      message: `control.secret has ${length} characters; allowed outside development: 32 or more, the same for focus and bridges`,
    });
  }
  const config = readBridgeConfig({ yaml: `control: {secret: ${SECRET}}`, env: {} });
  assert.equal(config.control.secret, SECRET);
});

test('development fills in the well-known secret and keeps one that is given', () => {
  const config = readBridgeConfig({ yaml: 'development: true', env: {} });
  assert.equal(config.control.secret, DEVELOPMENT_CONTROL_SECRET);
  assert.equal(config.control.port, 9090);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.control) && Object.isFrozen(config.rtc));
  const given = readBridgeConfig({ yaml: 'development: true\ncontrol: {secret: short}', env: {} });
  assert.equal(given.control.secret, 'short');
});

test('a pool is a number of bridges, one per core, or none at all; its machine goes by any name', () => {
  const read = (yaml: string, bridges?: string) =>
    readBridgeConfig({ yaml: `development: true\n${yaml}`, env: {}, flags: { bridges } });
  assert.deepEqual([read('').bridges, read('').host], [undefined, '']);
  assert.deepEqual([read('bridges: 4').bridges, read('bridges: 4', 'auto').bridges], [4, 'auto']);
  assert.equal(read('host: rack 7, unit 3').host, 'rack 7, unit 3');
  for (const wrong of ['0', 'x', '-1', '2.5', '513']) {
    assert.throws(() => read('', wrong), {
      name: 'ConfigurationError',
      message: /^bridges \(command line\) is .*; allowed: "auto", or a whole number from 1 to 512$/,
    });
  }
});

test('addresses of both families, localhost for control, and STUN servers in every form are accepted', () => {
  const accepted = [
    'rtc: {node_ip: [203.0.113.9, "2001:db8::9"], bind_address: "::"}\nocto: {address: "2001:db8::9", bind_address: "::"}',
    'control: {bind_address: localhost}\nocto: {address: 10.0.0.7, bind_address: 10.0.0.7}',
    'rtc: {use_external_ip: true, stun_servers: ["stun.example.com:3478", stun.example.com, "[2001:db8::1]:3478"]}',
  ];
  for (const yaml of accepted) assert.deepEqual(problemsOf(yaml), [], yaml);
});

test('what no schema can say is refused by name, with what is allowed', () => {
  const cases: readonly [yaml: string, problem: RegExp][] = [
    [
      'rtc: {node_ip: [10.0.0.1, media.example.com]}',
      /^rtc\.node_ip\[1\] is "media\.example\.com"; allowed: an IP address/,
    ],
    ['rtc: {node_ip: [0.0.0.0]}', /^rtc\.node_ip\[0\] is "0\.0\.0\.0"; allowed: .* that others can send to$/],
    ['rtc: {node_ip: ["fe80::1%eth0"]}', /^rtc\.node_ip\[0\] is "fe80::1%eth0"; allowed/],
    ['octo: {address: "203.0.113.9:4096"}', /^octo\.address is "203\.0\.113\.9:4096"; allowed: an IP address/],
    ['octo: {address: "::"}', /^octo\.address is "::"; allowed/],
    ['rtc: {bind_address: eth0}', /^rtc\.bind_address is "eth0"; allowed: an IP address, 0\.0\.0\.0 and :: are all$/],
    ['octo: {bind_address: ""}', /^octo\.bind_address is ""; allowed/],
    [
      'control: {bind_address: control.internal}',
      /^control\.bind_address is "control\.internal"; allowed: an IP address or localhost$/,
    ],
    [
      'rtc: {use_external_ip: true}',
      /^rtc\.use_external_ip is true without rtc\.stun_servers; allowed: with at least one host:port/,
    ],
    ['rtc: {stun_servers: ["stun:stun.example.com:3478"]}', /^rtc\.stun_servers\[0\] is "stun:.*; allowed: host:port/],
    ['rtc: {stun_servers: [a.example, "b.example:0"]}', /^rtc\.stun_servers\[1\] is "b\.example:0"; allowed/],
    ['rtc: {stun_servers: ["[nonsense]:3478"]}', /^rtc\.stun_servers\[0\] is "\[nonsense\]:3478"; allowed/],
  ];
  for (const [yaml, problem] of cases) {
    const problems = problemsOf(yaml);
    assert.equal(problems.length, 1, yaml);
    assert.match(problems[0]!, problem);
  }
});

test('the port that is announced for links is the one listened on, unless another one is named', () => {
  const read = (octo: string) => readBridgeConfig({ yaml: `development: true\nocto: ${octo}`, env: {} }).octo;
  assert.deepEqual([read('{port: 4100}').port, read('{port: 4100}').advertised_port], [4100, 0]);
  assert.equal(read('{port: 4100, advertised_port: 30096}').advertised_port, 30_096);
  assert.match(problemsOf('octo: {advertised_port: 70000}')[0]!, /^octo\.advertised_port .*is 70000; allowed: .*65535/);
});

test('every problem is told at once', () => {
  assert.deepEqual(problemsOf('rtc: {bind_address: x, use_external_ip: true}\ncontrol: {bind_address: y}').length, 3);
});
