import { Gauge, Registry } from 'prom-client';
import type { Bridge } from '../bridge.ts';
import type { BridgeCounters } from '../counters.ts';
import type { PortCounters } from './datagram-port.ts';

export interface BridgeMetricsOptions {
  readonly bridgeId: string;
  readonly region: string;
  readonly bridge: Bridge;
  readonly counters: BridgeCounters;
  readonly media: PortCounters;
  readonly octo: PortCounters;
}

/** One registry per bridge (several run in one process locally). Everything is read at scrape time: the packet path only adds to plain fields. */
export function bridgeMetrics(options: BridgeMetricsOptions): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ bridge: options.bridgeId, region: options.region });
  const { bridge, counters } = options;

  const read = (name: string, help: string, value: () => number) => {
    new Gauge({
      name: `causeway_bridge_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  read('endpoints', 'Endpoints on this bridge', () => bridge.endpointCount);
  read('conferences', 'Conferences with an endpoint on this bridge', () => bridge.conferences.size);
  read('sources', 'Sources that endpoints of this bridge send', () => bridge.sourceCount());
  read('draining', '1 while the bridge refuses new endpoints', () => (bridge.isDraining ? 1 : 0));
  read('rtp_in_total', 'RTP packets received from clients and authenticated', () => counters.rtpIn);
  read('rtp_out_total', 'RTP packets sent to clients, retransmissions not included', () => counters.rtpOut);
  read('rtcp_in_total', 'RTCP compound packets received from clients', () => counters.rtcpIn);
  read('rtcp_out_total', 'RTCP packets sent to clients', () => counters.rtcpOut);
  read('relayed_in_total', 'RTP packets received over links', () => counters.relayedIn);
  read('relayed_out_total', 'RTP packets sent over links', () => counters.relayedOut);
  read('retransmitted_total', 'RTP packets sent again to clients', () => counters.retransmitted);
  read('key_frames_requested_total', 'Key frames asked of clients', () => counters.keyFramesRequested);
  read('messages_in_total', 'Data messages from clients', () => counters.messagesIn);
  read('messages_out_total', 'Data messages to clients', () => counters.messagesOut);

  labelled(registry, 'dropped_total', 'Packets thrown away, by reason', ['reason'], gauge => {
    for (const [reason, count] of counters.drops) gauge.set({ reason }, count);
  });
  labelled(registry, 'port', 'Datagrams and bytes of each UDP port', ['port', 'counter'], gauge => {
    for (const [port, portCounters] of [
      ['media', options.media],
      ['octo', options.octo],
    ] as const) {
      for (const [counter, count] of Object.entries(portCounters)) gauge.set({ port, counter }, count);
    }
  });
  labelled(registry, 'link', 'Numbers of each Octo link (times in ms)', ['peer', 'number'], gauge => {
    for (const { bridgeId, ...numbers } of bridge.describeLinks()) {
      for (const [number, value] of Object.entries(numbers)) {
        if (typeof value === 'number') gauge.set({ peer: bridgeId, number }, value);
      }
      gauge.set({ peer: bridgeId, number: 'up' }, numbers.state === 'up' ? 1 : 0);
    }
  });
  return registry;
}

function labelled(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  collect: (gauge: Gauge<string>) => void,
): void {
  new Gauge({
    name: `causeway_bridge_${name}`,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}
