/** The document in which each bridge of a conference reads who else carries it, and whom. */
import type { BridgePeer, ConferenceSpec } from '../../protocol/control/spec.ts';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import type { Participant } from './participant.ts';

/** Who is on which bridge; the bridges' addresses are known to whoever sends the document. */
export interface ConferenceDocument {
  readonly bridgeIds: readonly BridgeId[];
  readonly endpoints: ConferenceSpec['endpoints'];
  /** Those of them that the bridge which serves them is not told yet to be moving. */
  readonly unannounced: ReadonlySet<string>;
}

export function conferenceDocument(participants: Iterable<Participant>): ConferenceDocument {
  const bridgeIds = new Set<BridgeId>();
  const endpoints: ConferenceSpec['endpoints'] = [];
  const unannounced = new Set<string>();
  for (const { bridgeId, endpointId, identity, move } of participants) {
    bridgeIds.add(bridgeId);
    if (move?.old != null) bridgeIds.add(move.old);
    // Until its client knows the other bridge, what it sends comes from the one before.
    const servedBy = move === null || move.phase === 'answered' ? bridgeId : (move.old ?? bridgeId);
    const isComing = move?.isAwaited === true && servedBy !== bridgeId;
    if (isComing && !move.isHandedOver) unannounced.add(formatId(endpointId));
    endpoints.push({
      endpointId: formatId(endpointId),
      bridgeId: servedBy,
      identity,
      ...(isComing ? { movingTo: bridgeId } : {}),
    });
  }
  return { bridgeIds: [...bridgeIds].sort(), endpoints, unannounced };
}

/** The document for one bridge, with the bridges' addresses and fingerprints; bridges that are not known (any more) are left out, with their endpoints. */
export function withPeers(
  document: ConferenceDocument,
  reader: BridgeId,
  peerOf: (bridgeId: BridgeId) => BridgePeer | undefined,
): Omit<ConferenceSpec, 'version'> {
  const bridges = document.bridgeIds.flatMap(bridgeId => peerOf(bridgeId) ?? []);
  const known = new Set(bridges.map(({ bridgeId }) => bridgeId));
  const endpoints = document.endpoints.filter(({ bridgeId }) => known.has(bridgeId));
  if (document.unannounced.size === 0) return { bridges, endpoints };
  const isUnannounced = (endpoint: ConferenceSpec['endpoints'][number]) =>
    endpoint.bridgeId === reader && document.unannounced.has(endpoint.endpointId);
  return { bridges, endpoints: endpoints.map(each => (isUnannounced(each) ? withoutMove(each) : each)) };
}

function withoutMove({ endpointId, bridgeId, identity }: ConferenceSpec['endpoints'][number]) {
  return { endpointId, bridgeId, identity };
}
