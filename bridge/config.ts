/** Configuration of a bridge. Names follow LiveKit's server where it has the setting (`rtc.*`). */
import { isIP, isIPv6 } from 'node:net';
import { type Static, Type } from 'typebox';
import { ConfigurationError, type ConfigurationSources, readConfiguration } from '../protocol/configuration.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../protocol/control/development-secret.ts';
import { DRAIN_SECONDS_MAX } from '../protocol/control/events.ts';

const Port = (defaultPort: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: defaultPort, description });

/** More cores than any machine that is sold. */
export const BRIDGES_MAX = 512;

export const BridgeConfigSchema = Type.Object(
  {
    bridge_id: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      default: 'bridge-1',
      description: 'name of this bridge, unique in the network; links are set up and drawn up by it',
    }),
    region: Type.String({
      pattern: '^[a-z0-9-]{1,32}$',
      default: 'default',
      description: 'region whose participants this bridge serves first',
    }),
    host: Type.String({
      maxLength: 255,
      default: '',
      description:
        "name of the machine, the same for all bridges on it: a meeting stays on one machine where it can; empty: the system's host name",
    }),
    bridges: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: BRIDGES_MAX })], {
        description:
          'bridges to run, a process each, as bridge_id-0 and so on, each on the next number of every port; auto: one per core; not set: this process is the only one, as bridge_id',
      }),
    ),
    development: Type.Boolean({
      default: false,
      description: 'well-known secrets are accepted and loopback is announced; never on a public machine',
    }),
    datapath: Type.Union([Type.Literal('auto'), Type.Literal('fast'), Type.Literal('portable')], {
      default: 'auto',
      description:
        'how packets move: fast is batched system calls and native crypto (Linux), portable works anywhere at about five times the CPU; auto: fast where it works',
    }),
    rtc: Type.Object(
      {
        udp_port: Port(10_000, 'UDP port of all clients; 0 takes a free one'),
        bind_address: Type.String({ default: '0.0.0.0', description: 'address the media port listens on' }),
        node_ip: Type.Array(Type.String(), {
          default: [],
          description: 'addresses announced to clients; empty: those of the interfaces, or found by STUN',
        }),
        use_external_ip: Type.Boolean({
          default: false,
          description: 'ask stun_servers for the public address and announce it (for machines behind 1:1 NAT)',
        }),
        stun_servers: Type.Array(Type.String(), {
          default: [],
          description:
            'host:port of STUN servers (port 3478 if left out) asked when use_external_ip is on; the first to answer counts',
        }),
        ice_timeout_ms: Type.Integer({
          minimum: 5_000,
          default: 30_000,
          description: 'ms without a valid packet after which an endpoint is gone (consent freshness, RFC 7675)',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    octo: Type.Object(
      {
        port: Port(4096, 'UDP port of the links to other bridges; 0 takes a free one'),
        bind_address: Type.String({ default: '0.0.0.0', description: 'address the Octo port listens on' }),
        address: Type.String({
          default: '',
          description: 'address other bridges reach the Octo port at; empty: the first announced media address',
        }),
        playout_budget_ms: Type.Integer({
          minimum: 20,
          maximum: 1_000,
          default: 100,
          description:
            'ms that a repaired packet may be late for the playout buffers of the participants; links that take longer to repeat one send parity too',
        }),
        fec_share_max: Type.Number({
          minimum: 0,
          maximum: 0.5,
          default: 0.25,
          description:
            "most of a link's bytes that may be parity (forward error correction), over a second; 0 turns it off",
        }),
        advertised_port: Port(
          0,
          'port other bridges reach the Octo port at, where NAT or a port mapping makes it another one; what this bridge sends must leave from there too; 0: octo.port',
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    control: Type.Object(
      {
        port: Port(9090, 'TCP port of the private control API and /metrics; 0 takes a free one'),
        bind_address: Type.String({
          default: '127.0.0.1',
          description: 'address the control API listens on; keep it on a private network',
        }),
        url: Type.String({
          default: '',
          description: 'URL at which a focus reaches this bridge; empty: http://bind_address:port',
        }),
        secret: Type.String({
          secret: true,
          default: '',
          description: 'secret shared by focus and bridges, at least 32 characters; empty only in development',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    focus: Type.Object(
      {
        urls: Type.Array(Type.String({ pattern: '^https?://' }), {
          default: ['http://127.0.0.1:7880'],
          description: 'every focus this bridge registers with',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    drain: Type.Object(
      {
        deadline_seconds: Type.Integer({
          minimum: 0,
          maximum: DRAIN_SECONDS_MAX,
          default: 25,
          description:
            'after SIGTERM participants are moved to other bridges for so long, then the process ends; less than the 30 s after which Kubernetes kills. 0: it ends at once',
        }),
        mode: Type.Union([Type.Literal('move'), Type.Literal('wait')], {
          default: 'move',
          description:
            'what becomes of participants after SIGTERM: move takes them to other bridges, wait lets them leave by themselves',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    limits: Type.Object(
      {
        cpu: Type.Number({
          exclusiveMinimum: 0,
          default: 0.9,
          description: "share of one core at which the bridge calls itself full (JVB's threshold)",
        }),
        packets_per_second: Type.Integer({
          minimum: 1_000,
          default: 150_000,
          description:
            'packets in and out, links included, at which the bridge calls itself full; a core of a server does more on the fast datapath, and cpu tells where it does less',
        }),
        bits_per_second: Type.Integer({
          minimum: 0,
          default: 0,
          description:
            'bits in or out, whichever is more, at which the bridge calls itself full; 0: not known. Set it where the line is metered or thin',
        }),
        tracks: Type.Integer({
          minimum: 0,
          default: 0,
          description: 'tracks published here at which the bridge calls itself full; 0: the other limits tell',
        }),
        event_loop_delay_ms: Type.Number({
          exclusiveMinimum: 0,
          default: 50,
          description:
            'median lateness of its timers at which the bridge calls itself full: media waits as long, and 50 ms is heard',
        }),
        endpoints: Type.Integer({
          minimum: 1,
          default: 1_000,
          description: 'endpoints at which further ones are refused',
        }),
        conferences: Type.Integer({
          minimum: 1,
          default: 1_000,
          description: 'conferences at which further ones are refused',
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
export type BridgeConfig = Static<typeof BridgeConfigSchema>;

/** HMAC-SHA-256 is as strong as its key up to 32 bytes. */
const SECRET_LENGTH_MIN = 32;

/**
 * The checked, deeply frozen configuration. In development an empty `control.secret` becomes the well-known one. Throws ConfigurationError with every
 * problem, also those no schema can say.
 */
export function readBridgeConfig(sources: ConfigurationSources): BridgeConfig {
  const config = readConfiguration(BridgeConfigSchema, sources);
  const problems = [...secretProblems(config), ...addressProblems(config), ...stunProblems(config)];
  if (problems.length > 0) throw new ConfigurationError(problems);
  if (!config.development) return config;
  const secret = config.control.secret || DEVELOPMENT_CONTROL_SECRET;
  return Object.freeze({ ...config, control: Object.freeze({ ...config.control, secret }) });
}

function secretProblems({ development, control: { secret } }: BridgeConfig): string[] {
  if (development || secret.length >= SECRET_LENGTH_MIN) return [];
  const allowed = `${SECRET_LENGTH_MIN} or more, the same for focus and bridges`;
  return [`control.secret has ${secret.length} characters; allowed outside development: ${allowed}`];
}

/** Sockets and candidates take addresses as they are: a name would only fail later, where nobody sees which key it came from. */
function addressProblems({ rtc, octo, control }: BridgeConfig): string[] {
  const announced: [key: string, address: string][] = rtc.node_ip.map((address, index) => [
    `rtc.node_ip[${index}]`,
    address,
  ]);
  if (octo.address !== '') announced.push(['octo.address', octo.address]);
  const bound = [
    ['rtc.bind_address', rtc.bind_address],
    ['octo.bind_address', octo.bind_address],
  ] as const;
  const problems: string[] = [];
  for (const [key, address] of announced) {
    if (isReachable(address)) continue;
    problems.push(`${key} is ${JSON.stringify(address)}; allowed: an IP address that others can send to`);
  }
  for (const [key, address] of bound) {
    if (isIP(address) !== 0) continue;
    problems.push(`${key} is ${JSON.stringify(address)}; allowed: an IP address, 0.0.0.0 and :: are all`);
  }
  if (isIP(control.bind_address) === 0 && control.bind_address !== 'localhost') {
    const address = JSON.stringify(control.bind_address);
    problems.push(`control.bind_address is ${address}; allowed: an IP address or localhost`);
  }
  return problems;
}

/** False for the unspecified addresses, and for one with a zone, which means something on this machine only. */
function isReachable(address: string): boolean {
  return isIP(address) !== 0 && !/^[0:.]+$/.test(address) && !address.includes('%');
}

function stunProblems({ rtc: { use_external_ip, stun_servers } }: BridgeConfig): string[] {
  if (use_external_ip && stun_servers.length === 0) {
    return [
      'rtc.use_external_ip is true without rtc.stun_servers; allowed: with at least one host:port to ask, or false with the address in rtc.node_ip',
    ];
  }
  return stun_servers.flatMap((server, index) =>
    isStunServer(server)
      ? []
      : [`rtc.stun_servers[${index}] is ${JSON.stringify(server)}; allowed: host:port, such as stun.example.com:3478`],
  );
}

/** `host`, `host:port` or `[IPv6]:port`, as `askStunServers` reads them. */
function isStunServer(server: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(server);
  if (match === null) return false;
  const [, ipv6, , port = '3478'] = match;
  return (ipv6 === undefined || isIPv6(ipv6)) && Number(port) > 0 && Number(port) <= 0xffff;
}
