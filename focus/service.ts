/** One focus, put together: everything it consists of is made here, in the order it depends on each other. */
import { randomBytes } from 'node:crypto';
import websocket from '@fastify/websocket';
import { type FastifyBaseLogger, fastify } from 'fastify';
import type { Logger } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import { registerApi } from './api/register-api.ts';
import type { Random } from './conference/random.ts';
import type { RoomProperties, RoomSettings } from './conference/room.ts';
import { createRooms } from './conference/room-operations.ts';
import { RoomSnapshots } from './conference/snapshot/room-snapshots.ts';
import type { FocusConfig } from './config.ts';
import { errorBody, FocusError } from './errors.ts';
import { advertisedUrl } from './io/advertised-url.ts';
import { runBridgeDrains } from './io/bridge-drains.ts';
import { BridgeLinks } from './io/bridge-links.ts';
import { runBridgeRedistribution } from './io/bridge-redistribution.ts';
import { watchBridges } from './io/bridge-watch.ts';
import { createAddressFinder } from './io/client-address.ts';
import { ConferenceHost } from './io/conference-host.ts';
import { createHttpPlacement } from './io/http-placement-service.ts';
import { listenOn } from './io/listeners.ts';
import { openStore } from './io/open-store.ts';
import { registerPathsRoute } from './io/paths-route.ts';
import { createPeerMetrics } from './io/peer-metrics.ts';
import { PeerNetwork } from './io/peer-network.ts';
import { createRegionFinder } from './io/region-finder.ts';
import { createRestorer } from './io/restorer.ts';
import type { SessionOpenerOptions } from './io/session-opener.ts';
import { registerSignalRoutes } from './io/signal-routes.ts';
import { SnapshotWriter } from './io/snapshot-writer.ts';
import { createTokenKeySource } from './io/token-key-source.ts';
import { createWebhookSender } from './io/webhook-sender.ts';
import { type LimitSettings, Limits } from './limits/limits.ts';
import { createFocusMetrics } from './metrics.ts';
import { MESSAGE_BYTES_MAX } from './peers/frames.ts';
import { createPlacements } from './placement/placements.ts';
import { createRegionDistances } from './placement/region-distance.ts';
import { Revocations } from './signal/revocations.ts';
import { registerWeb } from './web/register-web.ts';

export interface RunningFocus {
  /** Where it listens, `http://address:port`; 127.0.0.1 when it listens everywhere. */
  readonly url: string;
  /** For tests of what is left behind. */
  readonly host: ConferenceHost;
  /** Gives its rooms and clients to other focuses, for `peers.drain_timeout_ms` at most, and closes. Where it is the only one it closes at once. */
  leave(): Promise<void>;
  /** Tells every client to leave, and ends within two seconds. */
  close(): Promise<void>;
  /** Resolves when what its rooms have to say is in the store. */
  settled(): Promise<void>;
  /** Ends as a process does that is killed: everything at once, nobody is told, the store keeps what it has. For tests of what others do then. */
  kill(): Promise<void>;
}

/** Of a request's headers: a join request with an offer in it is part of the URL. LiveKit's server allows 1 MiB. */
const HEADER_BYTES_MAX = 1 << 20;
/** The last events are those of the rooms that end with the focus. */
const WEBHOOKS_WAIT_MS = 500;
/** Sockets that have not closed by themselves so long after everybody was told to leave are cut. */
const GOODBYE_MS = 500;

/** Rejects with the system's error (EADDRINUSE, …) when it cannot listen. `open` opens the store that the configuration asks for. */
export async function startFocus(config: FocusConfig, log: Logger, open = openStore): Promise<RunningFocus> {
  const nowMs = () => Date.now();
  const random: Random = { uint32: () => randomBytes(4).readUInt32BE() };
  const metrics = createFocusMetrics({ focus: config.focus_id });
  const shared = await open(config, { registry: metrics.registry, log, random, nowMs });
  const { store } = shared;
  const keys = await createTokenKeySource({ config, registry: metrics.registry, log });
  const webhooks = createWebhookSender({
    config: config.webhook,
    keys,
    registry: metrics.registry,
    log,
    random,
    nowMs,
  });
  const limits = new Limits({ settings: limitSettings(config), metrics, nowMs: nowMs() });
  const distances = createRegionDistances(config.regions);
  const placements = createPlacements({
    store,
    settings: config.placement,
    distances,
    focusId: config.focus_id,
    metrics,
    isSuspected: bridgeId => links.health.isSuspected(bridgeId),
    service: createHttpPlacement({ settings: config.placement, bridges: () => bridges.bridges(), log, nowMs }),
    uint32: random.uint32,
  });
  const regions = await createRegionFinder(config, metrics);
  const links = new BridgeLinks({
    focusId: config.focus_id,
    secret: config.control.secret,
    timing: config.bridges,
    metrics,
    log,
    nowMs,
  });
  const bridges = watchBridges({
    store,
    metrics,
    listener: links,
    isVouchedFor: bridgeId => links.health.isVouchedFor(bridgeId),
    nowMs,
  });
  const revocations = new Revocations();
  const peerMetrics = createPeerMetrics(metrics.registry, () => snapshots.tooLong);
  const snapshots: SnapshotWriter = new SnapshotWriter({
    store,
    follow: room => new RoomSnapshots(room),
    onLost: room => {
      peerMetrics.roomsLost.inc();
      host.dropRoom(room);
    },
    metrics: peerMetrics,
    log,
  });
  const host: ConferenceHost = new ConferenceHost({
    focusId: config.focus_id,
    settings: roomSettings(config),
    properties: roomProperties(config),
    roomNameCharactersMax: config.limit.max_room_name_length,
    isAutoCreated: config.room.auto_create,
    revocations,
    store,
    links,
    placements,
    bridges,
    distances,
    metrics,
    onNotice: notice => {
      limits.handleNotice(notice);
      webhooks.notify(notice);
    },
    onChanged: room => snapshots.note(room),
    onEnded: room => {
      snapshots.forget(room);
      limits.usage.forget(
        room.identity.sid,
        [...room.participants.values()].map(({ sid }) => sid),
      );
    },
    onHeldUp: () => peers.checkOwnership(),
    log,
    random,
    nowMs,
  });

  const drains = runBridgeDrains({
    bridges: () => bridges.bridges(),
    rooms: () => host.rooms(),
    mover: host.mover,
    registry: metrics.registry,
    log,
    nowMs,
  });

  const sessions: SessionOpenerOptions = {
    host,
    placements,
    store,
    keys,
    tokenLifetimeSeconds: config.signal.token_lifetime,
    stickySecret: config.control.secret,
    limits,
    metrics,
    log,
    random,
  };
  const redistribution = runBridgeRedistribution({
    settings: config.redistribution,
    placement: config.placement,
    store,
    rooms: () => host.rooms(),
    mover: host.mover,
    isSuspected: bridgeId => links.health.isSuspected(bridgeId),
    registry: metrics.registry,
    log,
    nowMs,
  });

  let isClosing = false;
  const bootId = randomBytes(8).toString('hex');
  const peers = new PeerNetwork({
    focusId: config.focus_id,
    bootId,
    secret: config.control.secret,
    callTimeoutMs: config.peers.call_timeout_ms,
    sessions,
    local: createRooms(host),
    snapshots,
    drainTimeoutMs: config.peers.drain_timeout_ms,
    drainNoticeMs: config.peers.drain_notice_ms,
    restore: createRestorer(host, random, log),
    metrics: peerMetrics,
    log,
    nowMs,
    drainProgress: bridgeId => drains.progress(bridgeId),
    isClosing: () => isClosing,
  });

  const app = fastify({
    // Fastify's own chatter about requests and listening is for debugging.
    loggerInstance: log.child(
      {},
      { level: log.level === 'info' ? 'warn' : log.level, serializers: { req: withoutQuery } },
    ) as FastifyBaseLogger,
    bodyLimit: config.limit.max_api_request_body_size,
    connectionTimeout: config.limit.idle_socket_timeout_ms,
    http: { maxHeaderSize: HEADER_BYTES_MAX },
    routerOptions: { maxParamLength: 1024, ignoreDuplicateSlashes: true },
  });
  // Fastify's own answer repeats the query, and with it a browser's token, to the log.
  app.setNotFoundHandler((_request, reply) => {
    const error = new FocusError('route-not-found');
    return reply.code(error.status).send(errorBody(error));
  });
  // One limit for all routes: that of clients is kept by their sockets where it is lower than what focuses send each other.
  const frameBytesMax = config.limit.signal_message_size_limit;
  await app.register(websocket, {
    options: { maxPayload: Math.max(frameBytesMax, MESSAGE_BYTES_MAX), perMessageDeflate: false },
  });
  await registerApi(app, {
    config,
    keys,
    limits,
    rooms: peers.rooms,
    network: peers.view(),
    store,
    placements,
    bridges,
    health: links.health,
    redistribution: () => redistribution.view(),
    drainProgress: bridgeIds => peers.operators.drainProgress(bridgeIds),
    askBridge: (bridgeId, method, path, body) => links.ask(bridgeId, method, path, body),
    moveParticipant: order => peers.operators.moveParticipant(order),
    metrics,
    nowMs,
    version: packageJson.version,
  });
  await registerPathsRoute(app, { keys, paths: (room, identity) => peers.paths(room, identity), nowMs });
  await app.register(async scope => peers.register(scope));
  const isOpen = (room: string) => host.room(room) !== undefined || peers.isRelayed(room);
  await app.register(async scope =>
    registerSignalRoutes(scope, {
      rules: {
        keys,
        settings: host.settings,
        roomNameCharactersMax: config.limit.max_room_name_length,
        identityCharactersMax: config.limit.max_participant_identity_length,
        isAutoCreated: config.room.auto_create,
        hasRoom: async name => isOpen(name) || (await store.conference(name)) !== undefined,
        revocations,
      },
      router: peers.router,
      limits,
      isOpen,
      socket: {
        metrics,
        frameBytesMax,
        pingIntervalMs: Math.max(1, config.signal.ping_interval) * 1000,
        silenceTimeoutMs: Math.max(1, config.signal.ping_timeout) * 1000,
        nowMs,
      },
      regions,
      metrics,
      addressOf: createAddressFinder(config.trusted_proxies),
      log,
      nowMs,
      isClosing: () => isClosing || peers.drain.isRefusing,
    }),
  );
  await registerWeb(app, {
    development: config.development,
    regions: config.regions.map(({ name }) => name),
    keys: config.keys,
  });

  async function stop(): Promise<void> {
    isClosing = true;
    drains.close();
    redistribution.close();
    bridges.close();
    try {
      await host.close();
      snapshots.close();
      peers.close();
    } catch (error) {
      log.warn({ error: String(error) }, 'what this focus had in the store was not given back: it ends with its lease');
    } finally {
      await webhooks.close(WEBHOOKS_WAIT_MS);
      keys.close();
      await shared.close();
    }
  }

  try {
    const { bind_addresses: addresses, port } = config;
    const idleTimeoutMs = config.limit.idle_socket_timeout_ms;
    const listeners = await listenOn(app, { addresses, port, headerBytesMax: HEADER_BYTES_MAX, idleTimeoutMs });
    const { url } = listeners;
    await peers.start({
      focusId: config.focus_id,
      bootId,
      url: advertisedUrl(config, url),
      region: config.region,
      version: packageJson.version,
      state: 'running',
      startedAtMs: nowMs(),
    });
    log.info({ url, region: config.region }, 'focus is up');
    let closing: Promise<void> | undefined;
    const closeOnce = async () => {
      peers.drain.stop();
      await stop();
      await listeners.close(GOODBYE_MS);
    };
    const close = () => {
      closing ??= closeOnce();
      return closing;
    };
    const leave = async () => {
      await peers.drain.drain(config.peers.drain_timeout_ms);
      await close();
    };
    const kill = async () => {
      isClosing = true;
      bridges.close();
      host.abandon();
      snapshots.close();
      peers.close();
      keys.close();
      await Promise.all([listeners.close(0), shared.close()]);
    };
    const settled = async () => {
      for (const room of host.rooms()) await snapshots.flush(room);
    };
    return { url, host, leave, close, settled, kill };
  } catch (error) {
    await stop();
    await app.close();
    throw error;
  }
}

function roomSettings(config: FocusConfig): RoomSettings {
  return {
    pendingTracksMax: config.signal.pending_tracks_max,
    metadataBytesMax: config.limit.max_metadata_size,
    attributesBytesMax: config.limit.max_attributes_size,
    nameCharactersMax: config.limit.max_participant_name_length,
    isRemoteUnmuteAllowed: config.room.enable_remote_unmute,
    resumeTimeoutMs: config.signal.resume_timeout_ms,
    handshakeTimeoutMs: config.signal.handshake_timeout_ms,
    tokenIntervalMs: config.signal.token_refresh_interval * 1000,
    pingIntervalSeconds: config.signal.ping_interval,
    pingTimeoutSeconds: config.signal.ping_timeout,
    version: packageJson.version,
  };
}

function limitSettings({ limit, signal }: FocusConfig): LimitSettings {
  return {
    joinsPerSecond: signal.joins_per_second,
    joinsPerSecondPerAddress: limit.joins_per_second_per_address,
    joinsPerSecondPerKey: limit.joins_per_second_per_key,
    roomsPerKey: limit.rooms_per_key,
    participantsPerKey: limit.participants_per_key,
  };
}

function roomProperties({ room }: FocusConfig): RoomProperties {
  return {
    emptyTimeoutSeconds: room.empty_timeout,
    departureTimeoutSeconds: room.departure_timeout,
    participantsMax: room.max_participants,
    metadata: '',
    placement: null,
  };
}

/** A request as the log may show it: browsers carry their token in the query. */
function withoutQuery(request: { readonly method: string; readonly url: string }): { method: string; path: string } {
  return { method: request.method, path: request.url.split('?', 1)[0] };
}
