/** Coming, going, and coming back. */
import {
  DisconnectReason,
  JoinResponse,
  LeaveRequest,
  LeaveRequest_Action,
  ReconnectResponse,
  RoomUpdate,
  type SyncState,
  UpdateTrackSettings,
  VideoQuality,
} from '@livekit/protocol';
import { announce, announceLeft, othersSeenBy, tell, tellQuality } from './announcing.ts';
import { handleResumed, noteChannels } from './bridge-move.ts';
import { ENABLED_CODECS } from './codecs.ts';
import { tellNeededLayers } from './dynacast.ts';
import { noteParticipant, noteTracks } from './notice.ts';
import { restartIce } from './offering.ts';
import { Participant, type ParticipantInit } from './participant.ts';
import { countTracks } from './publishing.ts';
import type { Room } from './room.ts';
import type { Who } from './room-output.ts';
import { serverInfo } from './server-info.ts';
import { forgetTrack, reconcileSubscriber, updateSubscriptions, updateTrackSettings } from './subscribing.ts';

export interface Leaving {
  readonly reason: DisconnectReason;
  /** What the client is told to do about it; null: it is not told, because it asked for it or is not there. */
  readonly action: LeaveRequest_Action | null;
  /** For the log. */
  readonly cause: string;
}

export const LEFT_BY_ITSELF: Leaving = {
  reason: DisconnectReason.CLIENT_INITIATED,
  action: null,
  cause: 'the client left',
};

/** Adds a participant and tells it and the others. Whoever had the identity leaves with DUPLICATE_IDENTITY. */
export function join(room: Room, nowMs: number, init: ParticipantInit): Participant {
  const before = room.participants.get(init.identity);
  if (before !== undefined) {
    leave(room, nowMs, before, {
      reason: DisconnectReason.DUPLICATE_IDENTITY,
      action: LeaveRequest_Action.DISCONNECT,
      cause: 'its identity joined again',
    });
  }
  const participant = new Participant(init, room.settings.pendingTracksMax, nowMs);
  room.add(participant);
  room.isInfoChanged = true;
  participant.state = 'joined';
  room.send(participant, { case: 'join', value: joinResponse(room, participant) });
  room.output({ kind: 'joined', ...who(participant) });
  announce(room, participant);
  reconcileSubscriber(room, participant);
  return participant;
}

/** The bridge says that ICE and DTLS are up, on the connection that counts. */
export function activate(room: Room, participant: Participant): void {
  // Of two connections, the other one may be what has ended.
  if (participant.receiving === null) participant.mediaGoneAtMs = null;
  if (participant.state === 'active') return;
  participant.state = 'active';
  announce(room, participant);
  tellQuality(room, participant, room.participants.values());
  room.output({ kind: 'active', ...who(participant) });
  noteParticipant(room, 'participant_joined', participant);
}

export function leave(room: Room, nowMs: number, participant: Participant, leaving: Leaving): void {
  if (participant.state === 'disconnected') return;
  const wasActive = participant.state === 'active';
  participant.state = 'disconnected';
  participant.disconnectReason = leaving.reason;
  if (leaving.action !== null) room.send(participant, { case: 'leave', value: leaveRequest(leaving) });
  room.output({ kind: 'close-signal', participantSid: participant.sid, reason: leaving.cause });
  const tracks = participant.publications.published().filter(track => room.publishers.delete(track.sid));
  room.remove(participant, nowMs);
  room.isInfoChanged = true;
  announceLeft(room, participant);
  for (const track of tracks) forgetTrack(room, track.sid);
  countTracks(room, tracks, -1);
  noteTracks(room, 'track_unpublished', participant, tracks);
  const moveCause = participant.move?.cause ?? null;
  room.output({ kind: 'left', reason: leaving.reason, cause: leaving.cause, moveCause, ...who(participant) });
  noteParticipant(room, wasActive ? 'participant_left' : 'participant_connection_aborted', participant);
}

/** Its socket is gone. A participant whose media never came up goes with it: there is nothing to resume. */
export function handleSignalLost(room: Room, nowMs: number, participant: Participant): void {
  if (participant.state !== 'active') {
    leave(room, nowMs, participant, {
      reason: DisconnectReason.SIGNAL_CLOSE,
      action: null,
      cause: 'signalling ended before media began',
    });
  } else participant.signalLostAtMs ??= nowMs;
}

/** It is back on a new socket: same session. It is told all it may have missed. */
export function resume(room: Room, participant: Participant): void {
  const left = [...participant.missedLeaves.values()];
  participant.missedLeaves.clear();
  participant.signalLostAtMs = null;
  participant.requested = null;
  const lastMessageSeq = handleResumed(participant);
  if (participant.receiving !== null) restartIce(room, participant, participant.receiving);
  room.send(participant, {
    case: 'reconnect',
    value: new ReconnectResponse({ serverInfo: serverInfo(room, participant), lastMessageSeq }),
  });
  tell(room, participant, left);
  tell(room, participant, [participant.info(), ...othersSeenBy(room, participant)]);
  room.send(participant, { case: 'roomUpdate', value: new RoomUpdate({ room: room.info() }) });
  tellQuality(room, participant, room.participants.values());
  tellNeededLayers(room, participant);
  participant.nextTokenAtMs = 0;
  room.output({ kind: 'resumed', ...who(participant) });
}

/** What a resuming client believes. When it publishes what we do not know, it has to start anew. */
export function syncState(room: Room, nowMs: number, participant: Participant, state: SyncState): void {
  const isKnown = state.publishTracks.every(
    ({ track }) => track !== undefined && participant.publications.find(track.sid) !== undefined,
  );
  if (!isKnown) {
    leave(room, nowMs, participant, {
      reason: DisconnectReason.STATE_MISMATCH,
      action: LeaveRequest_Action.RECONNECT,
      cause: 'it resumed with tracks that are not known',
    });
    return;
  }
  noteChannels(participant, state);
  if (state.trackSidsDisabled.length > 0) {
    const { trackSidsDisabled: trackSids } = state;
    const settings = new UpdateTrackSettings({ trackSids, disabled: true, quality: VideoQuality.HIGH });
    updateTrackSettings(room, participant, settings);
  }
  if (state.subscription !== undefined) updateSubscriptions(room, participant, state.subscription);
}

function joinResponse(room: Room, participant: Participant): JoinResponse {
  const info = serverInfo(room, participant);
  return new JoinResponse({
    room: room.info(),
    participant: participant.info(),
    otherParticipants: othersSeenBy(room, participant),
    serverVersion: info.version,
    serverRegion: info.region,
    serverInfo: info,
    // ICE-lite on public addresses: clients need neither STUN nor TURN to reach a bridge.
    iceServers: [],
    subscriberPrimary: participant.receiving?.isPrimary ?? false,
    pingInterval: room.settings.pingIntervalSeconds,
    pingTimeout: room.settings.pingTimeoutSeconds,
    enabledPublishCodecs: ENABLED_CODECS,
    fastPublish: participant.permissions.canPublish,
  });
}

function leaveRequest({ reason, action }: Leaving): LeaveRequest {
  const canReconnect = action !== LeaveRequest_Action.DISCONNECT;
  return new LeaveRequest({ reason, action: action ?? LeaveRequest_Action.DISCONNECT, canReconnect });
}

function who({ sid: participantSid, identity, endpointId, bridgeId, region }: Participant): Who {
  return { participantSid, identity, endpointId, bridgeId, region };
}
