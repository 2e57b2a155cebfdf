/** Telling participants of each other. */

import type { ParticipantInfo } from '@livekit/protocol';
import {
  ConnectionQuality,
  ConnectionQualityInfo,
  ConnectionQualityUpdate,
  ParticipantUpdate,
  RoomUpdate,
} from '@livekit/protocol';
import type { Quality } from '../../protocol/control/events.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

/** A participant away for long misses this many leaves at most; of older ones it learns by the full list it gets on its return. */
const MISSED_LEAVES_MAX = 1000;

/** Tells all others what a participant is now. Call it after every change they can see; before anything that presupposes it. */
export function announce(room: Room, participant: Participant): void {
  participant.version++;
  if (participant.permissions.hidden) return;
  const info = participant.info();
  for (const other of room.participants.values()) {
    if (other !== participant) tell(room, other, [info]);
  }
}

/** As {@link announce}, and itself too: for what somebody else or the server API may have changed. */
export function announceToAll(room: Room, participant: Participant): void {
  announce(room, participant);
  tell(room, participant, [participant.info()]);
}

/** It has left: also those who are away learn of it on their return. */
export function announceLeft(room: Room, participant: Participant): void {
  participant.version++;
  if (participant.permissions.hidden) return;
  const info = participant.info();
  info.tracks = [];
  for (const other of room.participants.values()) {
    if (other.signalLostAtMs === null) tell(room, other, [info]);
    else if (other.missedLeaves.size < MISSED_LEAVES_MAX) other.missedLeaves.set(participant.sid, info);
  }
}

export function tell(room: Room, participant: Participant, participants: ParticipantInfo[]): void {
  if (participants.length > 0) {
    room.send(participant, { case: 'update', value: new ParticipantUpdate({ participants }) });
  }
}

/** Everybody `participant` may know of, itself left out. */
export function othersSeenBy(room: Room, participant: Participant): ParticipantInfo[] {
  return [...room.participants.values()]
    .filter(other => other !== participant && !other.permissions.hidden)
    .map(other => other.info());
}

/** To everybody, now. */
export function announceRoom(room: Room): void {
  room.isInfoChanged = false;
  const info = room.info();
  for (const participant of room.participants.values()) {
    room.send(participant, { case: 'roomUpdate', value: new RoomUpdate({ room: info }) });
  }
}

/** How well `subjects` are connected, as far as it is known. */
export function tellQuality(room: Room, participant: Participant, subjects: Iterable<Participant>): void {
  const updates: ConnectionQualityInfo[] = [];
  for (const subject of subjects) {
    const measurement = room.measurements.endpoint(subject.endpointId);
    if (measurement === undefined || (subject.permissions.hidden && subject !== participant)) continue;
    const { quality, score } = measurement;
    updates.push(new ConnectionQualityInfo({ participantSid: subject.sid, quality: QUALITIES[quality], score }));
  }
  if (updates.length === 0) return;
  room.send(participant, { case: 'connectionQuality', value: new ConnectionQualityUpdate({ updates }) });
}

const QUALITIES: Readonly<Record<Quality, ConnectionQuality>> = {
  excellent: ConnectionQuality.EXCELLENT,
  good: ConnectionQuality.GOOD,
  poor: ConnectionQuality.POOR,
  lost: ConnectionQuality.LOST,
};
