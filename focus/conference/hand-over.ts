/**
 * Reliable messages for a participant that moves change bridges without one being lost or given twice. First the bridge it moves to keeps them; when all bridges that others are on send
 * there as well, the one before gives its client no more of them; when it has taken that, the client is told to resume, and what it then says it has had is all that it will have had.
 */
import type { ConferenceSpec } from '../../protocol/control/spec.ts';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import { formatId } from '../../protocol/ids.ts';
import type { BridgeMove } from './bridge-move.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

/** Bridges that do not answer are not waited for beyond this, from the order to move: three times across the world and back. */
export const HAND_OVER_MS_MAX = 1_500;

/** The bridge that it moves to has taken one of its documents. */
export function handlePrepared(room: Room, participant: Participant, endpointId: EndpointId): void {
  const { move, receiving } = participant;
  // Messages come to the endpoint on which the client receives.
  const isReceiver = receiving === null || !receiving.isPrimary || endpointId === receiving.endpointId;
  if (move === null || move.isAwaited || !isReceiver) return;
  move.isAwaited = true;
  room.handlePlacesChanged();
  if (isPatient(participant)) goOn(room, participant, move);
  // It comes back by itself, and may have said already what it has had.
  else move.isHandedOver = true;
}

/** A bridge has taken a document of who is where. */
export function handlePlacesTaken(room: Room, bridgeId: BridgeId, endpoints: ConferenceSpec['endpoints']): void {
  const coming = new Map(endpoints.flatMap(each => (each.movingTo ? [[each.endpointId, each.movingTo] as const] : [])));
  if (coming.size === 0) return;
  for (const participant of room.participants.values()) {
    const { move } = participant;
    if (move === null || coming.get(formatId(participant.endpointId)) !== participant.bridgeId) continue;
    move.toldBridges.add(bridgeId);
    if (isPatient(participant)) goOn(room, participant, move);
  }
}

/** Whoever is on the way from that bridge is told at once: it has given its last. */
export function handleOldLost(room: Room, bridgeId: BridgeId): void {
  for (const participant of room.participants.values()) {
    const { move } = participant;
    if (move?.old !== bridgeId) continue;
    move.old = null;
    move.isHandedOver = true;
    room.handlePlacesChanged();
    if (move.phase === 'told' && participant.signalLostAtMs === null) tellToResume(room, participant, move.startedAtMs);
  }
}

/** Call it with every tick. */
export function handleHandOverTimeout(room: Room, participant: Participant, nowMs: number): void {
  const { move } = participant;
  if (move === null || !isPatient(participant) || nowMs - move.startedAtMs < HAND_OVER_MS_MAX) return;
  move.isHandedOver = true;
  room.handlePlacesChanged();
  tellToResume(room, participant, nowMs);
}

/** Its socket closes without a word: every SDK resumes then. A LeaveRequest that says so is not understood by all of them the second time (decision 0016). */
export function tellToResume(room: Room, participant: Participant, nowMs: number): void {
  room.output({ kind: 'close-signal', participantSid: participant.sid, reason: 'to resume on another bridge' });
  participant.signalLostAtMs = nowMs;
}

/** True while its client knows of nothing and its bridge serves it: what is to be done can be done in its order. */
function isPatient({ move, signalLostAtMs }: Participant): boolean {
  return move?.isAwaited === true && move.phase === 'told' && move.old !== null && signalLostAtMs === null;
}

function goOn(room: Room, participant: Participant, move: BridgeMove): void {
  if (!move.isHandedOver) {
    const others = room.document().bridgeIds.filter(id => id !== move.old && id !== participant.bridgeId);
    if (others.some(id => !move.toldBridges.has(id))) return;
    move.isHandedOver = true;
    room.handlePlacesChanged();
  } else if (move.toldBridges.has(move.old!)) tellToResume(room, participant, move.startedAtMs);
}
