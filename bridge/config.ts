/** Configuration of a bridge. Names follow LiveKit's server where it has the setting (`rtc.*`). */
import { type Static, Type } from 'typebox';

const Port = (defaultPort: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: defaultPort, description });

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
    development: Type.Boolean({
      default: false,
      description: 'well-known secrets are accepted and loopback is announced; never on a public machine',
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
          description: 'host:port of STUN servers asked when use_external_ip is on; the first to answer counts',
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
    limits: Type.Object(
      {
        cpu: Type.Number({
          exclusiveMinimum: 0,
          default: 0.9,
          description: "share of one core at which the bridge calls itself full (JVB's threshold)",
        }),
        packets_per_second: Type.Integer({
          minimum: 1_000,
          default: 50_000,
          description: 'packets in and out, links included, at which the bridge calls itself full',
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
