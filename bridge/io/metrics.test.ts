import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Load } from '../../protocol/control/events.ts';
import type { ProjectionSpec, SourceSpec } from '../../protocol/control/spec.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { FRESH_MS } from '../dynacast/layer-needs.ts';
import { createLinkCounters } from '../relay/link-counters.ts';
import type { LinkSnapshot } from '../relay/relay.ts';
import { BridgeBox, CONFERENCE } from '../testing/bridge-box.ts';
import { vp8Packet } from '../testing/packets.ts';
import { type BridgeMetricsOptions, bridgeMetrics, endKey } from './metrics.ts';

const VIDEO: SourceSpec = { sourceId: 2, kind: 'video', mid: '1', rids: [], ssrcs: [], rtxSsrcs: [], muted: false };
const VIEW: ProjectionSpec = {
  origin: '00000001',
  sourceId: 2,
  kind: 'video',
  mid: '5',
  ssrc: 0x1002,
  rtxSsrc: null,
  enabled: true,
  layerMax: 0,
  temporalMax: 3,
};
const LOAD: Load = {
  stress: 0.5,
  endpoints: 0,
  conferences: 0,
  sources: 0,
  cpu: 0.25,
  packetsPerSecond: 1_000,
  bitrateInBps: 2_000,
  bitrateOutBps: 3_000,
};

function link(bridgeId: string, fields: Partial<LinkSnapshot>): LinkSnapshot {
  return {
    bridgeId: bridgeId as BridgeId,
    region: 'us',
    state: 'up',
    rttMs: null,
    clockOffsetMs: null,
    lossIn: 0,
    lossOut: 0,
    burstLengthOut: 1,
    fec: [],
    residualIn: 0,
    reorderMs: 3,
    conferences: 1,
    layersWanted: 0,
    layersSent: 0,
    layersWithheld: 0,
    messagesQueued: 0,
    messagesQueuedBytes: 0,
    messagesUnderWay: 0,
    messagesUnfinishedBytes: 0,
    sendersHeldByPeer: 0,
    sendersHeldHere: 0,
    ...createLinkCounters(),
    ...fields,
  };
}

function metricsOf(box: BridgeBox, options: Partial<BridgeMetricsOptions> = {}) {
  const registry = bridgeMetrics({
    bridgeId: box.id,
    region: 'eu',
    bridge: box.bridge,
    relay: { strangers: 0, snapshot: () => [] },
    counters: box.counters,
    media: box.port,
    octo: box.port,
    load: () => LOAD,
    focuses: () => [],
    eventStreams: { size: 0 },
    endpointEnds: new Map(),
    restarts: 2,
    datapath: { name: 'fast' },
    dtlsQueue: { length: 3, handled: 4, dropped: 5, waitMsTotal: 6_000 },
    ...options,
  });
  return {
    registry,
    /** All series by name and own labels; the bridge's own labels are left out. */
    async scrape(): Promise<ReadonlyMap<string, number>> {
      const text = await registry.metrics();
      const series = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
      return new Map(
        series.map(line => {
          const end = line.lastIndexOf(' ');
          assert.match(line, /bridge="a",region="eu"/);
          const name = line.slice(0, end).replace(/,?bridge="a",region="eu"/, '');
          return [name.replace('causeway_bridge_', '').replace('{}', ''), Number(line.slice(end + 1))];
        }),
      );
    },
  };
}

test('numbers that only grow are counters and end in _total, levels are gauges and do not', async () => {
  const text = await metricsOf(new BridgeBox('a')).registry.metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  for (const [, name, type] of types) {
    assert.match(name!, /^causeway_bridge_[a-z0-9_]+$/);
    assert.equal(type, name!.endsWith('_total') ? 'counter' : 'gauge', name);
  }
  const byName = new Map(types.map(([, name, type]) => [name, type]));
  assert.equal(byName.get('causeway_bridge_rtp_in_packets_total'), 'counter');
  assert.equal(byName.get('causeway_bridge_link_in_bytes_total'), 'counter');
  assert.equal(byName.get('causeway_bridge_link_rtt_ms'), 'gauge');
  assert.equal(byName.get('causeway_bridge_endpoints'), 'gauge');
});

test('packets that went through are counted, and each scrape says the same until there are more', async () => {
  const box = new BridgeBox('a');
  const { scrape } = metricsOf(box);
  box.put(1, { sources: [VIDEO] });
  box.put(2, { projections: [VIEW] });
  for (const sequence of [1, 2]) box.receive(1, vp8Packet({ ssrc: 31, sequence, mid: '1', isKeyFrame: true }));
  box.receive(1, vp8Packet({ ssrc: 99, sequence: 1 }));
  for (let scrapes = 0; scrapes < 2; scrapes++) {
    const series = await scrape();
    assert.equal(series.get('endpoints'), 2);
    assert.equal(series.get('sources'), 1);
    assert.equal(series.get('rtp_in_packets_total'), box.counters.rtpIn);
    assert.equal(series.get('rtp_out_packets_total'), 2);
    assert.equal(series.get('dropped_packets_total{reason="ssrc-unknown"}'), 1);
  }
});

test('what subscriptions and streams count stays in the totals when they end', async () => {
  const box = new BridgeBox('a');
  const { scrape } = metricsOf(box);
  box.put(1, { sources: [VIDEO] });
  box.put(2, { projections: [VIEW] });
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', isKeyFrame: true }));
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 4 }));
  box.run(30);
  const first = await scrape();
  assert.equal(first.get('nack_requests_total'), 2, 'packets 2 and 3');
  for (let copies = 0; copies < 2; copies++) box.receive(1, vp8Packet({ ssrc: 31, sequence: 3 }));
  const before = box.endpoint(2).subscriptions.values().next().value!.projection.counters;
  before.droppedLate += 3;
  before.layerSwitches += 1;
  const second = await scrape();
  assert.equal(second.get('duplicate_packets_total'), 1);
  assert.equal(second.get('projection_dropped_late_packets_total'), before.droppedLate);
  box.put(2, { version: 2, projections: [{ ...VIEW, ssrc: 0x1003 }] });
  box.put(1, { version: 2, sources: [] });
  const ofMedia = (series: ReadonlyMap<string, number>) =>
    [...series].filter(([name]) => /nack|duplicate|projection|switches/.test(name));
  assert.deepEqual(ofMedia(await scrape()), ofMedia(second));
  box.endpoint(2).subscriptions.values().next().value!.projection.counters.layerSwitches += 5;
  box.bridge.deleteConference(CONFERENCE);
  assert.equal((await scrape()).get('layer_switches_total'), second.get('layer_switches_total')! + 5);
});

test('layers that publishers are told not to send are a level, and what became of them is counted', async () => {
  const box = new BridgeBox('a');
  const { scrape } = metricsOf(box);
  box.put(1, { sources: [VIDEO] });
  box.run(FRESH_MS + 20);
  box.put(2, { projections: [VIEW] });
  assert.equal((await scrape()).get('paused_layers'), 1);
  box.run(200);
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', isKeyFrame: true }));
  const series = await scrape();
  assert.equal(series.get('paused_layers'), 0);
  assert.equal(series.get('layer_pauses_total'), 1);
  assert.equal(series.get('layer_restarts_total'), 1);
  assert.ok(Math.abs(series.get('layer_restart_seconds_total')! - 0.2) < 0.02);
  assert.equal(series.get('needed_layers_updates_total'), 3, 'whole, paused, needed again');
});

test('each link has its own series, one name per number, and none once it is gone', async () => {
  const links = [
    link('b', { rttMs: 42.5, lossIn: 0.25, packetsIn: 10, bytesOut: 900, retransmitted: 4, recovered: 3 }),
    link('c', { state: 'connecting', packetsIn: 1 }),
  ];
  const { scrape } = metricsOf(new BridgeBox('a'), { relay: { strangers: 6, snapshot: () => links } });
  const series = await scrape();
  assert.equal(series.get('link_up{peer="b"}'), 1);
  assert.equal(series.get('link_up{peer="c"}'), 0);
  assert.equal(series.get('link_rtt_ms{peer="b"}'), 42.5);
  assert.equal(series.has('link_rtt_ms{peer="c"}'), false, 'not measured is not 0');
  assert.equal(series.get('link_loss_in_ratio{peer="b"}'), 0.25);
  assert.equal(series.get('link_in_packets_total{peer="b"}'), 10);
  assert.equal(series.get('link_out_bytes_total{peer="b"}'), 900);
  assert.equal(series.get('link_retransmitted_packets_total{peer="b"}'), 4);
  assert.equal(series.get('link_recovered_packets_total{peer="b"}'), 3);
  assert.equal(series.get('stranger_packets_total'), 6);
  links.pop();
  assert.equal((await scrape()).has('link_in_packets_total{peer="c"}'), false);
});

test('ports, load, focuses, event streams and lost endpoints are told', async () => {
  const counters = {
    received: 1,
    receivedBytes: 2,
    sent: 3,
    sentBytes: 4,
    sendDropped: 5,
    oversized: 6,
    sendErrors: 7,
    receiveCalls: 8,
    sendCalls: 9,
    receivedInRuns: 10,
    sentInRuns: 11,
    sendBlocked: 12,
  };
  const series = await metricsOf(new BridgeBox('a'), {
    octo: { counters },
    focuses: () => [
      { url: 'http://one', isRegistered: true },
      { url: 'http://two', isRegistered: false },
    ],
    eventStreams: { size: 2 },
    endpointEnds: new Map([
      [endKey('failed', 'dtls-handshake'), 3],
      [endKey('gone', 'ice-timeout'), 1],
    ]),
  }).scrape();
  const expected = {
    'port_received_packets_total{port="octo"}': 1,
    'port_received_bytes_total{port="octo"}': 2,
    'port_sent_packets_total{port="octo"}': 3,
    'port_sent_bytes_total{port="octo"}': 4,
    'port_dropped_packets_total{port="octo"}': 5,
    'port_oversized_packets_total{port="octo"}': 6,
    'port_send_errors_total{port="octo"}': 7,
    'port_send_errors_total{port="media"}': 0,
    stress_ratio: 0.5,
    cpu_ratio: 0.25,
    packets_per_second: 1_000,
    bitrate_in_bps: 2_000,
    bitrate_out_bps: 3_000,
    'focus_registered{focus="http://one"}': 1,
    'focus_registered{focus="http://two"}': 0,
    event_streams: 2,
    restarts_total: 2,
    'datapath{name="fast"}': 1,
    dtls_queue_datagrams: 3,
    dtls_queue_handled_datagrams_total: 4,
    dtls_queue_dropped_datagrams_total: 5,
    dtls_queue_wait_seconds_total: 6,
    'port_receive_calls_total{port="octo"}': 8,
    'port_send_calls_total{port="octo"}': 9,
    'port_received_in_runs_packets_total{port="octo"}': 10,
    'port_sent_in_runs_packets_total{port="octo"}': 11,
    'port_send_blocked_total{port="octo"}': 12,
    'endpoint_ends_total{state="failed",reason="dtls-handshake"}': 3,
    'endpoint_ends_total{state="gone",reason="ice-timeout"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(series.get(name), value, name);
  assert.ok(series.get('process_resident_bytes')! > 1e6);
  assert.ok(series.get('event_loop_delay_max_seconds')! >= 0);
});
