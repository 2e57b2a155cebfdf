/** What becomes of each SignalRequest. README.md beside this file has one row for each. */
import {
  DisconnectReason,
  LeaveRequest_Action,
  RequestResponse_Reason,
  type SignalRequest,
  type SimulateScenario,
} from '@livekit/protocol';
import { LEFT_BY_ITSELF, type Leaving, leave, syncState } from '../conference/joining.ts';
import { handleOffer, requestOffer } from '../conference/negotiating.ts';
import { handleAnswer } from '../conference/offering.ts';
import type { Participant } from '../conference/participant.ts';
import { updateOwnProfile } from '../conference/profile.ts';
import { addTrack, mute, updateTrack } from '../conference/publishing.ts';
import { refuse } from '../conference/refusing.ts';
import type { Room } from '../conference/room.ts';
import { updateSubscriptionPermission, updateSubscriptions, updateTrackSettings } from '../conference/subscribing.ts';
import { SdpError } from '../sdp/sdp-error.ts';

type Request = Exclude<SignalRequest['message'], { case: undefined }>;
export type RequestCase = Request['case'];
type ValueOf<Case extends RequestCase> = Extract<Request, { case: Case }>['value'];
type Handler<Case extends RequestCase> = (
  room: Room,
  participant: Participant,
  request: ValueOf<Case>,
  nowMs: number,
) => void;

/** Handles one request of a participant. What it leads to is in the room's outputs. */
export function handleRequest(
  room: Room,
  participant: Participant,
  message: SignalRequest['message'],
  nowMs: number,
): void {
  if (message.case === undefined || participant.state === 'disconnected') return;
  // The table's type ties each handler to its case; TypeScript cannot follow that through a union.
  const handler = HANDLERS[message.case] as Handler<RequestCase>;
  handler(room, participant, message.value, nowMs);
}

/** Of no consequence here: README.md says why. */
const ignore = (): void => {};

export const HANDLERS: { readonly [Case in RequestCase]: Handler<Case> } = {
  offer: (room, participant, request, nowMs) =>
    orLeave(room, participant, nowMs, 'offer', () => handleOffer(room, participant, request)),
  answer: (room, participant, request, nowMs) =>
    orLeave(room, participant, nowMs, 'answer', () => handleAnswer(room, participant, request)),
  trickle: ignore,
  addTrack: (room, participant, request) => {
    if (addTrack(room, participant, request)) requestOffer(room, participant);
  },
  mute,
  subscription: updateSubscriptions,
  trackSetting: updateTrackSettings,
  leave: (room, participant, _request, nowMs) => leave(room, nowMs, participant, LEFT_BY_ITSELF),
  updateLayers: ignore,
  subscriptionPermission: updateSubscriptionPermission,
  syncState: (room, participant, request, nowMs) => syncState(room, nowMs, participant, request),
  simulate: (room, participant, request, nowMs) => simulate(room, participant, request, nowMs),
  ping: ignore,
  pingReq: ignore,
  updateMetadata: updateOwnProfile,
  updateAudioTrack: (room, participant, request) => {
    if (!updateTrack(room, participant, request.trackSid, { features: request.features })) {
      refuse(room, participant, { ...NO_SUCH_TRACK, about: { case: 'updateAudioTrack', value: request } });
    }
  },
  updateVideoTrack: (room, participant, request) => {
    if (!updateTrack(room, participant, request.trackSid, { width: request.width, height: request.height })) {
      refuse(room, participant, { ...NO_SUCH_TRACK, about: { case: 'updateVideoTrack', value: request } });
    }
  },
  publishDataTrackRequest: (room, participant, request) =>
    refuse(room, participant, { ...NO_DATA_TRACKS, about: { case: 'publishDataTrack', value: request } }),
  unpublishDataTrackRequest: (room, participant, request) =>
    refuse(room, participant, { ...NO_DATA_TRACKS, about: { case: 'unpublishDataTrack', value: request } }),
  updateDataSubscription: ignore,
  storeDataBlobRequest: (room, participant, request) => refuse(room, participant, noBlobs(request.requestId)),
  getDataBlobRequest: (room, participant, request) => refuse(room, participant, noBlobs(request.requestId)),
};

const NO_SUCH_TRACK = { reason: RequestResponse_Reason.NOT_FOUND, message: 'no such track' };
const NO_DATA_TRACKS = { reason: RequestResponse_Reason.NOT_ALLOWED, message: 'data tracks are not supported' };

function noBlobs(requestId: number) {
  return { reason: RequestResponse_Reason.NOT_ALLOWED, message: 'data blobs are not supported', requestId };
}

function orLeave(
  room: Room,
  participant: Participant,
  nowMs: number,
  what: 'offer' | 'answer',
  negotiate: () => void,
): void {
  try {
    negotiate();
  } catch (error) {
    if (!(error instanceof SdpError)) throw error;
    leave(room, nowMs, participant, badSdp(what, error));
  }
}

/** The same client would write the same again: it is not asked to reconnect. */
function badSdp(what: 'offer' | 'answer', error: SdpError): Leaving {
  return {
    reason: DisconnectReason.STATE_MISMATCH,
    action: LeaveRequest_Action.DISCONNECT,
    cause: `${what} refused: ${error.code}`,
  };
}

/** LiveKit's own test switches: those that its SDKs' tests rely on and that make sense here. */
function simulate(room: Room, participant: Participant, { scenario }: SimulateScenario, nowMs: number): void {
  switch (scenario.case) {
    case 'nodeFailure':
    case 'migration':
      // As when the server dies: no goodbye, the socket just closes.
      leave(room, nowMs, participant, {
        reason: DisconnectReason.SERVER_SHUTDOWN,
        action: null,
        cause: `simulated ${scenario.case}`,
      });
      break;
    case 'serverLeave':
      leave(room, nowMs, participant, {
        reason: DisconnectReason.SERVER_SHUTDOWN,
        action: LeaveRequest_Action.DISCONNECT,
        cause: 'simulated leave',
      });
      break;
    case 'leaveRequestFullReconnect':
      leave(room, nowMs, participant, {
        reason: DisconnectReason.UNKNOWN_REASON,
        action: LeaveRequest_Action.RECONNECT,
        cause: 'simulated reconnect',
      });
      break;
    default:
  }
}
