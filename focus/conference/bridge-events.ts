/** What the bridges of a room report of it. */
import { SpeakerInfo, SpeakersChanged } from '@livekit/protocol';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { type BridgeId, type EndpointId, parseId } from '../../protocol/ids.ts';
import { tellQuality } from './announcing.ts';
import { handleMediaUp } from './bridge-move.ts';
import { setNeededLayers } from './dynacast.ts';
import { activate } from './joining.ts';
import type { Participant } from './participant.ts';
import { handleSource } from './publishing.ts';
import type { Room } from './room.ts';

/** Events that are about one conference. */
export type ConferenceEvent = Extract<BridgeEvent, { conferenceId: string }>;

/** `bridgeId` is who says so: a bridge is believed about its own endpoints only. */
export function handleBridgeEvent(room: Room, nowMs: number, bridgeId: BridgeId, event: ConferenceEvent): void {
  switch (event.kind) {
    case 'endpoint':
      handleEndpoint(room, nowMs, bridgeId, event);
      break;
    case 'speakers':
      handleSpeakers(room, bridgeId, event.speakers);
      break;
    case 'quality':
      handleQuality(room, bridgeId, event);
      break;
    case 'needed-layers': {
      const publisher = ownEndpoint(room, bridgeId, event.endpointId);
      if (publisher !== undefined) setNeededLayers(room, publisher, event.sourceId, event.layers);
      break;
    }
    case 'streams':
      ownEndpoint(room, bridgeId, event.endpointId)?.publications.noteStreams(event.streams);
      break;
    case 'source': {
      const publisher = ownEndpoint(room, bridgeId, event.endpointId);
      if (publisher !== undefined) handleSource(room, publisher, event.sourceId, event.codec);
      break;
    }
  }
}

function handleEndpoint(
  room: Room,
  nowMs: number,
  bridgeId: BridgeId,
  event: Extract<ConferenceEvent, { kind: 'endpoint' }>,
): void {
  const participant = ownEndpoint(room, bridgeId, event.endpointId);
  if (participant === undefined) return;
  if (event.state === 'connected') handleConnected(room, nowMs, participant, event.endpointId);
  else if (event.state !== 'new') participant.mediaGoneAtMs ??= nowMs;
}

/** Of a participant with two connections, one makes the session. */
function handleConnected(room: Room, nowMs: number, participant: Participant, endpointId: string): void {
  const id = parseId<EndpointId>(endpointId);
  const { receiving } = participant;
  if (id !== undefined) receiving?.noteConnected(id);
  const primaryId = receiving?.isPrimary === true ? receiving.endpointId : participant.endpointId;
  if (id === primaryId) activate(room, participant);
  if (id !== undefined) handleMediaUp(room, nowMs, participant, id);
}

/** Clients hear from their own bridge who speaks: the loudest first, and those who have stopped since with level 0. */
function handleSpeakers(
  room: Room,
  bridgeId: BridgeId,
  speakers: Extract<ConferenceEvent, { kind: 'speakers' }>['speakers'],
): void {
  const infos: SpeakerInfo[] = [];
  const now = new Set<string>();
  for (const { endpointId, level, active } of speakers) {
    const id = parseId<EndpointId>(endpointId);
    const speaker = id === undefined ? undefined : room.withEndpoint(id);
    if (speaker === undefined || speaker.permissions.hidden) continue;
    infos.push(new SpeakerInfo({ sid: speaker.sid, level, active }));
    if (active) now.add(speaker.sid);
  }
  const reported = new Set(infos.map(({ sid }) => sid));
  for (const sid of room.speakers.get(bridgeId) ?? []) {
    if (!reported.has(sid)) infos.push(new SpeakerInfo({ sid, level: 0, active: false }));
  }
  room.speakers.set(bridgeId, now);
  if (infos.length === 0) return;
  for (const participant of room.participants.values()) {
    if (participant.bridgeId !== bridgeId) continue;
    room.send(participant, { case: 'speakersChanged', value: new SpeakersChanged({ speakers: infos }) });
  }
}

function handleQuality(room: Room, bridgeId: BridgeId, event: Extract<ConferenceEvent, { kind: 'quality' }>): void {
  room.measurements.setLinks(bridgeId, event.links);
  const changed: Participant[] = [];
  for (const { endpointId, quality, score, rttMs } of event.endpoints) {
    const participant = ownEndpoint(room, bridgeId, endpointId);
    // On its way it is lost for a moment, to its new bridge: that says nothing of its network.
    if (participant === undefined || participant.move !== null) continue;
    const side = parseId<EndpointId>(endpointId) ?? participant.endpointId;
    const measurement = { quality, score, rttMs };
    const measured = participant.receiving === null ? measurement : participant.receiving.measured(side, measurement);
    if (measured !== undefined && room.measurements.set(participant.endpointId, measured)) changed.push(participant);
  }
  if (changed.length === 0) return;
  for (const participant of room.participants.values()) tellQuality(room, participant, changed);
}

function ownEndpoint(room: Room, bridgeId: BridgeId, endpointId: string): Participant | undefined {
  const id = parseId<EndpointId>(endpointId);
  const participant = id === undefined ? undefined : room.withEndpoint(id);
  return participant?.bridgeId === bridgeId ? participant : undefined;
}
