import type { LinkCounters } from '../relay/link-counters.ts';
import type { LinkSnapshot } from '../relay/relay.ts';
import type { MetricFamilies } from './metric-families.ts';

/** Name (behind `link_`, without `_total`) and help of each counter of a link. */
const COUNTERS: Readonly<Record<keyof LinkCounters, readonly [name: string, help: string]>> = {
  packetsIn: ['in_packets', 'Datagrams received and authenticated'],
  packetsOut: ['out_packets', 'Datagrams sent'],
  bytesIn: ['in_bytes', 'Bytes received, header and tag included, UDP and IP not'],
  bytesOut: ['out_bytes', 'Bytes sent, header and tag included, UDP and IP not'],
  nacksSent: ['nacks_sent', 'Sequence numbers asked for by this bridge, repeats included'],
  nacksReceived: ['nacks_received', 'Sequence numbers asked for by the peer'],
  retransmitted: ['retransmitted_packets', 'Frames repeated for the peer'],
  notRetransmitted: ['not_retransmitted_packets', 'Repeats refused: gone, or over the budget'],
  recovered: ['recovered_packets', 'Frames that came after they were asked for'],
  fecSent: ['fec_out_packets', 'Parity frames sent'],
  fecBytesOut: ['fec_out_bytes', 'Bytes of parity frames sent, header and tag included, UDP and IP not'],
  fecHeldBack: ['fec_held_back_packets', 'Parity frames not sent: the share, or the path, had no room'],
  fecReceived: ['fec_in_packets', 'Parity frames received'],
  fecRecovered: ['fec_recovered_packets', 'Frames repaired by parity'],
  fecUseless: ['fec_useless_packets', 'Parity frames that repaired nothing: nothing was missing, or too much'],
  givenUp: ['given_up_packets', 'Frames that never came in time, and might have been repeated'],
  skipped: ['skipped_packets', 'Frames missing that are never repeated: pings, acknowledgements and the like'],
  reordered: ['reordered_packets', 'Frames that came behind newer ones, by themselves'],
  cameLate: ['late_packets', 'Frames that came after they were given up'],
  messagesIn: ['in_messages', 'Data messages received'],
  messagesOut: ['out_messages', 'Data messages sent'],
  lossyMessagesDropped: [
    'dropped_lossy_messages',
    'Lossy data messages not sent: link not up, or over what they may take',
  ],
  messagesRefused: ['refused_messages', 'Reliable data messages refused: too large, or the queue is full'],
  messagesAbandoned: ['abandoned_messages', 'Data messages under way when the peer turned out to be a new process'],
  messagesDropped: [
    'dropped_messages',
    'Data messages received and dropped: conference not shared in time, or incomplete',
  ],
  messagesGivenUp: ['given_up_messages', 'Reliable data messages dropped because the peer had been away for too long'],
  fragmentsRepeated: ['repeated_fragments', 'Fragments of reliable data messages sent again'],
  handshakes: ['handshakes', 'Handshakes completed'],
  handshakesFailed: ['failed_handshakes', 'Handshakes failed'],
  droppedDown: ['dropped_down_packets', 'Media dropped while the link was not up'],
  droppedFull: ['dropped_full_packets', 'Frames dropped for want of a slot in the port'],
  droppedLarge: ['dropped_large_packets', 'Frames dropped because they are larger than a slot'],
  malformed: ['malformed_packets', 'Datagrams refused before any key was tried'],
  replayed: ['replayed_packets', 'Datagrams seen before, or too old to tell'],
  forged: ['forged_packets', 'Datagrams that no key opens'],
  violations: ['violations', 'Authentic frames against the specification'],
  unknown: ['unknown_packets', 'Frames of a type that this version does not know'],
  foreign: ['foreign_packets', 'Frames for a conference that the two bridges do not share'],
  keyFrameRequestsIn: ['in_key_frame_requests', 'Key frames asked for by the peer'],
  keyFrameRequestsOut: ['out_key_frame_requests', 'Key frames asked of the peer'],
  keyFrameRequestsMerged: ['merged_key_frame_requests', 'Key-frame requests that an earlier one stood for'],
  layersRaised: ['raised_layers', 'Sources raised to a higher layer on a full link'],
  layersOverBudget: ['over_budget_layers', 'Sources lowered because the budget of the link no longer sufficed'],
  layersOutbid: ['outbid_layers', 'Sources lowered in favour of one with more viewers'],
};

type Level = Exclude<keyof LinkSnapshot, keyof LinkCounters | 'bridgeId' | 'region' | 'state' | 'fec'>;

const LEVELS: Readonly<Record<Level, readonly [name: string, help: string]>> = {
  rttMs: ['rtt_ms', 'Round trip to the peer; absent until it is measured'],
  clockOffsetMs: ['clock_offset_ms', "The peer's clock ahead of this bridge's; absent until it is measured"],
  lossIn: ['loss_in_ratio', 'Share of frames from the peer that were lost, before recovery'],
  lossOut: ['loss_out_ratio', 'Share of frames to the peer that were lost, before recovery'],
  burstLengthOut: ['loss_burst_out_frames', 'Frames to the peer lost in a row, mean of the last ten seconds'],
  residualIn: ['residual_in_ratio', 'Share of frames from the peer that are lost after recovery'],
  reorderMs: ['reorder_ms', 'How long a missing frame is taken to be late, not lost'],
  conferences: ['conferences', 'Conferences that span this bridge and the peer'],
  layersWanted: ['wanted_layers', 'Layers that the peer wants, over all conferences'],
  layersSent: ['sent_layers', 'Layers that are sent to the peer, those that stand in for others included'],
  layersWithheld: ['withheld_layers', 'Layers held back from the peer because the link is full'],
  messagesQueued: ['queued_messages', 'Data messages that wait to be sent'],
  messagesQueuedBytes: ['queued_messages_bytes', 'Bytes of data messages that wait to be sent'],
  messagesUnderWay: ['fragments_under_way', 'Fragments of data messages sent and not acknowledged'],
  messagesUnfinishedBytes: [
    'unfinished_messages_bytes',
    'Bytes of data messages received that are not whole or not in order yet',
  ],
  sendersHeldByPeer: ['senders_held_by_peer', 'Senders here whose messages the peer lets wait'],
  sendersHeldHere: ['senders_held_here', "Senders of the peer's whose messages this bridge lets wait"],
};

/** One series per link, by the other bridge's name; a link made anew counts from 0. */
export function linkMetrics(families: MetricFamilies, links: () => readonly LinkSnapshot[]): void {
  families.gauges('link_up', '1 while frames can be sent to the peer', ['peer'], put => {
    for (const link of links()) put({ peer: link.bridgeId }, link.state === 'up' ? 1 : 0);
  });
  for (const [field, [name, help]] of Object.entries(LEVELS) as [Level, readonly [string, string]][]) {
    families.gauges(`link_${name}`, help, ['peer'], put => {
      for (const link of links()) {
        const value = link[field];
        if (value !== null) put({ peer: link.bridgeId }, value);
      }
    });
  }
  families.gauges('link_fec_ratio', 'Share of the bytes to the peer that is parity', ['peer', 'class'], put => {
    for (const link of links()) for (const fec of link.fec) put({ peer: link.bridgeId, class: fec.class }, fec.share);
  });
  for (const [field, [name, help]] of Object.entries(COUNTERS) as [keyof LinkCounters, readonly [string, string]][]) {
    families.counters(`link_${name}`, help, ['peer'], put => {
      for (const link of links()) put({ peer: link.bridgeId }, link[field]);
    });
  }
}
