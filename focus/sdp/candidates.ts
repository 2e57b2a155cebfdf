import type { MediaDescription } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';

const HOST_TYPE_PREFERENCE = 126;
const RTP_COMPONENT = 1;

/**
 * A bridge's addresses as candidate lines, most preferred first. All are of type host: a lite agent has no other (RFC 8445 section 5.2),
 * an address found by STUN included, since the bridge's one port answers on it.
 */
export function answerCandidates(
  candidates: Transport['candidates'],
): Pick<MediaDescription, 'candidates' | 'endOfCandidates'> {
  return {
    candidates: candidates.map(({ address, port }, index) => ({
      foundation: String(index + 1),
      component: RTP_COMPONENT,
      transport: 'udp',
      priority: priority(0xffff - index),
      ip: address,
      port,
      type: 'host',
    })),
    endOfCandidates: 'end-of-candidates',
  };
}

/** RFC 8445 section 5.1.2.1. */
function priority(localPreference: number): number {
  return HOST_TYPE_PREFERENCE * 2 ** 24 + localPreference * 2 ** 8 + (256 - RTP_COMPONENT);
}
