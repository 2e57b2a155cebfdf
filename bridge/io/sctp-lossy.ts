/**
 * Partial reliability (RFC 3758) for werift's SCTP. Its own marks the message at the head of the send queue as given up, whichever was lost: that may
 * be a reliable one. It takes a limit of no retransmissions for none at all, and never repeats a lost FORWARD TSN, after which nothing would be
 * acknowledged any more. These methods take the place of its own, one association at a time.
 */
import type { RTCSctpTransport } from 'werift';

const LAST_FRAGMENT = 0x01;
const FIRST_FRAGMENT = 0x02;

interface Chunk {
  readonly tsn: number;
  readonly flags: number;
  /** Seconds since 1970, as werift wants it; set for lossy messages alone. */
  readonly expiry?: number;
  abandoned: boolean;
  retransmit: boolean;
}

interface ForwardTsn {
  cumulativeTsn: number;
}

interface SctpParts {
  maybeAbandon(chunk: Chunk): boolean;
  updateAdvancedPeerAckPoint(): void;
  readonly sentQueue: readonly Chunk[];
  readonly lastSackedTsn: number;
  readonly advancedPeerAckTsn: number;
  forwardTsnChunk: ForwardTsn | undefined;
}

/** The `expiry` of a lossy message: it marks it as one, and any loss is after it. */
export function expiryOfLossy(): number {
  return 1;
}

/** Replaces the methods of one association. */
export function mendPartialReliability(sctp: RTCSctpTransport['sctp']): void {
  const parts = sctp as unknown as SctpParts;
  const advance = parts.updateAdvancedPeerAckPoint.bind(sctp);
  let latest: ForwardTsn | undefined;

  parts.maybeAbandon = chunk => abandon(parts.sentQueue, chunk);
  parts.updateAdvancedPeerAckPoint = () => {
    advance();
    if (parts.forwardTsnChunk !== undefined) latest = parts.forwardTsnChunk;
    const isBehind = ((parts.advancedPeerAckTsn - parts.lastSackedTsn) | 0) > 0;
    // RFC 3758 section 3.5 C3: as long as the peer has not caught up, it is told again.
    if (isBehind && latest !== undefined) {
      latest.cumulativeTsn = parts.advancedPeerAckTsn;
      parts.forwardTsnChunk = latest;
    }
  };
}

/** Gives up the lossy message that `chunk` is part of, once all of it has been sent. False: repeat it. */
function abandon(sentQueue: readonly Chunk[], chunk: Chunk): boolean {
  if (chunk.abandoned) return true;
  if (chunk.expiry === undefined) return false;
  const at = sentQueue.indexOf(chunk);
  let first = at;
  while (first > 0 && (sentQueue[first].flags & FIRST_FRAGMENT) === 0) first--;
  let last = at;
  while (last < sentQueue.length && (sentQueue[last].flags & LAST_FRAGMENT) === 0) last++;
  if (at < 0 || last === sentQueue.length) return false;
  for (let index = first; index <= last; index++) {
    sentQueue[index].abandoned = true;
    sentQueue[index].retransmit = false;
  }
  return true;
}
