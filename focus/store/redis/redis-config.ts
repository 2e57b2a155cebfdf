/** `redis.*` of a focus's configuration: the names that LiveKit's server has for them, and what they mean here. */
import { type Static, Type } from 'typebox';

const refused = (why: string) => Type.Optional(Type.Unknown({ refused: why }));
const text = (description: string) => Type.String({ default: '', maxLength: 1024, description });
const secret = (description: string) => Type.String({ default: '', maxLength: 1024, secret: true, description });
const addresses = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { maxItems: 64, default: [], description });
const milliseconds = (byDefault: number, description: string) =>
  Type.Integer({ minimum: 50, maximum: 60_000, default: byDefault, unit: 'ms', description });

export const RedisConfigSchema = Type.Object(
  {
    address: text(
      'host:port of the one Redis that focuses share; without any address the state stays in memory, so there is one focus',
    ),
    username: text('user of the access control list; empty: the default user'),
    password: secret('password of that user'),
    db: Type.Integer({ minimum: 0, maximum: 15, default: 0, description: 'database number; a cluster has only 0' }),
    use_tls: Type.Boolean({ default: false, description: 'the same as tls.enabled' }),
    tls: Type.Object(
      {
        enabled: Type.Boolean({ default: false, description: 'connect by TLS, to Sentinels too' }),
        insecure: Type.Boolean({
          default: false,
          description: "believe any certificate: for a try, never for people's meetings",
        }),
        server_name: text("name that the server's certificate must have; empty: the host of its address"),
        ca_cert_file: text(
          "PEM file of the authority that signed the server's certificate; empty: those of the system",
        ),
        client_cert_file: text("PEM file of this focus's own certificate, where the server asks for one"),
        client_key_file: text('PEM file of the key of that certificate'),
      },
      { additionalProperties: false, default: {} },
    ),
    sentinel_master_name: text('name under which the Sentinels know the master'),
    sentinel_addresses: addresses('host:port of each Sentinel; they say which Redis is the master'),
    sentinel_username: text('user for the Sentinels themselves; empty: the default user'),
    sentinel_password: secret('password for the Sentinels themselves; empty: none'),
    cluster_addresses: addresses('host:port of some nodes of a Redis Cluster; the rest is found through them'),
    max_redirects: Type.Integer({
      minimum: 1,
      maximum: 256,
      default: 32,
      description:
        'how often a command is sent again in a cluster: to where a slot is now, every 100 ms while it moves',
    }),
    dial_timeout: milliseconds(2_000, 'a connection that takes longer to come up is tried anew'),
    read_timeout: milliseconds(3_000, 'an answer that takes longer has failed; a client gives up its join after 15 s'),
    assign_patience_ms: Type.Integer({
      minimum: 50,
      maximum: 10_000,
      default: 500,
      unit: 'ms',
      description:
        'how long a join to a room of this focus waits for the store; then its place is taken without it, and put into it later',
    }),
    key_prefix: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      default: 'causeway',
      description:
        'all keys begin with it in braces, so they are in one slot of a cluster; two networks on one Redis need two',
    }),
    write_timeout: refused('read_timeout covers a command from its sending to its answer'),
    pool_size: refused('there is one connection, which all commands share without waiting for each other'),
    pool_timeout: refused('there is one connection, which all commands share without waiting for each other'),
  },
  { additionalProperties: false, default: {} },
);

export type RedisConfig = Static<typeof RedisConfigSchema>;

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisTls {
  readonly isInsecure: boolean;
  readonly serverName: string | undefined;
  readonly caCertFile: string | undefined;
  readonly clientCertFile: string | undefined;
  readonly clientKeyFile: string | undefined;
}

/** Where the shared store is and how to reach it. */
export interface RedisTarget {
  readonly kind: 'standalone' | 'sentinel' | 'cluster';
  /** One, the Sentinels, or some nodes of the cluster. */
  readonly addresses: RedisAddress[];
  /** Only with Sentinels. */
  readonly masterName: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly db: number;
  readonly tls: RedisTls | undefined;
  readonly redirectsMax: number;
  readonly dialTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly assignPatienceMs: number;
  readonly keyPrefix: string;
  /** How `CLIENT LIST` shows this focus. */
  readonly connectionName: string;
}

const PORT_DEFAULT = { standalone: 6379, sentinel: 26_379, cluster: 6379 } as const;

/** What no schema can say; each problem is one line. */
export function redisProblems(redis: RedisConfig): string[] {
  const problems = addressProblems(redis);
  const named = namedKinds(redis);
  if (named.length > 1) {
    problems.push(`redis has ${named.map(({ key }) => key).join(' and ')}; allowed: one of them`);
  }
  if (redis.sentinel_addresses.length > 0 && redis.sentinel_master_name === '') {
    problems.push(
      'redis.sentinel_master_name is required with redis.sentinel_addresses: the name the Sentinels watch the master by',
    );
  }
  if (redis.sentinel_addresses.length === 0 && redis.sentinel_master_name !== '') {
    problems.push('redis.sentinel_addresses is required with redis.sentinel_master_name: host:port of each Sentinel');
  }
  if (redis.cluster_addresses.length > 0 && redis.db !== 0) {
    problems.push(`redis.db is ${redis.db}; allowed with redis.cluster_addresses: 0, the only one a cluster has`);
  }
  if ((redis.tls.client_cert_file === '') !== (redis.tls.client_key_file === '')) {
    problems.push('redis.tls has only one of client_cert_file and client_key_file; allowed: both or neither');
  }
  return problems;
}

/** Undefined when no address is given: then the state stays in memory. `redisProblems` must have found none. */
export function redisTarget(redis: RedisConfig, focusId: string): RedisTarget | undefined {
  const [named] = namedKinds(redis);
  if (named === undefined) return undefined;
  const { kind, values } = named;
  return {
    kind,
    addresses: values.map(value => parseAddress(value, PORT_DEFAULT[kind])!),
    masterName: redis.sentinel_master_name,
    username: given(redis.username),
    password: given(redis.password),
    sentinelUsername: given(redis.sentinel_username),
    sentinelPassword: given(redis.sentinel_password),
    db: redis.db,
    tls: redis.use_tls || redis.tls.enabled ? tlsOf(redis.tls) : undefined,
    redirectsMax: redis.max_redirects,
    dialTimeoutMs: redis.dial_timeout,
    readTimeoutMs: redis.read_timeout,
    assignPatienceMs: redis.assign_patience_ms,
    keyPrefix: redis.key_prefix,
    connectionName: `causeway-${focusId}`,
  };
}

function namedKinds(redis: RedisConfig): { kind: RedisTarget['kind']; key: string; values: readonly string[] }[] {
  return [
    { kind: 'standalone' as const, key: 'address', values: redis.address === '' ? [] : [redis.address] },
    { kind: 'sentinel' as const, key: 'sentinel_addresses', values: redis.sentinel_addresses },
    { kind: 'cluster' as const, key: 'cluster_addresses', values: redis.cluster_addresses },
  ].filter(({ values }) => values.length > 0);
}

function addressProblems(redis: RedisConfig): string[] {
  return namedKinds(redis).flatMap(({ key, values }) =>
    values.flatMap((value, index) => {
      if (parseAddress(value, 1) !== undefined) return [];
      const name = key === 'address' ? key : `${key}[${index}]`;
      return [`redis.${name} is ${JSON.stringify(value)}; allowed: host:port such as redis:6379 or [2001:db8::1]:6379`];
    }),
  );
}

function parseAddress(value: string, portDefault: number): RedisAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]@]+))(?::(\d{1,5}))?$/.exec(value);
  if (match === null) return undefined;
  const port = match[3] === undefined ? portDefault : Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2]!, port } : undefined;
}

function tlsOf(tls: RedisConfig['tls']): RedisTls {
  return {
    isInsecure: tls.insecure,
    serverName: given(tls.server_name),
    caCertFile: given(tls.ca_cert_file),
    clientCertFile: given(tls.client_cert_file),
    clientKeyFile: given(tls.client_key_file),
  };
}

function given(value: string): string | undefined {
  return value === '' ? undefined : value;
}
