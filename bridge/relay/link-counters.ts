/** What a link has done since it was made. All counts; bytes include header and tag, not UDP and IP. */
export interface LinkCounters {
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Sequence numbers asked for by us, repeats included. */
  nacksSent: number;
  /** Sequence numbers asked for by the peer. */
  nacksReceived: number;
  /** Frames repeated for the peer. */
  retransmitted: number;
  /** Repeats refused: gone from the ring, or over the budget. */
  notRetransmitted: number;
  /** Frames that came after they were asked for. */
  recovered: number;
  /** Frames that never came in time, and might have been repeated: what is lost after recovery. */
  givenUp: number;
  /** FEC frames, and their bytes. */
  fecSent: number;
  fecBytesOut: number;
  /** FEC frames not sent because the share, or the path, had no room for them. */
  fecHeldBack: number;
  fecReceived: number;
  /** Frames repaired by them. */
  fecRecovered: number;
  /** FEC frames that repaired nothing: nothing was missing, or too much. */
  fecUseless: number;
  /** Frames missing that are never repeated, as the peer says: pings, acknowledgements and the like. */
  skipped: number;
  /** Frames that came behind newer ones, by themselves: not loss. */
  reordered: number;
  /** Frames that came after they were given up; they are taken all the same. */
  cameLate: number;
  messagesIn: number;
  messagesOut: number;
  /** Lossy ones not sent: too large, the link not up, or over what they may take. */
  lossyMessagesDropped: number;
  /** Reliable ones refused by `sendMessage`: too large, or the queue is full. */
  messagesRefused: number;
  /** Under way when the peer turned out to be a new process. */
  messagesAbandoned: number;
  /** Reliable ones for a conference that was not shared in time, and lossy ones that came in part. */
  messagesDropped: number;
  /** Reliable ones to a peer that had been away for too long. */
  messagesGivenUp: number;
  /** Fragments of reliable messages sent again. */
  fragmentsRepeated: number;
  handshakes: number;
  handshakesFailed: number;
  /** Media offered while the link was not up. */
  droppedDown: number;
  /** Anything the port had no slot for. */
  droppedFull: number;
  /** Larger than a slot. */
  droppedLarge: number;
  /** Datagrams refused before any key was tried. */
  malformed: number;
  replayed: number;
  /** Opened by no key. */
  forged: number;
  /** Authentic, and against the specification. */
  violations: number;
  /** Of a type this version does not know. */
  unknown: number;
  /** For a conference that the two bridges do not share. */
  foreign: number;
  keyFrameRequestsIn: number;
  keyFrameRequestsOut: number;
  keyFrameRequestsMerged: number;
  /** Steps up of a source on a full link; steps down because the budget no longer sufficed, and in favour of a source with more viewers. */
  layersRaised: number;
  layersOverBudget: number;
  layersOutbid: number;
}

export function createLinkCounters(): LinkCounters {
  return {
    packetsIn: 0,
    packetsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    nacksSent: 0,
    nacksReceived: 0,
    retransmitted: 0,
    notRetransmitted: 0,
    recovered: 0,
    givenUp: 0,
    fecSent: 0,
    fecBytesOut: 0,
    fecHeldBack: 0,
    fecReceived: 0,
    fecRecovered: 0,
    fecUseless: 0,
    skipped: 0,
    reordered: 0,
    cameLate: 0,
    messagesIn: 0,
    messagesOut: 0,
    lossyMessagesDropped: 0,
    messagesRefused: 0,
    messagesAbandoned: 0,
    messagesDropped: 0,
    messagesGivenUp: 0,
    fragmentsRepeated: 0,
    handshakes: 0,
    handshakesFailed: 0,
    droppedDown: 0,
    droppedFull: 0,
    droppedLarge: 0,
    malformed: 0,
    replayed: 0,
    forged: 0,
    violations: 0,
    unknown: 0,
    foreign: 0,
    keyFrameRequestsIn: 0,
    keyFrameRequestsOut: 0,
    keyFrameRequestsMerged: 0,
    layersRaised: 0,
    layersOverBudget: 0,
    layersOutbid: 0,
  };
}
