/**
 * Moving a participant to another room. Stock clients do it with what they know: they are given a token for the other room and told to
 * reconnect, which they do at once, with their tracks. Their media pauses for as long as a join takes.
 */
import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import { leave } from './joining.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';
import type { Refusal } from './rooms.ts';

/** Why `participant` cannot move to `destination` now; undefined when it can. `to`: that room, if it is open. */
export function moveProblem(
  room: Room,
  participant: Participant,
  destination: string,
  to: Room | undefined,
): Refusal | undefined {
  if (destination === room.identity.name) return 'same-room';
  if (participant.forwards !== null) return 'participant-forwarded';
  if (participant.signalLostAtMs !== null) return 'participant-away';
  if (to === undefined) return undefined;
  const { participantsMax } = to.properties;
  const takesPlace = !to.participants.has(participant.identity);
  return participantsMax > 0 && takesPlace && to.participants.size >= participantsMax ? 'room-full' : undefined;
}

/** `token` is what the client comes to the other room with. Here it has left. */
export function move(room: Room, nowMs: number, participant: Participant, destination: string, token: string): void {
  room.send(participant, { case: 'refreshToken', value: token });
  leave(room, nowMs, participant, {
    reason: DisconnectReason.MIGRATION,
    action: LeaveRequest_Action.RECONNECT,
    cause: `moved to ${destination} by the server API`,
  });
}
