import { RequestResponse, RequestResponse_Reason } from '@livekit/protocol';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

export interface RequestOutcome {
  readonly reason: RequestResponse_Reason;
  readonly message?: string;
  /** 0 for requests without an id of their own. */
  readonly requestId?: number;
  /** The request that it is about. */
  readonly about?: RequestResponse['request'];
}

/** Clients before this protocol level take any answer for an error. */
const PROTOCOL_WITH_SUCCESS = 15;

/** Tells a client what became of its request: LiveKit's RequestResponse. */
export function refuse(room: Room, participant: Participant, outcome: RequestOutcome): void {
  if (outcome.reason === RequestResponse_Reason.OK && participant.client.protocol < PROTOCOL_WITH_SUCCESS) return;
  room.send(participant, {
    case: 'requestResponse',
    value: new RequestResponse({
      requestId: outcome.requestId ?? 0,
      reason: outcome.reason,
      message: outcome.message ?? '',
      request: outcome.about ?? { case: undefined },
    }),
  });
}
