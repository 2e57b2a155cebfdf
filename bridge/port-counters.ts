/** What a datagram port counts: plain fields, incremented in place. */
export interface PortCounters {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** Refused by `reserve`, or given up because the kernel's queue stayed full. */
  sendDropped: number;
  /** Larger than a slot. */
  oversized: number;
  /** System calls that brought something, and that sent something: datagrams divided by these is what batching gains. */
  receiveCalls: number;
  sendCalls: number;
  /** Datagrams sent as part of a run that the kernel cut up (UDP segmentation offload), and received as part of one it had put together. */
  sentInRuns: number;
  receivedInRuns: number;
  /** Times the kernel's send buffer was full: what is queued waits until it drains. */
  sendBlocked: number;
  /** Refused by the kernel, each part of `sendDropped` too: no route, peer's port closed, not allowed. */
  sendErrors: number;
}

export function portCounters(): PortCounters {
  return {
    received: 0,
    receivedBytes: 0,
    sent: 0,
    sentBytes: 0,
    sendDropped: 0,
    oversized: 0,
    receiveCalls: 0,
    sendCalls: 0,
    sentInRuns: 0,
    receivedInRuns: 0,
    sendBlocked: 0,
    sendErrors: 0,
  };
}
