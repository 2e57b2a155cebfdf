import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Type } from 'typebox';
import { ConfigurationError, type ConfigurationSources, readConfiguration } from './configuration.ts';
import { describeConfiguration } from './configuration-help.ts';

const Schema = Type.Object(
  {
    port: Type.Integer({ minimum: 1, maximum: 65535, default: 7880, description: 'of clients' }),
    rtc: Type.Object(
      {
        udp_port: Type.Integer({ minimum: 1, maximum: 65535, default: 10_000 }),
        node_ip: Type.Optional(Type.String()),
        servers: Type.Array(Type.String(), { maxItems: 2, default: ['a'] }),
      },
      { additionalProperties: false, default: {} },
    ),
    level: Type.Union([Type.Literal('debug'), Type.Literal('info')], { default: 'info' }),
    timeout_ms: Type.Integer({ minimum: 0, default: 100, unit: 'ms', description: 'patience' }),
    keys: Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.String({ minLength: 4, secret: true }), {
      default: {},
    }),
    secret: Type.Optional(Type.String({ minLength: 8, secret: true })),
    regions: Type.Array(
      Type.Object({ name: Type.String(), weight: Type.Number({ default: 1 }) }, { additionalProperties: false }),
      { default: [] },
    ),
    tls: Type.Optional(Type.Object({ cert: Type.String(), key: Type.String() }, { additionalProperties: false })),
    redis: Type.Optional(Type.Unknown({ refused: 'memory only' })),
  },
  { additionalProperties: false },
);

const read = (sources: Partial<ConfigurationSources>) =>
  readConfiguration(Schema, { env: {}, yamlName: 'focus.yaml', ...sources });

function problemsOf(sources: Partial<ConfigurationSources>): readonly string[] {
  try {
    read(sources);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

describe('sources', () => {
  test('without any, every default is there and optional keys are absent', () => {
    assert.deepEqual(read({}), {
      port: 7880,
      rtc: { udp_port: 10_000, servers: ['a'] },
      level: 'info',
      timeout_ms: 100,
      keys: {},
      regions: [],
    });
  });

  test('the environment goes over the file, flags over both', () => {
    const yaml = 'port: 1\nrtc: { udp_port: 1, node_ip: 10.0.0.1 }\ntimeout_ms: 1';
    const env = { CAUSEWAY_RTC_UDP_PORT: '2', CAUSEWAY_TIMEOUT_MS: '2' };
    const config = read({ yaml, env, flags: { timeout_ms: 3 } });
    assert.deepEqual([config.port, config.rtc.udp_port, config.timeout_ms, config.rtc.node_ip], [1, 2, 3, '10.0.0.1']);
  });

  test('an environment variable is YAML, except where text is expected', () => {
    const env = {
      CAUSEWAY_KEYS: '{abc: "0123", def: 4567x}',
      CAUSEWAY_RTC_SERVERS: '[x, y]',
      CAUSEWAY_SECRET: '12345678',
      CAUSEWAY_RTC_NODE_IP: 'true',
      CAUSEWAY_REGIONS: '[{name: eu, weight: 2}]',
    };
    const config = read({ env });
    assert.deepEqual(config.keys, { abc: '0123', def: '4567x' });
    assert.deepEqual(config.rtc.servers, ['x', 'y']);
    assert.equal(config.secret, '12345678');
    assert.equal(config.rtc.node_ip, 'true');
    assert.deepEqual(config.regions, [{ name: 'eu', weight: 2 }]);
  });

  test('a list of texts may be comma-separated in a variable', () => {
    assert.deepEqual(read({ env: { CAUSEWAY_RTC_SERVERS: 'x:1, y:2' } }).rtc.servers, ['x:1', 'y:2']);
  });

  test('an empty variable and an undefined flag are not set', () => {
    assert.equal(read({ env: { CAUSEWAY_PORT: '' }, flags: { port: undefined } }).port, 7880);
  });

  test('an empty file, and a group with nothing under it, leave the defaults', () => {
    assert.equal(read({ yaml: '' }).port, 7880);
    assert.equal(read({ yaml: 'rtc:\nport: 5' }).rtc.udp_port, 10_000);
  });

  test('defaults inside the entries of a list are applied', () => {
    assert.deepEqual(read({ yaml: 'regions: [{name: eu}]' }).regions, [{ name: 'eu', weight: 1 }]);
  });

  test('an optional group is there when any of it is set, and then has to be whole', () => {
    assert.deepEqual(read({ env: { CAUSEWAY_TLS_CERT: 'c', CAUSEWAY_TLS_KEY: 'k' } }).tls, { cert: 'c', key: 'k' });
    assert.deepEqual(problemsOf({ yaml: 'tls: {cert: c}' }), ['tls.key is required: text']);
  });
});

describe('the result', () => {
  test("is frozen all the way down, and the schema's defaults stay untouched", () => {
    const config = read({ yaml: 'regions: [{name: eu}]' });
    for (const part of [config, config.rtc, config.rtc.servers, config.keys, config.regions[0]])
      assert.ok(Object.isFrozen(part));
    assert.throws(() => config.rtc.servers.push('b'), TypeError);
    assert.deepEqual(read({}).rtc.servers, ['a']);
  });
});

describe('what is refused', () => {
  const cases: readonly [title: string, sources: Partial<ConfigurationSources>, problem: string][] = [
    [
      'an unknown key, by its full name and line, with the nearest known one and all that are allowed there',
      { yaml: 'port: 1\nrtc:\n  udp_prot: 5' },
      'rtc.udp_prot (focus.yaml line 3) is not a known key; did you mean udp_port?; allowed in rtc: udp_port, node_ip, servers',
    ],
    [
      'an unknown key inside a list',
      { yaml: 'regions:\n  - name: eu\n    wieght: 1' },
      'regions[0].wieght (focus.yaml line 3) is not a known key; did you mean weight?; allowed in regions[0]: name, weight',
    ],
    [
      'a number out of range, with the range',
      { yaml: 'port: 70000' },
      'port (focus.yaml line 1) is 70000; allowed: a whole number from 1 to 65535',
    ],
    [
      'text for a number, with the variable it came from',
      { env: { CAUSEWAY_RTC_UDP_PORT: 'abc' } },
      'rtc.udp_port (environment variable CAUSEWAY_RTC_UDP_PORT) is "abc"; allowed: a whole number from 1 to 65535',
    ],
    [
      'a flag out of its choices',
      { flags: { level: 'loud' } },
      'level (command line) is "loud"; allowed: one of: debug, info',
    ],
    [
      'a key left empty',
      { yaml: 'timeout_ms:' },
      'timeout_ms (focus.yaml line 1) is empty; allowed: a whole number from 0 up (ms)',
    ],
    [
      'a variable that names no key',
      { env: { CAUSEWAY_PROT: '1' } },
      'environment variable CAUSEWAY_PROT names no known key; did you mean CAUSEWAY_PORT?',
    ],
    [
      'a flag that names no key',
      { flags: { 'rtc.udp': 1 } },
      'rtc.udp (command line) is not a known key; allowed: ' +
        'port, rtc.udp_port, rtc.node_ip, rtc.servers, level, timeout_ms, keys, secret, regions, tls.cert, tls.key, redis',
    ],
    [
      'a list for a group',
      { yaml: 'rtc: [1]' },
      'rtc (focus.yaml line 1) is [1]; allowed: a mapping with udp_port, node_ip, servers',
    ],
    [
      'a list that is too long',
      { yaml: 'rtc: {servers: [a, b, c]}' },
      'rtc.servers (focus.yaml line 1) is ["a","b","c"]; allowed: a list of at most 2 entries, each text',
    ],
    [
      'a missing key of a list entry',
      { yaml: 'regions: [{weight: 1}]' },
      'regions[0].name (focus.yaml line 1) is required: text',
    ],
    [
      'a known key that is not accepted, with the reason',
      { yaml: 'redis: {address: x}' },
      'redis (focus.yaml line 1) is not accepted: memory only',
    ],
    [
      'a variable under such a key',
      { env: { CAUSEWAY_REDIS_ADDRESS: 'x' } },
      'redis (environment variable CAUSEWAY_REDIS_ADDRESS) is not accepted: memory only',
    ],
  ];
  for (const [title, sources, problem] of cases) {
    test(title, () => assert.deepEqual(problemsOf(sources), [problem]));
  }

  test('every problem is told at once', () => {
    assert.equal(problemsOf({ yaml: 'port: x\nlevel: y\nwrong: 1', env: { CAUSEWAY_WRONG: '1' } }).length, 4);
  });

  test('a variable of another service is none of ours', () => {
    const env = { CAUSEWAY_BRIDGE_ID: 'b', PATH: '/bin' };
    assert.deepEqual(problemsOf({ env, ignoreEnv: name => name === 'CAUSEWAY_BRIDGE_ID' }), []);
  });

  test('a file that is no YAML, with its line', () => {
    assert.match(problemsOf({ yaml: 'port: 1\nlevel: [' })[0]!, /^focus\.yaml line 2 is not valid YAML: /);
  });

  test('a file that is no mapping', () => {
    assert.match(
      problemsOf({ yaml: '[1]' })[0]!,
      /^the configuration \(focus\.yaml line 1\) is a list; allowed: a mapping with port, /,
    );
  });

  test('keys that would reach into prototypes', () => {
    assert.equal(problemsOf({ yaml: '__proto__: {port: 1}\nconstructor: 1' }).length, 2);
  });
});

test('no problem repeats a secret', () => {
  const secret = 'abc';
  const places: Partial<ConfigurationSources>[] = [
    { yaml: `secret: ${secret}` },
    { yaml: `keys: {name: ${secret}}` },
    { yaml: `keys: {name: [${secret}]}` },
    { env: { CAUSEWAY_KEYS: `name:${secret}` } },
    { env: { CAUSEWAY_SECRET: secret } },
    { yaml: `keys: {name: ${secret}\n` },
  ];
  for (const sources of places) {
    const problems = problemsOf(sources);
    assert.ok(problems.length > 0);
    assert.doesNotMatch(problems.join(), /abc/);
  }
});

test('any YAML at all is read or refused, never crashed on', () => {
  const value = fc.letrec(tie => ({
    any: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
    list: fc.array(tie('any'), { maxLength: 3 }),
    map: fc.dictionary(
      fc.oneof(fc.constantFrom('port', 'rtc', 'keys', 'regions', 'tls', '__proto__'), fc.string()),
      tie('any'),
    ),
  })).any;
  fc.assert(
    fc.property(
      fc.oneof(
        value.map(tree => JSON.stringify(tree)),
        fc.string(),
      ),
      yaml => {
        for (const problem of problemsOf({ yaml })) assert.equal(typeof problem, 'string');
      },
    ),
  );
});

test('help has every key with its variable, what is allowed, the default and the reason, and none that is refused', () => {
  const help = describeConfiguration(Schema);
  assert.match(help, /^port {2}\(CAUSEWAY_PORT\)\n {4}a whole number from 1 to 65535; default 7880\n {4}of clients\n/);
  assert.match(help, /rtc\.udp_port {2}\(CAUSEWAY_RTC_UDP_PORT\)/);
  assert.match(help, /timeout_ms .*\n {4}a whole number from 0 up \(ms\); default 100\n {4}patience/);
  assert.match(help, /rtc\.node_ip .*\n {4}text; not set by default/);
  assert.doesNotMatch(help, /redis/);
});
