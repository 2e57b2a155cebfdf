/** What follows from nothing happening. */
import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import { announceRoom } from './announcing.ts';
import { isMoveOverdue, MOVE_TIMED_OUT } from './bridge-move.ts';
import { handleHandOverTimeout } from './hand-over.ts';
import { type Leaving, leave } from './joining.ts';
import { isAnswerOverdue } from './offering.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

/** After its media has ended, a client is given so long to say that it leaves: its goodbye takes another way than its media. */
const GOODBYE_MS = 1_000;

/**
 * Reasons why a participant has to go, first match wins. Called late rather than early.
 * `isMediaLost`: the bridge hears nothing from it any more, though it has not given up yet.
 */
const REASONS: readonly {
  readonly applies: (participant: Participant, room: Room, nowMs: number) => boolean;
  readonly leaving: Leaving;
}[] = [
  {
    applies: ({ mediaGoneAtMs }, _room, nowMs) => mediaGoneAtMs !== null && nowMs - mediaGoneAtMs >= GOODBYE_MS,
    leaving: {
      reason: DisconnectReason.CONNECTION_TIMEOUT,
      action: LeaveRequest_Action.RECONNECT,
      cause: 'its media has ended',
    },
  },
  {
    applies: (participant, _room, nowMs) => isMoveOverdue(participant, nowMs),
    leaving: { reason: DisconnectReason.MIGRATION, action: LeaveRequest_Action.RECONNECT, cause: MOVE_TIMED_OUT },
  },
  {
    applies: ({ state, joinedAtMs }, room, nowMs) =>
      state !== 'active' && nowMs - joinedAtMs >= room.settings.handshakeTimeoutMs,
    leaving: {
      reason: DisconnectReason.JOIN_FAILURE,
      action: LeaveRequest_Action.DISCONNECT,
      cause: 'its media did not connect',
    },
  },
  {
    applies: (participant, _room, nowMs) => isAnswerOverdue(participant, nowMs),
    leaving: {
      reason: DisconnectReason.STATE_MISMATCH,
      action: LeaveRequest_Action.RECONNECT,
      cause: 'it did not answer an offer',
    },
  },
  {
    applies: ({ signalLostAtMs }, room, nowMs) =>
      signalLostAtMs !== null && nowMs - signalLostAtMs >= room.settings.resumeTimeoutMs,
    leaving: { reason: DisconnectReason.SIGNAL_CLOSE, action: null, cause: 'its signalling did not come back' },
  },
  {
    applies: (participant, room, nowMs) =>
      participant.signalLostAtMs !== null &&
      nowMs - participant.signalLostAtMs >= GOODBYE_MS &&
      room.measurements.endpoint(participant.endpointId)?.quality === 'lost',
    leaving: { reason: DisconnectReason.CONNECTION_TIMEOUT, action: null, cause: 'neither signalling nor media' },
  },
];

export function handleTimeout(room: Room, nowMs: number): void {
  for (const participant of [...room.participants.values()]) {
    handleHandOverTimeout(room, participant, nowMs);
    const match = REASONS.find(({ applies }) => applies(participant, room, nowMs));
    if (match !== undefined) leave(room, nowMs, participant, match.leaving);
    else if (nowMs >= participant.nextTokenAtMs && participant.signalLostAtMs === null) {
      participant.nextTokenAtMs = nowMs + room.settings.tokenIntervalMs;
      room.output({ kind: 'refresh-token', participantSid: participant.sid });
    }
  }
  if (room.isInfoChanged) announceRoom(room);
}

/** True when an empty room has been kept for long enough. */
export function isExpired(room: Room, nowMs: number): boolean {
  if (room.participants.size > 0) return false;
  const { departureTimeoutSeconds, emptyTimeoutSeconds } = room.properties;
  const seconds = room.hasBeenJoined ? departureTimeoutSeconds : emptyTimeoutSeconds;
  return nowMs - room.emptySinceMs >= seconds * 1000;
}
