/** The document in which each bridge of a conference reads who else carries it, and whom. */
import type { BridgePeer, ConferenceSpec } from '../../protocol/control/spec.ts';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import type { Participant } from './participant.ts';

/** Who is on which bridge; the bridges' addresses are known to whoever sends the document. */
export interface ConferenceDocument {
  readonly bridgeIds: readonly BridgeId[];
  readonly endpoints: ConferenceSpec['endpoints'];
}

export function conferenceDocument(participants: Iterable<Participant>): ConferenceDocument {
  const bridgeIds = new Set<BridgeId>();
  const endpoints: ConferenceSpec['endpoints'] = [];
  for (const { bridgeId, endpointId, identity, move } of participants) {
    bridgeIds.add(bridgeId);
    if (move?.old != null) bridgeIds.add(move.old);
    // Until its client knows the other bridge, what it sends comes from the one before.
    const servedBy = move === null || move.phase === 'answered' ? bridgeId : (move.old ?? bridgeId);
    const isComing = move?.isAwaited === true && servedBy !== bridgeId;
    endpoints.push({
      endpointId: formatId(endpointId),
      bridgeId: servedBy,
      identity,
      ...(isComing ? { movingTo: bridgeId } : {}),
    });
  }
  return { bridgeIds: [...bridgeIds].sort(), endpoints };
}

/** The document with the bridges' addresses and fingerprints; bridges that are not known (any more) are left out, with their endpoints. */
export function withPeers(
  document: ConferenceDocument,
  peerOf: (bridgeId: BridgeId) => BridgePeer | undefined,
): Omit<ConferenceSpec, 'version'> {
  const bridges = document.bridgeIds.flatMap(bridgeId => peerOf(bridgeId) ?? []);
  const known = new Set(bridges.map(({ bridgeId }) => bridgeId));
  return { bridges, endpoints: document.endpoints.filter(({ bridgeId }) => known.has(bridgeId)) };
}
