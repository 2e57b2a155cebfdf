/** Puts one bridge together: ports, packet path, links, control API, clock. `main.ts` starts one per process, `infra/local` several in one. */
import { randomBytes, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import { type BridgeReport, type BridgeState, CONTROL_VERSION } from '../protocol/control/events.ts';
import type { BridgePeer } from '../protocol/control/spec.ts';
import { firstByteKind, RTP } from '../protocol/demux.ts';
import { isMediaFrame, OCTO_VERSION } from '../protocol/octo/header.ts';
import { Bridge } from './bridge.ts';
import type { BridgeConfig } from './config.ts';
import { BridgeCounters } from './counters.ts';
import { Drain } from './drain.ts';
import { Egress } from './egress.ts';
import type { Endpoint } from './endpoint.ts';
import { IceRegistry } from './ice/ice-registry.ts';
import { Ingress } from './ingress.ts';
import { findCandidates } from './io/addresses.ts';
import { createCertificate } from './io/certificate.ts';
import { buildControlServer } from './io/control-server.ts';
import { createStealMeter } from './io/cpu-steal.ts';
import { chooseDatapath } from './io/datapath.ts';
import { DtlsQueue } from './io/dtls-queue.ts';
import { EndpointTransport } from './io/endpoint-transport.ts';
import { eventLoopDelay, watchEventLoop } from './io/event-loop-delay.ts';
import { EventStreams } from './io/event-streams.ts';
import { keepPausesShort } from './io/gc-pauses.ts';
import { bridgeMetrics, endKey } from './io/metrics.ts';
import { octoHandshakes } from './io/octo-dtls.ts';
import { REPORT_PERIOD_MS, Registration } from './io/registration.ts';
import { StunResponder } from './io/stun-responder.ts';
import { LoadMeter } from './load.ts';
import { LOOK_PERIOD_MS, Neighbours } from './neighbours.ts';
import { RecentJoins } from './recent-joins.ts';
import type { Link } from './relay/link.ts';
import { Relay } from './relay/relay.ts';
import { RelayIntake } from './relay-intake.ts';
import { RtcpEgress } from './rtcp-egress.ts';
import { RtcpIngress } from './rtcp-ingress.ts';

/** A line comes on every event stream at least this often: a focus notices within two of them that there is none. */
const HEARTBEAT_MS = 250;
/** Resolution of everything that happens because time passes (schedule.ts). */
const TICK_MS = 10;

export interface RunningBridge {
  readonly bridgeId: string;
  readonly region: string;
  readonly controlUrl: string;
  readonly mediaPort: number;
  readonly octoPort: number;
  readonly bridge: Bridge;
  /** True once a focus has taken this bridge's report. */
  readonly isRegistered: boolean;
  /** Drains it, or ends that; as `PUT /v1/bridge/state`. */
  setState(state: BridgeState): void;
  /** Settles when a drain that is to end the process is over; the caller closes the bridge. */
  readonly drained: Promise<void>;
  /** Once: later calls wait for the same end. */
  close(): Promise<void>;
}

/**
 * Starts a bridge from what `readBridgeConfig` returned. Rejects with the system's error (start-failure.ts puts it in words) when a port cannot be had; nothing
 * stays open then. `restarts`: how often the pool has started this bridge again, for its metrics; 0 alone.
 */
export async function startBridge(config: BridgeConfig, log: Logger, restarts = 0): Promise<RunningBridge> {
  keepPausesShort();
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const { secret } = config.control;
  const certificate = await createCertificate();
  const counters = new BridgeCounters();
  const events = new EventStreams();
  const endpointEnds = new Map<string, number>();
  const recentJoins = new RecentJoins();
  const stolenShare = createStealMeter();
  const randomUint32 = () => randomBytes(4).readUInt32BE();
  const opened: { close(): Promise<unknown> }[] = [];

  try {
    // The ports' handlers need what is built from the ports: they are bound late, before the first datagram can be read.
    let ingress: Ingress | undefined;
    let relay: Relay | undefined;
    const datapath = await chooseDatapath(config.datapath, log);
    const mediaPort = await datapath.openPort<Endpoint>({
      address: config.rtc.bind_address,
      port: config.rtc.udp_port,
      handler: (bytes, offset, length, peer) => ingress?.handleDatagram(bytes, offset, length, peer),
      onReceived: () => ingress?.endBurst(),
      isSynchronous: firstByte => firstByteKind(firstByte) === RTP,
      log,
    });
    opened.push(mediaPort);
    const octoPort = await datapath.openPort<Link>({
      address: config.octo.bind_address,
      port: config.octo.port,
      receivesRuns: true,
      handler: (bytes, offset, length, peer) => relay?.handleDatagram(nowMs(), bytes, offset, length, peer),
      onReceived: () => ingress?.endBurst(),
      isSynchronous: isMediaFrame,
      log,
    });
    opened.push(octoPort);

    const candidates = await findCandidates({
      port: mediaPort.port,
      bindAddress: config.rtc.bind_address,
      nodeIps: config.rtc.node_ip,
      useExternalIp: config.rtc.use_external_ip,
      stunServers: config.rtc.stun_servers,
      includeLoopback: config.development,
      log,
    });
    const self: BridgePeer = {
      bridgeId: config.bridge_id,
      region: config.region,
      octo: {
        address: config.octo.address || candidates[0].address,
        port: config.octo.advertised_port || octoPort.port,
      },
      fingerprint: certificate.fingerprint,
    };

    const intake = new RelayIntake({
      counters,
      nowMs,
      onLinkState: (peer, state) => log.info({ peer, state }, 'link'),
    });
    relay = new Relay({
      self,
      port: octoPort,
      startHandshake: octoHandshakes(certificate),
      ciphers: datapath.frameCiphers,
      sink: intake,
      fec: { playoutBudgetMs: config.octo.playout_budget_ms, shareMax: config.octo.fec_share_max },
      random: () => randomUint32() / 0x1_0000_0000,
      nowMs,
      log,
    });
    const egress = new Egress(mediaPort, relay, counters);
    const rtcpIngress = new RtcpIngress(egress, counters);
    const dtlsQueue = new DtlsQueue({ nowMs });
    const registry = new IceRegistry<EndpointTransport<Endpoint>>(randomBytes);
    const bridge = new Bridge({
      bridgeId: config.bridge_id,
      fingerprint: certificate.fingerprint,
      candidates,
      endpointsMax: config.limits.endpoints,
      conferencesMax: config.limits.conferences,
      relay,
      egress,
      rtcp: new RtcpEgress(mediaPort, randomUint32() || 1, counters),
      counters,
      openTransport: (owner, sink) =>
        new EndpointTransport({
          owner,
          port: mediaPort,
          ice: registry,
          certificate,
          sink,
          nowMs: nowMs(),
          createSrtpSession: datapath.createSrtpSession,
          dtlsQueue,
          timeoutMs: config.rtc.ice_timeout_ms,
          onDrop: reason => counters.drop(reason),
        }),
      emit: event => {
        log.debug({ event }, 'event');
        if (event.kind === 'endpoint' && (event.state === 'failed' || event.state === 'gone')) {
          const key = endKey(event.state, event.reason);
          endpointEnds.set(key, (endpointEnds.get(key) ?? 0) + 1);
        }
        if (event.kind === 'endpoint' && event.state === 'new') recentJoins.note(nowMs());
        events.emit(event);
      },
      nowMs,
      randomUint32,
    });
    const stun = new StunResponder(mediaPort, registry, reason => counters.drop(reason));
    ingress = new Ingress({
      egress,
      rtcp: rtcpIngress,
      handleStun: (now, bytes, offset, length, peer) => stun.handle(now, bytes, offset, length, peer),
      conferences: bridge.conferences,
      counters,
      nowMs,
    });
    intake.attach(bridge, ingress);

    const meter = new LoadMeter({
      cpu: config.limits.cpu,
      packetsPerSecond: config.limits.packets_per_second,
      bitsPerSecond: config.limits.bits_per_second,
      eventLoopDelayMs: config.limits.event_loop_delay_ms,
      tracks: config.limits.tracks,
      endpoints: config.limits.endpoints,
    });
    watchEventLoop();
    const bootId = randomUUID();
    const host = config.host || hostname();
    const drain = new Drain();
    let load = measure();
    let controlUrl = '';
    const report = (): BridgeReport => ({
      peer: self,
      bootId,
      version: packageJson.version,
      upMs: Math.round(nowMs()),
      host,
      controlUrl,
      state: drain.isOn ? 'draining' : 'running',
      ...(drain.isOn ? { drain: drain.report(nowMs())! } : {}),
      heartbeatMs: HEARTBEAT_MS,
      protocols: { control: CONTROL_VERSION, octo: OCTO_VERSION },
      // Who waits for it to be empty is not to be told of seconds ago.
      load: { ...load, endpoints: bridge.endpointCount },
    });

    const { promise: drained, resolve: endDrain } = Promise.withResolvers<void>();
    const checkDrained = (): void => {
      if (drain.isOver(nowMs(), bridge.endpointCount)) endDrain();
    };
    const setState = ({ state, ...request }: BridgeState): void => {
      if (state === 'running') drain.undo();
      else drain.begin(nowMs(), request, bridge.endpointCount);
      bridge.setDraining(drain.isOn);
      log.info({ state, ...drain.report(nowMs()) }, 'state set');
      // Every focus is to know now, not with the next report.
      events.emit({ kind: 'report', report: report() });
      checkDrained();
    };

    let registration: Registration | undefined;
    const neighbours = new Neighbours();
    const server = await buildControlServer({
      bridge,
      neighbours,
      setState,
      secret,
      report,
      datapath,
      events,
      metrics: bridgeMetrics({
        bridgeId: config.bridge_id,
        region: config.region,
        bridge,
        counters,
        media: mediaPort,
        octo: octoPort,
        relay,
        load: () => load,
        focuses: () => registration?.focuses ?? [],
        eventStreams: events,
        endpointEnds,
        restarts,
        dtlsQueue,
        datapath,
      }),
      nowMs,
      log,
    });
    opened.push(server);
    const listening = await server.listen({ port: config.control.port, host: config.control.bind_address });
    controlUrl = config.control.url || listening;

    registration = new Registration({
      bridgeId: config.bridge_id,
      focusUrls: config.focus.urls,
      secret,
      report,
      log,
    });
    let isOver = false;
    let closing: Promise<void> | undefined;
    const tick = () => {
      // More is due than one turn may do: the rest after the sockets had theirs.
      if (!isOver && bridge.handleTimeout(nowMs())) setImmediate(tick);
    };
    const ticking = setInterval(tick, TICK_MS);
    const reporting = setInterval(() => {
      load = measure();
      events.emit({ kind: 'report', report: report() });
    }, REPORT_PERIOD_MS);
    const beating = setInterval(() => {
      events.emit({ kind: 'alive' });
      checkDrained();
    }, HEARTBEAT_MS);
    const looking = setInterval(() => {
      for (const event of neighbours.look(nowMs(), relay!.links)) events.emit(event);
    }, LOOK_PERIOD_MS);
    log.info(
      {
        region: config.region,
        datapath: datapath.name,
        media: mediaPort.port,
        octo: octoPort.port,
        control: controlUrl,
        candidates,
      },
      'bridge is up',
    );

    function measure() {
      const { user, system } = process.threadCpuUsage();
      return meter.measure({
        nowMs: nowMs(),
        cpuUs: user + system,
        stolenShare: stolenShare(),
        eventLoopDelayMs: eventLoopDelay().medianSeconds * 1_000,
        ports: [mediaPort.counters, octoPort.counters],
        endpoints: bridge.endpointCount,
        conferences: bridge.conferences.size,
        sources: bridge.sourceCount(),
        unsettledEndpoints: recentJoins.unsettled(nowMs()),
        joinsLastMinute: recentJoins.lastMinute(nowMs()),
      });
    }

    return {
      bridgeId: config.bridge_id,
      region: config.region,
      controlUrl,
      mediaPort: mediaPort.port,
      octoPort: octoPort.port,
      bridge,
      get isRegistered() {
        return (registration?.registeredWith ?? 0) > 0;
      },
      setState,
      drained,
      close() {
        closing ??= end();
        return closing;
      },
    };

    async function end(): Promise<void> {
      registration?.close();
      for (const timer of [reporting, beating, looking]) clearInterval(timer);
      await bridge.close();
      isOver = true;
      clearInterval(ticking);
      events.close();
      await closeAll(opened);
    }
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function closeAll(opened: readonly { close(): Promise<unknown> }[]): Promise<void> {
  for (const each of [...opened].reverse()) await each.close();
}
