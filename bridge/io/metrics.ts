import { Registry } from 'prom-client';
import type { Load } from '../../protocol/control/events.ts';
import type { Bridge } from '../bridge.ts';
import type { BridgeCounters } from '../counters.ts';
import type { PortCounters } from '../port-counters.ts';
import type { Relay } from '../relay/relay.ts';
import type { Datapath } from './datapath.ts';
import type { DtlsQueue } from './dtls-queue.ts';
import { eventLoopDelay, watchEventLoop } from './event-loop-delay.ts';
import { linkMetrics } from './link-metrics.ts';
import { mediaMetrics } from './media-totals.ts';
import { MetricFamilies } from './metric-families.ts';

export interface MeteredPort {
  readonly counters: Readonly<PortCounters>;
}

export interface BridgeMetricsOptions {
  readonly bridgeId: string;
  readonly region: string;
  readonly bridge: Bridge;
  readonly relay: Pick<Relay, 'strangers' | 'snapshot'>;
  readonly counters: BridgeCounters;
  readonly media: MeteredPort;
  readonly octo: MeteredPort;
  /** The load as it was last reported. */
  readonly load: () => Load;
  readonly focuses: () => readonly { readonly url: string; readonly isRegistered: boolean }[];
  readonly eventStreams: { readonly size: number };
  /** Endpoints that failed or were gone, by {@link endKey}. */
  readonly endpointEnds: ReadonlyMap<string, number>;
  /** How often the pool has started this bridge again. */
  readonly restarts: number;
  readonly datapath: Pick<Datapath, 'name'>;
  readonly dtlsQueue: Pick<DtlsQueue, 'length' | 'handled' | 'dropped' | 'waitMsTotal'>;
}

/** Key of `endpointEnds`. Reasons are stable words (endpoint-transport.ts), so there are few keys. */
export function endKey(state: 'failed' | 'gone', reason: string): string {
  return `${state} ${reason}`;
}

/** One registry per bridge (several run in one process locally). Everything is read at scrape time: the packet path only adds to plain fields. */
export function bridgeMetrics(options: BridgeMetricsOptions): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ bridge: options.bridgeId, region: options.region });
  const families = new MetricFamilies(registry, 'causeway_bridge_');
  stateMetrics(families, options);
  loadMetrics(families, options.load);
  packetMetrics(families, options.counters);
  messageMetrics(families, options.bridge);
  mediaMetrics(families, options.bridge);
  portMetrics(families, options);
  handshakeMetrics(families, options.dtlsQueue);
  linkMetrics(families, () => options.relay.snapshot());
  families.counter('stranger_packets', 'Datagrams on the Octo port from addresses that no conference names', () => {
    return options.relay.strangers;
  });
  processMetrics(families);
  return registry;
}

function stateMetrics(families: MetricFamilies, options: BridgeMetricsOptions): void {
  const { bridge, focuses, eventStreams, endpointEnds, datapath } = options;
  families.gauge('endpoints', 'Endpoints on this bridge', () => bridge.endpointCount);
  families.gauge('conferences', 'Conferences that this bridge knows', () => bridge.conferences.size);
  families.gauge('sources', 'Sources that endpoints of this bridge send', () => bridge.sourceCount());
  families.gauge(
    'paused_layers',
    'Layers of sources here that nobody watches and publishers are told not to send',
    () => {
      return bridge.pausedLayerCount();
    },
  );
  families.gauge('draining', '1 while the bridge refuses new endpoints', () => (bridge.isDraining ? 1 : 0));
  families.gauges('datapath', '1 for the way that packets move', ['name'], put => put({ name: datapath.name }, 1));
  families.counter('restarts', 'How often the pool has started this bridge again since the pool itself started', () => {
    return options.restarts;
  });
  families.gauge('event_streams', 'Event streams that focuses have open', () => eventStreams.size);
  families.gauges('focus_registered', '1 while the focus takes the reports of this bridge', ['focus'], put => {
    for (const { url, isRegistered } of focuses()) put({ focus: url }, isRegistered ? 1 : 0);
  });
  families.counters('endpoint_ends', 'Endpoints that never came up or were lost', ['state', 'reason'], put => {
    for (const [key, count] of endpointEnds) {
      const space = key.indexOf(' ');
      put({ state: key.slice(0, space), reason: key.slice(space + 1) }, count);
    }
  });
}

function loadMetrics(families: MetricFamilies, load: () => Load): void {
  families.gauge('stress_ratio', 'Largest share of a limit: 0 is idle, 1 is full', () => load().stress);
  families.gauge('cpu_ratio', "Share of one core that the bridge's thread uses or that is stolen", () => load().cpu);
  families.gauge('joins_last_minute', 'Endpoints put here in the last minute', () => load().joinsLastMinute ?? 0);
  families.gauge(
    'unsettled_endpoints',
    'New endpoints whose load is still to come, as placement is told of them',
    () => load().unsettledEndpoints ?? 0,
  );
  families.gauges(
    'scarcest_resource',
    '1 for the resource whose share of its limit is the stress',
    ['resource'],
    put => {
      put({ resource: load().scarcest ?? 'unknown' }, 1);
    },
  );
  families.gauge('packets_per_second', 'Datagrams in and out, links included', () => load().packetsPerSecond);
  families.gauge('bitrate_in_bps', 'Bits per second received, links included', () => load().bitrateInBps);
  families.gauge('bitrate_out_bps', 'Bits per second sent, links included', () => load().bitrateOutBps);
}

function packetMetrics(families: MetricFamilies, counters: BridgeCounters): void {
  const count = families.counter.bind(families);
  count('rtp_in_packets', 'RTP packets received from clients and authenticated', () => counters.rtpIn);
  count('rtp_out_packets', 'RTP packets sent to clients, without retransmissions', () => counters.rtpOut);
  count('rtcp_in_packets', 'RTCP compound packets received from clients', () => counters.rtcpIn);
  count('rtcp_out_packets', 'RTCP packets sent to clients', () => counters.rtcpOut);
  count('relayed_in_packets', 'RTP packets received over links', () => counters.relayedIn);
  count('relayed_out_packets', 'RTP packets sent over links', () => counters.relayedOut);
  count('retransmitted_packets', 'RTP packets sent again to clients', () => counters.retransmitted);
  count('key_frames_requested', 'Key frames asked of clients', () => counters.keyFramesRequested);
  count('in_messages', 'Data messages from clients', () => counters.messagesIn);
  count('out_messages', 'Data messages to clients', () => counters.messagesOut);
  families.counters('dropped_packets', 'Packets thrown away', ['reason'], put => {
    for (const [reason, dropped] of counters.drops) put({ reason }, dropped);
  });
}

/** Reliable messages wait with their senders while those they are for have no room: who, and why. */
function messageMetrics(families: MetricFamilies, { messages }: Bridge): void {
  families.gauges('held_senders', 'Clients whose reliable messages wait, by what they wait for', ['because'], put => {
    for (const [because, held] of messages.heldByReason()) put({ because }, held);
  });
  families.counter('sender_holds', 'How often a client had to wait with its reliable messages', () => {
    return messages.totals.holds;
  });
  families.gauge('receivers_behind', 'Clients with much waiting that they have not read', () => messages.totals.behind);
  families.counter('receivers_excused', 'How often a client was found too slow to be waited for', () => {
    return messages.totals.excused;
  });
}

function portMetrics(families: MetricFamilies, { media, octo }: BridgeMetricsOptions): void {
  const count = (name: string, help: string, read: (port: MeteredPort) => number) => {
    families.counters(`port_${name}`, help, ['port'], put => {
      put({ port: 'media' }, read(media));
      put({ port: 'octo' }, read(octo));
    });
  };
  count('received_packets', 'Datagrams received', ({ counters }) => counters.received);
  count('received_bytes', 'Bytes received, without UDP and IP', ({ counters }) => counters.receivedBytes);
  count('sent_packets', 'Datagrams sent', ({ counters }) => counters.sent);
  count('sent_bytes', 'Bytes sent, without UDP and IP', ({ counters }) => counters.sentBytes);
  count('dropped_packets', 'Datagrams not sent: no slot, or refused by the kernel', ({ counters }) => {
    return counters.sendDropped;
  });
  count('oversized_packets', 'Datagrams received that are larger than a slot', ({ counters }) => counters.oversized);
  count('send_errors', 'Datagrams that the kernel refused to send', ({ counters }) => counters.sendErrors);
  count('receive_calls', 'System calls that brought datagrams', ({ counters }) => counters.receiveCalls);
  count('send_calls', 'System calls that took datagrams', ({ counters }) => counters.sendCalls);
  count('received_in_runs_packets', 'Datagrams received in a run that the kernel had put together', ({ counters }) => {
    return counters.receivedInRuns;
  });
  count(
    'sent_in_runs_packets',
    'Datagrams sent in a run that the kernel cut up',
    ({ counters }) => counters.sentInRuns,
  );
  count('send_blocked', 'Times the kernel had no room in its send buffer', ({ counters }) => counters.sendBlocked);
}

/** Joins wait for media, not the other way round: this is how long. */
function handshakeMetrics(families: MetricFamilies, queue: BridgeMetricsOptions['dtlsQueue']): void {
  families.gauge('dtls_queue_datagrams', 'Handshake datagrams that wait for their turn', () => queue.length);
  families.counter('dtls_queue_handled_datagrams', 'Handshake datagrams that had their turn', () => queue.handled);
  families.counter('dtls_queue_dropped_datagrams', 'DTLS datagrams dropped because the queue was full', () => {
    return queue.dropped;
  });
  families.counter('dtls_queue_wait_seconds', 'How long those that had their turn waited for it, together', () => {
    return queue.waitMsTotal / 1_000;
  });
}

/** Of the process: bridges that share one all report the whole of it. */
function processMetrics(families: MetricFamilies): void {
  watchEventLoop();
  families.gauge('process_resident_bytes', 'Memory of the process', () => process.memoryUsage.rss());
  families.gauge('process_heap_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed);
  families.gauge('process_buffers_bytes', 'Buffers outside the heap', () => process.memoryUsage().arrayBuffers);
  families.gauge('event_loop_delay_median_seconds', 'Timers came this late, median since the scrape before', () => {
    return eventLoopDelay().medianSeconds;
  });
  families.gauge(
    'event_loop_delay_p99_seconds',
    'Timers came this late, 99th percentile since the scrape before',
    () => {
      return eventLoopDelay().p99Seconds;
    },
  );
  families.gauge('event_loop_delay_max_seconds', 'Timers came this late, longest since the scrape before', () => {
    return eventLoopDelay().maxSeconds;
  });
}
