import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { readBridgeConfig } from '../../bridge/config.ts';
import { type RunningBridge, startBridge } from '../../bridge/service.ts';
import { readFocusConfig } from '../../focus/config.ts';
import { type RunningFocus, startFocus } from '../../focus/service.ts';
import { readGeoProxyConfig } from '../../geo-proxy/config.ts';
import { type RunningGeoProxy, startGeoProxy } from '../../geo-proxy/service.ts';
import { type BridgePorts, type LayoutOptions, layOut } from './layout.ts';
import { namePort } from './port-in-use.ts';

export interface NetworkOptions extends Partial<LayoutOptions> {
  /** Address of the geo-proxy and the focus, 127.0.0.1 unless said otherwise. Control and Octo never leave loopback. */
  readonly bindAddress?: string;
  /** Ports at which bridges tell each other to find them, in the order of the layout, where something stands between them; else the Octo ports. */
  readonly octoAdvertisedPorts?: readonly number[] | undefined;
  /** Keys of the focus's configuration that differ from its defaults, by dotted path. */
  readonly focus?: Readonly<Record<string, unknown>>;
}

/** A network in this process: every service as it runs alone, on loopback, in development mode. */
export interface Network {
  /** The meeting page, `http://localhost:PORT/`. SDKs connect to the same with ws: for http:, `region/NAME` behind it to be in NAME. */
  readonly pageUrl: string;
  /** The focus itself, past the geo-proxy. */
  readonly focusUrl: string;
  /** API key and its secret, to sign tokens with. */
  readonly key: string;
  readonly secret: string;
  readonly regions: readonly string[];
  readonly bridges: readonly RunningBridge[];
  /** The bridges that the focus has not heard of yet; empty once all are ready for participants. */
  readonly unregistered: readonly string[];
  /** Ends all of it: clients get a leave message, then sockets close. */
  close(): Promise<void>;
}

/** API key and secret of LiveKit's development mode. */
const DEVELOPMENT_KEY = { key: 'devkey', secret: 'secret' };

/** Roughly where cloud providers have them: Frankfurt, Virginia, Singapore. Regions of other names have no place on the map. */
const COORDINATES: Readonly<Record<string, { lat: number; lon: number } | undefined>> = {
  eu: { lat: 50.1, lon: 8.7 },
  us: { lat: 39, lon: -77.5 },
  ap: { lat: 1.35, lon: 103.8 },
};

const LOOPBACK = '127.0.0.1';
const REGISTRATION_MS_MAX = 2_500;
const REGISTRATION_POLL_MS = 20;

/**
 * Starts a network and resolves when its bridges are registered, at the latest after 2.5 s. Rejects with a PortInUseError, or with what
 * else the service said, after everything that had started is closed again.
 */
export async function startNetwork(
  options: NetworkOptions = {},
  log: Logger = pino({ level: 'silent' }),
): Promise<Network> {
  const regions = options.regions ?? ['eu', 'us', 'ap'];
  const layout = layOut({ regions, bridgesPerRegion: options.bridgesPerRegion ?? 1, portBase: options.portBase });
  const bindAddress = options.bindAddress ?? LOOPBACK;
  const secret = randomBytes(32).toString('hex');
  const located = regions.map(name => ({ name, ...COORDINATES[name] }));
  const focus = await namePort('focus', { '': layout.focusPort }, () =>
    startFocus(
      focusConfig(layout.focusPort, bindAddress, located, secret, options.focus),
      log.child({ service: 'focus' }),
    ),
  );
  const starting = {
    geoProxy: namePort('geo-proxy', { '': layout.geoProxyPort }, () =>
      startGeoProxy(
        geoProxyConfig(layout.geoProxyPort, bindAddress, located, focus.url),
        log.child({ service: 'geo-proxy' }),
      ),
    ),
    bridges: layout.bridges.map((ports, index) =>
      startOneBridge(
        { ...ports, octoAdvertisedPort: options.octoAdvertisedPorts?.[index] ?? 0 },
        layout.bridges.length,
        focus.url,
        secret,
        log,
      ),
    ),
  };
  const [geoProxy, ...bridges] = await Promise.allSettled([starting.geoProxy, ...starting.bridges]);
  const running = bridges.filter(result => result.status === 'fulfilled').map(result => result.value);
  const failed = [geoProxy, ...bridges].find(result => result.status === 'rejected');
  if (failed !== undefined || geoProxy.status === 'rejected') {
    await closeAll(focus, running, geoProxy.status === 'fulfilled' ? geoProxy.value : undefined);
    throw failed?.reason;
  }
  // One that was drained to its end stops; in a process of its own that would end with it.
  for (const bridge of running) void bridge.drained.then(() => bridge.close());
  const unregistered = await awaitRegistrations(running);
  return {
    pageUrl: `http://localhost:${new URL(geoProxy.value.url).port}/`,
    focusUrl: focus.url,
    ...DEVELOPMENT_KEY,
    regions,
    bridges: running,
    unregistered,
    close: () => closeAll(focus, running, geoProxy.value),
  };
}

type LocatedRegion = { readonly name: string; readonly lat?: number; readonly lon?: number };

function focusConfig(
  port: number,
  bindAddress: string,
  regions: readonly LocatedRegion[],
  secret: string,
  others: NetworkOptions['focus'] = {},
) {
  const flags = {
    port,
    bind_addresses: [bindAddress],
    development: true,
    keys: { [DEVELOPMENT_KEY.key]: DEVELOPMENT_KEY.secret },
    region: regions[0]!.name,
    regions,
    'control.secret': secret,
    ...others,
  };
  return readFocusConfig({ env: {}, flags });
}

function geoProxyConfig(port: number, bindAddress: string, regions: readonly LocatedRegion[], focusUrl: string) {
  const served = regions.map(region => ({ ...region, focus: focusUrl }));
  return readGeoProxyConfig({
    env: {},
    flags: { port, bind_addresses: [bindAddress], development: true, regions: served },
  });
}

function startOneBridge(
  ports: BridgePorts & { readonly octoAdvertisedPort: number },
  bridges: number,
  focusUrl: string,
  secret: string,
  log: Logger,
): Promise<RunningBridge> {
  const flags = {
    bridge_id: ports.bridgeId,
    region: ports.region,
    // As if each region had one machine: bridges of one region are neighbours, those of two are not.
    host: ports.region,
    development: true,
    'rtc.udp_port': ports.mediaPort,
    'octo.port': ports.octoPort,
    'octo.bind_address': LOOPBACK,
    'octo.address': LOOPBACK,
    'octo.advertised_port': ports.octoAdvertisedPort,
    'control.port': ports.controlPort,
    'control.bind_address': LOOPBACK,
    'control.secret': secret,
    'focus.urls': [focusUrl],
    // All share one thread and each would report the whole of it: together they are full when it is.
    'limits.cpu': 0.9 * bridges,
  };
  const config = readBridgeConfig({ env: {}, flags });
  const purposes = { control: ports.controlPort, media: ports.mediaPort, Octo: ports.octoPort };
  return namePort(`bridge ${ports.bridgeId}`, purposes, () =>
    startBridge(config, log.child({ service: `bridge ${ports.bridgeId}` })),
  );
}

/** The bridges that no focus has heard of when time is up. */
async function awaitRegistrations(bridges: readonly RunningBridge[]): Promise<string[]> {
  const deadlineMs = performance.now() + REGISTRATION_MS_MAX;
  for (;;) {
    const missing = bridges.filter(bridge => !bridge.isRegistered).map(bridge => bridge.bridgeId);
    if (missing.length === 0 || performance.now() >= deadlineMs) return missing;
    await wait(REGISTRATION_POLL_MS);
  }
}

/** The focus first: it says goodbye to clients, over the geo-proxy. */
async function closeAll(
  focus: RunningFocus,
  bridges: readonly RunningBridge[],
  geoProxy: RunningGeoProxy | undefined,
): Promise<void> {
  await focus.close();
  await Promise.all([...bridges.map(bridge => bridge.close()), geoProxy?.close()]);
}
