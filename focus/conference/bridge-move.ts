/**
 * A participant goes on at another bridge, in the same session. Its signalling socket is closed: the client
 * resumes, with an offer that restarts ICE, and the answer names the other bridge.
 * Until then the bridge before serves it, if there still is one. Decision 0016 has the reasons.
 */
import { SignalTarget, type SyncState } from '@livekit/protocol';
import type { EndpointSpec } from '../../protocol/control/spec.ts';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import type { Offer } from '../sdp/offer.ts';
import { announceToAll } from './announcing.ts';
import type { MoveCause } from './endpoint-mover.ts';
import { tellToResume } from './hand-over.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

export interface BridgeMove {
  readonly cause: MoveCause;
  readonly from: BridgeId;
  readonly startedAtMs: number;
  /** The bridge that serves it until its media is up at the other; null: there is none any more. */
  old: BridgeId | null;
  /** `told`: its socket was closed, so that it resumes. `resumed`: it has, or need not; its offer comes, or is with the bridge. `answered`: it knows the other bridge. */
  phase: 'told' | 'resumed' | 'answered';
  /** Since when it is in reach and has not come up, as far as a tick has noticed. */
  waitsSinceMs: number | null;
  /** The other bridge knows that it comes, and keeps reliable messages for it. */
  isAwaited: boolean;
  /** The bridge before is to give it no more of them (hand-over.ts). */
  isHandedOver: boolean;
  /** Bridges that know that messages for it are to go to the other bridge. */
  readonly toldBridges: Set<BridgeId>;
  /** Those of its endpoints that are to be up at the other bridge. */
  readonly awaited: Set<EndpointId>;
}

export type OpenChannels = NonNullable<EndpointSpec['openChannels']>;

/** Data channels that a client has brought along from another bridge, of either PeerConnection. */
export interface BroughtChannels {
  readonly publisher: OpenChannels;
  readonly subscriber: OpenChannels;
  readonly received: NonNullable<EndpointSpec['received']>;
}

/** With its client in reach, a move is a matter of a second; a client that has not come up after so long joins anew. */
const MOVE_TIMEOUT_MS = 10_000;
/** Of the first reliable message, so that a client repeats all later ones of which it is not sure. Others' clients know those that they have had. */
const FIRST_SEQUENCE = 1;
/** Why such a client leaves. */
export const MOVE_TIMED_OUT = 'it did not come up on the bridge it was moved to';
const CHANNEL_KINDS: ReadonlyMap<string, keyof OpenChannels> = new Map([
  ['_reliable', 'reliable'],
  ['_lossy', 'lossy'],
]);

export interface Destination {
  readonly bridgeId: BridgeId;
  readonly bridgeRegion: string;
}

/** False: it has an answer and no media yet, so that its client would not resume but join anew. */
export function canMove({ state, offer, answer }: Participant): boolean {
  return state === 'active' || offer === null || answer !== null;
}

/**
 * Its place is on the bridge `to` from now on. `isOldGone`: where it is it has no media any more. Call it again when the bridge it moves to is lost. The room's output `moved` says when
 * its media is up there; `left`, that it will not be.
 */
export function startMove(
  room: Room,
  nowMs: number,
  participant: Participant,
  to: Destination,
  cause: MoveCause,
  isOldGone: boolean,
): void {
  const { bridgeId: from, receiving, move: before } = participant;
  // What was prepared at a bridge that is not to be is taken back; the bridge that serves it goes on.
  if (before !== null) room.dropFrom(participant, from);
  const old = before === null ? (isOldGone ? null : from) : before.phase === 'answered' ? null : before.old;
  if (before?.old != null && old === null) room.dropFrom(participant, before.old);
  participant.move = {
    cause,
    from: before?.from ?? from,
    startedAtMs: before?.startedAtMs ?? nowMs,
    old,
    phase: nextPhase(participant),
    waitsSinceMs: null,
    isAwaited: false,
    isHandedOver: false,
    toldBridges: new Set(),
    awaited: before?.awaited.size ? before.awaited : awaitedOf(participant),
  };
  participant.bridgeId = to.bridgeId;
  participant.bridgeRegion = to.bridgeRegion;
  participant.mediaGoneAtMs = null;
  participant.openChannels = null;
  room.measurements.forget(participant.endpointId);
  // Another bridge numbers packets anew: under the old SSRCs they would look like packets of the past.
  participant.subscriptions.renew(participant.clientSsrcs(), room.random);
  participant.delivered = new Map();
  if (participant.move.phase === 'told') {
    participant.answer = null;
    const isTold = participant.signalLostAtMs !== null;
    // What the client says of its messages when it resumes is to be the last that it has had from the old bridge: the other one takes over first.
    if (!isTold && old === null) tellToResume(room, participant, nowMs);
  } else if (participant.answer !== null) participant.answer.revision = 0;
  receiving?.handleMoved(participant.move.phase === 'told');
  room.handlePlacesChanged();
  room.touch(participant);
  announceToAll(room, participant);
}

/** The client is back on a new socket. */
export function handleResumed({ move }: Participant): number {
  if (move === null) return 0;
  move.waitsSinceMs = null;
  if (move.phase === 'told') move.phase = 'resumed';
  move.isHandedOver = true;
  return FIRST_SEQUENCE;
}

/** Which data channels a client brings along, and what it has had on them. */
export function noteChannels(participant: Participant, state: SyncState): void {
  if (participant.move === null) return;
  const { dataChannels, datachannelReceiveStates } = state;
  const channels: { publisher: OpenChannels; subscriber: OpenChannels } = { publisher: {}, subscriber: {} };
  for (const { label, id, target } of dataChannels) {
    const kind = CHANNEL_KINDS.get(label);
    if (kind === undefined || id > STREAM_ID_MAX) continue;
    channels[target === SignalTarget.PUBLISHER ? 'publisher' : 'subscriber'][kind] = id;
  }
  const received = datachannelReceiveStates
    .slice(0, RECEIVED_MAX)
    .map(({ publisherSid: sid, lastSeq: sequence }) => ({ sid, sequence }));
  participant.openChannels = { ...channels, received };
}

/** True for an offer of the time before the move: it cannot be answered by another bridge, and the one that can is on its way. */
export function isOutdated(
  { move, offer: before, iceGeneration, answeredGeneration }: Participant,
  offer: Offer,
): boolean {
  if (move === null || move.phase === 'answered') return false;
  if (move.phase === 'told') return true;
  return iceGeneration === answeredGeneration && before?.ice.ufrag === offer.ice.ufrag;
}

/** The client has what it needs to go to the other bridge, and will send nothing more to the one before: others are to expect it there. */
export function handleAnswered(room: Room, { move }: Participant): void {
  if (move === null || move.phase !== 'resumed') return;
  move.phase = 'answered';
  room.handlePlacesChanged();
}

/** One of its endpoints is up at the bridge it moves to. */
export function handleMediaUp(room: Room, nowMs: number, participant: Participant, endpointId: EndpointId): void {
  const { move, sid: participantSid, identity, bridgeId, region } = participant;
  if (move === null || !move.awaited.delete(endpointId) || move.awaited.size > 0) return;
  participant.move = null;
  if (move.old !== null) room.dropFrom(participant, move.old);
  room.handlePlacesChanged();
  const { from, cause, startedAtMs } = move;
  const tookMs = nowMs - startedAtMs;
  room.output({ kind: 'moved', participantSid, identity, endpointId, bridgeId, region, from, cause, tookMs });
}

/** True when it has not come up at the other bridge for too long. Call it with every tick. */
export function isMoveOverdue({ move, signalLostAtMs }: Participant, nowMs: number): boolean {
  if (move === null || signalLostAtMs !== null) return false;
  move.waitsSinceMs ??= nowMs;
  return nowMs - move.waitsSinceMs >= MOVE_TIMEOUT_MS;
}

const STREAM_ID_MAX = 65_534;
/** Senders, as EndpointSpec allows. */
const RECEIVED_MAX = 10_000;

function nextPhase({
  move,
  offer,
  answer,
  iceGeneration,
  answeredGeneration,
  signalLostAtMs,
}: Participant): BridgeMove['phase'] {
  // A client that is away resumes by itself; one that was told is about to.
  if (signalLostAtMs !== null || move?.phase === 'told') return 'told';
  // Its own restart of ICE, or its first offer, waits for an answer: the other bridge can give that as well.
  const isUnanswered = answer !== null && iceGeneration > answeredGeneration;
  return offer === null || isUnanswered || move?.phase === 'resumed' ? 'resumed' : 'told';
}

function awaitedOf({ endpointId, receiving }: Participant): Set<EndpointId> {
  if (receiving === null) return new Set([endpointId]);
  const connected = receiving.connected;
  return new Set(connected.length > 0 ? connected : [receiving.isPrimary ? receiving.endpointId : endpointId]);
}
