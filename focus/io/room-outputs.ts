/** Carries out what rooms want done: messages to sockets, documents to bridges, places given back to the store. */
import { DisconnectReason, LeaveRequest_Action } from '@livekit/protocol';
import type { Logger } from 'pino';
import { withPeers } from '../conference/conference-spec.ts';
import { handlePlacesTaken } from '../conference/hand-over.ts';
import { leave } from '../conference/joining.ts';
import type { Notice } from '../conference/notice.ts';
import { handleTaken } from '../conference/offering.ts';
import type { Participant } from '../conference/participant.ts';
import type { Room } from '../conference/room.ts';
import type { RoomOutput } from '../conference/room-output.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import type { BridgeLinks } from './bridge-links.ts';
import type { Session } from './session.ts';

export interface RoomOutputsOptions {
  /** By participant SID. */
  readonly sessions: Map<string, Session>;
  readonly links: BridgeLinks;
  readonly store: Store;
  readonly metrics: FocusMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Called after a bridge's answer has changed a room. */
  readonly apply: (room: Room) => void;
  readonly onNotice: (notice: Notice) => void;
  /** A participant's media is up on another bridge, or it has left. */
  readonly onEnded: (room: Room, output: Extract<RoomOutput, { kind: 'moved' | 'left' }>) => void;
  /** For work whose failure is only to be logged. */
  readonly inBackground: (work: Promise<unknown>, trouble: string) => void;
}

export class RoomOutputs {
  readonly #options: RoomOutputsOptions;

  constructor(options: RoomOutputsOptions) {
    this.#options = options;
  }

  /** Does one thing that a room wants done. */
  perform(room: Room, output: RoomOutput): void {
    const { links, metrics } = this.#options;
    const { conferenceId } = room.identity;
    switch (output.kind) {
      case 'signal':
        this.#options.sessions.get(output.participantSid)?.sink.send(output.message);
        break;
      case 'close-signal':
        this.#options.sessions.get(output.participantSid)?.sink.close(output.reason);
        this.#options.sessions.delete(output.participantSid);
        break;
      case 'refresh-token':
        this.#options.inBackground(this.#refreshToken(room, output.participantSid), 'token not refreshed');
        break;
      case 'endpoint':
        this.#putEndpoint(room, output);
        break;
      case 'endpoint-removed':
        links.link(output.bridgeId)?.removeEndpoint(conferenceId, output.endpointId);
        break;
      case 'conference':
        this.putConference(room);
        break;
      case 'conference-removed':
        links.link(output.bridgeId)?.removeConference(conferenceId);
        break;
      case 'notice':
        this.#options.onNotice(output.notice);
        break;
      case 'tracks':
        metrics.tracks.inc({ kind: 'audio' }, output.audio);
        metrics.tracks.inc({ kind: 'video' }, output.video);
        break;
      case 'moved':
        this.#options.onEnded(room, output);
        break;
      default:
        this.#note(room, output);
    }
  }

  #note(room: Room, output: Extract<RoomOutput, { kind: 'joined' | 'active' | 'resumed' | 'left' }>): void {
    const { metrics, log, store } = this.#options;
    const { identity: participant, participantSid, bridgeId: bridge, region } = output;
    const fields = { room: room.identity.name, participant, participantSid, bridge, region };
    if (output.kind === 'joined') metrics.participants.inc({ region });
    else if (output.kind === 'resumed') metrics.resumes.inc({ result: 'resumed' });
    if (output.kind !== 'left') {
      log[output.kind === 'active' ? 'info' : 'debug'](fields, `participant ${output.kind}`);
      return;
    }
    const reason = DisconnectReason[output.reason].toLowerCase();
    metrics.participants.dec({ region });
    metrics.leaves.inc({ reason });
    log.info({ ...fields, reason, cause: output.cause }, 'participant left');
    this.#options.onEnded(room, output);
    const released = store.release(room.identity.conferenceId, output.endpointId, participantSid);
    this.#options.inBackground(released, 'place not given back to the store');
  }

  #putEndpoint(room: Room, output: Extract<RoomOutput, { kind: 'endpoint' }>): void {
    const { endpointId, bridgeId, revision, document } = output;
    const { links, apply, nowMs } = this.#options;
    const present = (act: (participant: Participant) => void) => {
      const participant = room.withEndpoint(endpointId);
      // It may have moved since: that bridge's answer is of no use to it.
      if (participant?.bridgeId !== bridgeId) return;
      act(participant);
      apply(room);
    };
    links.link(bridgeId)?.putEndpoint(room.identity.conferenceId, endpointId, {
      revision,
      document,
      onTaken: (taken, transport) =>
        present(participant => handleTaken(room, participant, endpointId, taken, transport)),
      onRefused: status =>
        present(participant =>
          leave(room, nowMs(), participant, {
            reason: DisconnectReason.STATE_MISMATCH,
            action: participant.move === null ? LeaveRequest_Action.DISCONNECT : LeaveRequest_Action.RECONNECT,
            cause: `its bridge refused it with ${status}`,
          }),
        ),
    });
  }

  /** Brings the conference to each of its bridges as it is now. */
  putConference(room: Room): void {
    const { links, apply } = this.#options;
    const document = room.document();
    for (const bridgeId of document.bridgeIds) {
      const body = withPeers(document, bridgeId, id => links.peer(id));
      const isMoving = body.endpoints.some(({ movingTo }) => movingTo !== undefined);
      links.link(bridgeId)?.putConference(room.identity.conferenceId, body, () => {
        if (!isMoving) return;
        handlePlacesTaken(room, bridgeId, body.endpoints);
        apply(room);
      });
    }
  }

  async #refreshToken(room: Room, participantSid: string): Promise<void> {
    const session = this.#options.sessions.get(participantSid);
    const participant = room.withSid(participantSid);
    if (session === undefined || participant === undefined) return;
    session.sink.send({ case: 'refreshToken', value: await session.freshToken(participant) });
  }
}
