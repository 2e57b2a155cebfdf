/** From an admitted socket to a participant in a room: placed and joined, or resumed where it was. */
import { DisconnectReason, LeaveRequest, LeaveRequest_Action, type SignalRequest } from '@livekit/protocol';
import type { Logger } from 'pino';
import { type AccessToken, refreshAccessToken } from '../api/access-token.ts';
import { stickyOf } from '../api/sticky-place.ts';
import type { TokenKeys } from '../api/token-keys.ts';
import { join, resume } from '../conference/joining.ts';
import type { Participant, ParticipantInit } from '../conference/participant.ts';
import { permissionClaims, permissionsOf } from '../conference/permissions.ts';
import { newSid, type Random } from '../conference/random.ts';
import type { Room } from '../conference/room.ts';
import { placementOf } from '../conference/room-placement.ts';
import { asFocusError } from '../errors.ts';
import type { Limits } from '../limits/limits.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { TakenPlace } from '../peers/opening.ts';
import type { Placed, Placement, Placements } from '../placement/placement.ts';
import type { ClientRegion } from '../region.ts';
import type { Admission } from '../signal/admission.ts';
import { handleRequest } from '../signal/requests.ts';
import type { Store } from '../store/store.ts';
import type { ConferenceHost } from './conference-host.ts';
import type { Session, SignalSink } from './session.ts';

export interface SessionOpenerOptions {
  readonly host: ConferenceHost;
  readonly placements: Placements;
  readonly store: Store;
  readonly keys: TokenKeys;
  readonly limits: Limits;
  readonly tokenLifetimeSeconds: number;
  /** With which this network's focuses seal the bridge that a fresh token names. */
  readonly stickySecret: string;
  readonly metrics: FocusMetrics;
  readonly log: Logger;
  readonly random: Random;
}

export interface OpenedSession {
  readonly room: Room;
  readonly participant: Participant;
}

/** Loads in a line of the log. */
const LOADS_LOGGED = 5;

/** How a client comes to a room that lives here. */
export interface Entrance {
  /** It came by another focus, which took the limits and perhaps a place; null: by this one. */
  readonly by: { readonly focusId: string; readonly place: TakenPlace | null } | null;
  /** Taken for it by this focus before it was known where the room lives. */
  readonly place: TakenPlace | null;
}

export const THIS_FOCUS: Entrance = { by: null, place: null };

/** Of a room that lives here, or is to. Undefined when the client was sent away, or is gone already: then nothing of it is left. Never rejects. */
export async function openSession(
  options: SessionOpenerOptions,
  sink: SignalSink,
  admission: Admission,
  region: ClientRegion,
  entrance: Entrance = THIS_FOCUS,
): Promise<OpenedSession | undefined> {
  const { host, metrics } = options;
  const startedAtMs = host.nowMs();
  try {
    if (admission.request.reconnect) return resumeSession(options, sink, admission);
    const opened = await host.directory.holding(admission.room, async () => {
      const place = entrance.place ?? (await takePlace(options, sink, admission, region));
      return place === undefined ? undefined : enterRoom(options, sink, admission, region, place, entrance);
    });
    if (opened !== undefined) metrics.joinSeconds.observe((host.nowMs() - startedAtMs) / 1000);
    return opened;
  } catch (error) {
    refuseJoin(options, sink, admission, error);
    return undefined;
  }
}

/** Sends a client away whose join failed. */
export function refuseJoin(
  { log, metrics }: Pick<SessionOpenerOptions, 'log' | 'metrics'>,
  sink: SignalSink,
  admission: Admission,
  error: unknown,
): void {
  const { code, message } = asFocusError(error);
  const level = code === 'internal' ? 'error' : 'warn';
  log[level]({ room: admission.room, participant: admission.token.identity, error: String(error) }, 'join failed');
  metrics.joinsRefused.inc({ reason: code });
  const cause = code === 'internal' ? 'the join failed' : message;
  sendAway(sink, DisconnectReason.JOIN_FAILURE, LeaveRequest_Action.DISCONNECT, cause);
}

/** A place in the store for a client, in one round trip; it may be in a room that lives elsewhere. Undefined: there was none, and it was sent away. */
export async function takePlace(
  options: SessionOpenerOptions,
  sink: SignalSink,
  admission: Admission,
  region: ClientRegion,
): Promise<TakenPlace | undefined> {
  const { host, placements, log, random } = options;
  const { token, room: name } = admission;
  const known = host.room(name);
  const placed = await host.offering(newSid('RM_', random), async roomSid => {
    const answer = await placements.join({
      room: name,
      createAs: admission.mayCreateRoom || known !== undefined ? { roomSid } : null,
      identity: token.identity,
      sid: newSid('PA_', random),
      region: region.region,
      participantsMax: (known?.properties ?? host.properties).participantsMax,
      ...(known === undefined ? {} : placementOf(known)),
      sticky: stickyOf(token.claims, options.stickySecret),
    });
    if (answer.kind === 'placed' && host.isHomeOf(answer.conference)) host.roomOf(answer.conference);
    return answer;
  });
  if (placed.kind === 'placed') return placed;
  const cause = NOT_PLACED[placed.kind];
  const rejected = placed.kind === 'no-bridge' ? rejections(placed.placement) : undefined;
  log.warn(
    { room: name, participant: token.identity, region: region.region, cause, rejected },
    'participant not placed',
  );
  sendAway(sink, DisconnectReason.JOIN_FAILURE, LeaveRequest_Action.DISCONNECT, cause);
  return undefined;
}

async function enterRoom(
  options: SessionOpenerOptions,
  sink: SignalSink,
  admission: Admission,
  region: ClientRegion,
  place: TakenPlace,
  { by }: Entrance,
): Promise<OpenedSession | undefined> {
  const { host, store, log, metrics } = options;
  const { conference, participant: record, placement } = place;
  const room = host.roomOf(conference);
  // Also when nobody gets in after all: a room that a join opened is not kept as long as one that was created to wait for people.
  room.hasBeenJoined = true;
  // Of two that join at once through several focuses, the one placed later may have come first.
  const isNewest = store.adopt(conference, record);
  if (!isNewest) {
    const { token, room: name } = admission;
    log.info(
      { room: name, participant: token.identity, participantSid: record.sid },
      'identity joined again meanwhile',
    );
    sendAway(sink, DisconnectReason.DUPLICATE_IDENTITY, LeaveRequest_Action.DISCONNECT, 'its identity joined again');
  }
  if (!isNewest || !sink.isOpen) {
    await store.release(conference.conferenceId, record.endpointId, record.sid);
    return undefined;
  }
  log.info(
    {
      room: admission.room,
      participant: admission.token.identity,
      participantSid: record.sid,
      ...(by === null ? {} : { entry: by.focusId }),
      region: region.region,
      regionRule: region.rule,
      bridge: placement.bridgeId,
      rule: placement.rule,
      connections: admission.hasTwoConnections ? 2 : 1,
      policy: placement.policy.kind,
      policyFrom: placement.policyFrom,
      service: placement.service,
      roundTrips: placement.roundTrips,
      placedFor: placement.placedFor,
      sticky: placement.sticky,
      stress: placement.stress,
      considered: placement.considered,
      loads: leastLoaded(placement),
    },
    'participant joined',
  );
  metrics.sessions.inc({ path: admission.hasTwoConnections ? '/rtc' : '/rtc/v1' });
  host.attach(record.sid, sessionOf(options, sink, admission.token));
  const participant = join(room, host.nowMs(), participantOf(admission, place));
  const { addTrackRequests, publisherOffer } = admission.request;
  const requests: SignalRequest['message'][] = addTrackRequests.map(value => ({ case: 'addTrack', value }));
  if (publisherOffer !== undefined) requests.push({ case: 'offer', value: publisherOffer });
  // All of it before the room's wishes are carried out: the bridge gets one document, and the answer comes after one round trip.
  for (const request of requests) handleRequest(room, participant, request, host.nowMs());
  host.apply(room);
  return { room, participant };
}

/** Only the participant that it was, over the signalling that it was: another session of the same identity is not taken over. */
function resumeSession(
  options: SessionOpenerOptions,
  sink: SignalSink,
  admission: Admission,
): OpenedSession | undefined {
  const { host, metrics } = options;
  const { request, token } = admission;
  const room = host.room(admission.room);
  const participant = room?.participants.get(token.identity);
  const isSame =
    (request.participantSid === '' || request.participantSid === participant?.sid) &&
    admission.hasTwoConnections === (participant?.receiving != null);
  if (room === undefined || participant === undefined || !isSame) {
    metrics.resumes.inc({ result: 'unknown' });
    const cause = 'this session is not known any more';
    sendAway(sink, DisconnectReason.STATE_MISMATCH, LeaveRequest_Action.RECONNECT, cause);
    return undefined;
  }
  const before = host.session(participant.sid);
  host.attach(participant.sid, sessionOf(options, sink, token));
  before?.sink.close('resumed on another socket');
  resume(room, participant);
  options.limits.usage.returned(token.apiKey, participant.sid);
  host.apply(room);
  const { syncState, publisherOffer } = request;
  if (syncState !== undefined) host.handleRequest(room, participant, { case: 'syncState', value: syncState });
  if (publisherOffer !== undefined) host.handleRequest(room, participant, { case: 'offer', value: publisherOffer });
  return { room, participant };
}

const NOT_PLACED: Readonly<Record<Exclude<Placed['kind'], 'placed'>, string>> = {
  'unknown-room': 'requested room does not exist',
  'room-full': 'room has exceeded its max participants',
  'no-bridge': 'no bridge can take a participant now',
};

function participantOf(admission: Admission, placed: TakenPlace): ParticipantInit {
  const { token, grant, request } = admission;
  const { participant, placement } = placed;
  return {
    sid: participant.sid,
    identity: token.identity,
    endpointId: participant.endpointId,
    bridgeId: placement.bridgeId,
    region: participant.region,
    bridgeRegion: placement.bridgeRegion ?? participant.region,
    name: token.name,
    metadata: admission.metadata,
    attributes: admission.attributes,
    kind: token.kind,
    permissions: permissionsOf(grant),
    client: admission.client,
    autoSubscribe: request.connectionSettings?.autoSubscribe ?? false,
    hasTwoConnections: admission.hasTwoConnections,
  };
}

/** Metadata is checked where it is set; a part of it that is no override says nothing. */
/** Why no bridge could be used: how many each filter took out. */
function rejections({ candidates }: Placement): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { rejectedBy = 'none' } of candidates) counts[rejectedBy] = (counts[rejectedBy] ?? 0) + 1;
  return counts;
}

/** For the log: the whole list is at `/v1/placements`. */
function leastLoaded({ candidates }: Placement): Record<string, number> {
  const fit = candidates.filter(({ rejectedBy }) => rejectedBy === undefined);
  const first = fit.toSorted((a, b) => a.stress - b.stress).slice(0, LOADS_LOGGED);
  return Object.fromEntries(first.map(({ bridgeId, stress }) => [bridgeId, Math.round(stress * 1000) / 1000]));
}

function sessionOf(options: SessionOpenerOptions, sink: SignalSink, token: AccessToken): Session {
  const { keys, tokenLifetimeSeconds, stickySecret: secret, host } = options;
  const freshToken = (participant: Participant, otherRoom?: string) => {
    const { name, metadata, attributes, permissions, region, bridgeId } = participant;
    // Always named: a token for any room is good for this one when it has been refreshed.
    const room = otherRoom ?? token.video?.room;
    const video = { ...(token.claims['video'] as object), ...permissionClaims(permissions), room };
    const changes = { name, metadata, attributes, video };
    // The other room may be on other bridges.
    const place = { region, bridgeId: otherRoom === undefined ? bridgeId : null, secret };
    return refreshAccessToken(keys, token, place, changes, host.nowMs(), tokenLifetimeSeconds);
  };
  return { sink, freshToken };
}

function sendAway(sink: SignalSink, reason: DisconnectReason, action: LeaveRequest_Action, cause: string): void {
  const canReconnect = action !== LeaveRequest_Action.DISCONNECT;
  sink.send({ case: 'leave', value: new LeaveRequest({ reason, action, canReconnect }) });
  sink.close(cause);
}
