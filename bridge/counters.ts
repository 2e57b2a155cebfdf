/**
 * What the packet path counts: plain fields, incremented in place, read when somebody asks (`/metrics`, the load report). Drop reasons are
 * counted by name, because "why is nothing arriving" is the question they answer.
 */
export class BridgeCounters {
  rtpIn = 0;
  rtpOut = 0;
  rtcpIn = 0;
  rtcpOut = 0;
  relayedIn = 0;
  relayedOut = 0;
  retransmitted = 0;
  keyFramesRequested = 0;
  messagesIn = 0;
  messagesOut = 0;
  readonly drops = new Map<string, number>();

  /** One datagram or packet thrown away. `reason` is one of a fixed set of words, never text from the network. */
  drop(reason: string): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
  }
}
