/** Every key of a focus's configuration, with its limits, default, unit and reason. LiveKit's server's names where it has the setting. */
import { type TSchema, Type } from 'typebox';
import { ALGORITHMS, POLICY_KINDS, SORT_KEYS } from './placement/policy.ts';
import { PlacementServiceSchema } from './placement/service-config.ts';
import { RedisConfigSchema } from './store/redis/redis-config.ts';

const group = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false, default: {} });
const refused = (why: string) => Type.Optional(Type.Unknown({ refused: why }));
const milliseconds = (byDefault: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: byDefault, unit: 'ms', description });
const seconds = (byDefault: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 86_400, default: byDefault, unit: 's', description });
const bytes = (byDefault: number, maximum: number, description: string) =>
  Type.Integer({ minimum: 1, maximum, default: byDefault, unit: 'bytes', description });
const characters = (byDefault: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 1024, default: byDefault, unit: 'characters', description });
const oneOf = <const V extends readonly string[]>(values: V, description: string) =>
  Type.Union(
    values.map(value => Type.Literal(value as V[number])),
    { default: values[0], description },
  );
const count = (description: string) => Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0, description });
const regionName = { pattern: '^[a-z0-9-]{1,32}$' };

const RegionSchema = Type.Object(
  {
    name: Type.String(regionName),
    lat: Type.Optional(Type.Number({ minimum: -90, maximum: 90, unit: 'degrees' })),
    lon: Type.Optional(Type.Number({ minimum: -180, maximum: 180, unit: 'degrees' })),
  },
  { additionalProperties: false },
);

const JwksSchema = Type.Object(
  {
    issuer: Type.String({ minLength: 1, maxLength: 512 }),
    url: Type.String({ pattern: '^https?://', maxLength: 2048 }),
    audience: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  },
  { additionalProperties: false },
);

export const FocusConfigSchema = Type.Object(
  {
    focus_id: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      default: 'focus-1',
      description:
        'name of this focus, unique in the network: it owns the conferences it opened, and bridges know it by this name',
    }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 7880,
      description:
        "TCP port of clients, the server API and bridges; 0 takes a free one. LiveKit's default, so SDKs and lk work as they come",
    }),
    bind_addresses: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 16,
      default: ['0.0.0.0'],
      description: 'addresses the port listens on: clients and bridges come from anywhere',
    }),
    development: Type.Boolean({
      default: false,
      description:
        'the key devkey/secret and a well-known control secret are accepted, and /v1/dev/token is served; never on a public machine',
    }),
    keys: Type.Record(
      Type.String({ pattern: '^[^\\s]{1,128}$' }),
      Type.String({ minLength: 1, maxLength: 1024, secret: true }),
      {
        default: {},
        description: 'API key to secret, at least one; 32 characters or more for a secret outside development',
      },
    ),
    key_file: Type.String({
      default: '',
      description: 'YAML file with more API keys (key: secret), read again when it changes; not readable by others',
    }),
    key_file_interval_ms: milliseconds(
      5_000,
      100,
      3_600_000,
      'the key file is looked at this often: a key is in use, or out of it, that long after the file says so',
    ),
    jwks: Type.Array(JwksSchema, {
      maxItems: 64,
      default: [],
      description: 'issuers whose tokens are accepted as well, signed RS256 or ES256 with a key of their JWKS',
    }),
    region: Type.String({
      ...regionName,
      default: 'default',
      description: 'region of this focus: that of a client whose own cannot be found out',
    }),
    regions: Type.Array(RegionSchema, {
      maxItems: 256,
      default: [],
      description:
        'regions of the network with their coordinates; the nearest stands in for one without a usable bridge',
    }),
    region_header: Type.String({
      pattern: '^[a-z0-9-]{1,64}$',
      default: 'x-region',
      description: "header in which geo-proxy or a load balancer says the client's region",
    }),
    trusted_proxies: Type.Array(Type.String(), {
      maxItems: 256,
      default: ['127.0.0.0/8', '::1/128'],
      description:
        'addresses and CIDR ranges whose region header and X-Forwarded-For are believed; loopback: a proxy on this machine',
    }),
    geoip: group({
      database: Type.String({
        default: '',
        description:
          'path of a MaxMind-format city database, for clients that come without a region header; empty: no look-up',
      }),
    }),
    room: group({
      auto_create: Type.Boolean({
        default: true,
        description: 'the first to join a room creates it; false: CreateRoom must',
      }),
      empty_timeout: seconds(300, 'an empty room that nobody has joined yet is kept for so long'),
      departure_timeout: seconds(
        20,
        'a room is kept for so long after the last has left, for those who come straight back',
      ),
      max_participants: Type.Integer({
        minimum: 0,
        maximum: 100_000,
        default: 0,
        description: 'participants of one room, 0: no limit',
      }),
      enable_remote_unmute: Type.Boolean({
        default: false,
        description: "the server API may unmute; off, since a microphone opens only by its owner's hand",
      }),
    }),
    limit: group({
      max_metadata_size: bytes(524_288, 16_777_216, "metadata of a room or participant, as LiveKit's default"),
      max_attributes_size: bytes(65_536, 16_777_216, 'all attributes of a participant together'),
      max_room_name_length: characters(256, 'room names are index keys and go into every log line'),
      max_participant_identity_length: characters(256, 'as room names; also stamped on each data message'),
      max_participant_name_length: characters(256, 'a display name'),
      signal_message_size_limit: bytes(
        2_097_152,
        67_108_864,
        'largest signalling frame of a client; an offer is some 20 kB',
      ),
      max_api_request_body_size: bytes(10_485_760, 104_857_600, 'largest body of an HTTP request'),
      joins_per_second_per_address: Type.Number({
        minimum: 0,
        maximum: 100_000,
        default: 50,
        description:
          'joins from one client address (an IPv6 /64 is one), 0: no limit; an office behind one address joins together. A trusted proxy without X-Forwarded-For is not limited',
      }),
      joins_per_second_per_key: Type.Number({
        minimum: 0,
        maximum: 100_000,
        default: 0,
        description: 'joins with tokens of one API key, 0: no limit',
      }),
      rooms_per_key: count('rooms on this focus opened with tokens of one API key, 0: no limit'),
      participants_per_key: count('participants on this focus with tokens of one API key, 0: no limit'),
      idle_socket_timeout_ms: milliseconds(
        60_000,
        1_000,
        3_600_000,
        'a connection on which nothing moves for so long is closed; signalling sockets have signal.ping_timeout instead',
      ),
    }),
    signal: group({
      ping_interval: seconds(5, 'clients are told to ping this often, so that a dead socket shows'),
      ping_timeout: seconds(15, 'clients without an answer for so long reconnect'),
      resume_timeout_ms: milliseconds(
        15_000,
        0,
        300_000,
        'a participant whose socket dropped keeps its place and media for so long; SDKs try again for about 10 s',
      ),
      handshake_timeout_ms: milliseconds(
        15_000,
        1_000,
        120_000,
        'a participant whose media does not connect by then is sent away; SDKs give up at 15 s',
      ),
      joins_per_second: Type.Number({
        exclusiveMinimum: 0,
        maximum: 100_000,
        default: 100,
        description: 'joins of all clients together; more are refused, since a join costs far more than a packet',
      }),
      pending_tracks_max: Type.Integer({
        minimum: 1,
        maximum: 64,
        default: 20,
        description: 'tracks a participant has announced and not yet negotiated',
      }),
      token_refresh_interval: seconds(300, 'connected clients get a fresh token this often, to come back with'),
      token_lifetime: seconds(600, 'a refreshed token is good for so long'),
    }),
    control: group({
      secret: Type.String({
        default: '',
        secret: true,
        description: 'shared by focus and bridges, at least 32 characters; empty only in development',
      }),
    }),
    peers: group({
      advertise_url: Type.String({
        pattern: '^(https?://[^/?#@]+)?$',
        maxLength: 2048,
        default: '',
        description:
          'where the other focuses of the network reach this one, e.g. http://10.0.0.7:7880; empty: the first of bind_addresses, or of this machine when that is all of them, and port',
      }),
      call_timeout_ms: milliseconds(2_000, 50, 60_000, 'another focus that takes longer to answer is unavailable'),
      drain_timeout_ms: milliseconds(
        20_000,
        0,
        3_600_000,
        'on SIGTERM and drains, rooms and clients are given to other focuses for so long; orchestrators kill after 30 s',
      ),
      drain_notice_ms: milliseconds(
        3_000,
        0,
        60_000,
        'a drain begins with falling readiness, and goes on serving for so long: load balancers send nobody here by then',
      ),
    }),
    bridges: group({
      request_timeout_ms: milliseconds(2_000, 50, 60_000, 'a request to a bridge that takes longer has failed'),
      retry_delay_ms_min: milliseconds(100, 1, 60_000, 'pause before the first retry; it doubles from there'),
      retry_delay_ms_max: milliseconds(
        2_000,
        1,
        60_000,
        'longest pause between retries: a bridge that returns is used within it',
      ),
      silence_timeout_ms: milliseconds(
        5_000,
        500,
        60_000,
        'an event stream silent for so long is opened anew; bridges report every 2 s',
      ),
      heartbeat_silence_ms: milliseconds(
        600,
        300,
        60_000,
        'a bridge whose event stream is silent for so long gets no new participants; it has a line every 250 ms. With probe_timeout_ms, how soon a frozen bridge is noticed',
      ),
      probe_timeout_ms: milliseconds(
        300,
        50,
        60_000,
        'a silent bridge is asked on its control port; no answer for so long, and no other sign of life, and it is dead',
      ),
    }),
    redistribution: group({
      enabled: Type.Boolean({
        default: false,
        description:
          'participants are moved off bridges that have too much, a few a minute; each move is a short freeze for one',
      }),
      high_stress: Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        default: 0.9,
        description:
          'stress at which a bridge has too much, when it lasts for 10 s; above placement.overload_stress, which only keeps new ones off',
      }),
      low_stress: Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        default: 0.75,
        description:
          'stress below which it has no longer too much, and up to which others may be filled; below high_stress',
      }),
      endpoints_per_minute: Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: 10,
        description: "endpoints moved off one bridge in a minute, by all focuses together; jicofo's",
      }),
      rest_seconds: Type.Integer({
        minimum: 0,
        maximum: 86_400,
        default: 180,
        description: "how long a bridge is left alone after that: its load needs time to show; jicofo's",
      }),
    }),
    placement: group({
      report_age_ms_max: milliseconds(
        5_000,
        500,
        60_000,
        'a bridge is used while its last report is younger; it reports every 2 s',
      ),
      overload_stress: Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        default: 0.8,
        description:
          'stress from which a bridge counts as overloaded; 1 is full, the rest is room for those already there',
      }),
      endpoint_stress: Type.Number({
        minimum: 0,
        maximum: 1,
        default: 0.01,
        description: 'stress one more endpoint is expected to add, until the next report knows',
      }),
      participants_per_bridge_max: Type.Integer({
        minimum: 1,
        maximum: 100_000,
        default: 80,
        description:
          "participants of one conference on one bridge, as jicofo's: beyond it the next bridge shares the conference",
      }),
      kind: oneOf(
        POLICY_KINDS,
        'rule set, as focus/placement/README.md has them: region keeps people near their bridge, single keeps a room on one bridge, ' +
          'least-loaded takes any region, last-used fills one bridge before the next, split spreads each room (for testing), ' +
          'latency makes the round trip between people least, http asks placement.http.url',
      ),
      sort_by: oneOf(
        SORT_KEYS,
        'what least loaded means; stress is the largest of all shares, so it knows of whatever is scarce',
      ),
      algorithm: oneOf(
        ALGORITHMS,
        'lowest compares all bridges that a rule matches; two-choice draws two and takes the lower, for loads that are known late',
      ),
      ramp_up_ms: milliseconds(
        30_000,
        0,
        3_600_000,
        'a bridge that has just started is credited with a growing part of its capacity for so long, 0: with all at once',
      ),
      endpoints_per_bridge_max: Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        default: 0,
        description: 'endpoints of all conferences on one bridge, 0: only the limits of the bridge count',
      }),
      joins_per_minute_max: Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        default: 0,
        description: 'joins to one bridge in a minute before others are preferred, 0: no limit (jicofo runs with 30)',
      }),
      region_groups: Type.Array(Type.Array(Type.String(regionName), { minItems: 2, maxItems: 256 }), {
        maxItems: 256,
        default: [],
        description:
          'regions near enough to each other to stand in before any other does, e.g. [[us-east, us-central]]',
      }),
      hop_ms: Type.Number({
        minimum: 0,
        maximum: 1_000,
        default: 2,
        unit: 'ms',
        description:
          'kind latency: what one more bridge on the way adds to the round trip between two people (queues and pacing of a busy bridge, there and ' +
          'back), and so what an extra bridge in a conference must save; more keeps conferences on fewer bridges',
      }),
      http: PlacementServiceSchema,
    }),
    webhook: group({
      urls: Type.Array(Type.String({ pattern: '^https?://', maxLength: 2048 }), {
        maxItems: 16,
        default: [],
        description: 'each is sent every event of rooms, participants and tracks; none: no webhooks',
      }),
      api_key: Type.String({
        default: '',
        description: 'API key whose secret signs webhooks: receivers verify them with it; required with urls',
      }),
      queue_max: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description: 'events waiting for one URL; further ones are dropped, and the next to arrive says how many',
      }),
      event_age_ms_max: milliseconds(
        600_000,
        1_000,
        86_400_000,
        'an event that could not be delivered by then is dropped',
      ),
      request_timeout_ms: milliseconds(5_000, 50, 60_000, 'a receiver that takes longer has failed this time'),
      retry_delay_ms_min: milliseconds(200, 1, 60_000, 'pause before the first retry; it doubles from there'),
      retry_delay_ms_max: milliseconds(30_000, 1, 3_600_000, 'longest pause between retries'),
    }),
    logging: group({
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
    }),
    redis: RedisConfigSchema,
    rtc: refused("media is the bridges' business: set rtc.* in the configuration of each bridge"),
    turn: refused('there is no TURN server; clients must reach the UDP port of the bridges'),
    node_selector: refused('placement.* has the settings of placement, and regions the coordinates'),
    prometheus_port: refused('metrics are at /metrics of port'),
  },
  { additionalProperties: false },
);
