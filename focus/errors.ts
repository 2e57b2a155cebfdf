/**
 * Every error a focus answers with, in one table: stable code, HTTP status, Twirp code, and the text LiveKit's server gives where
 * it has the case, since clients and their users search for it.
 */

/** Codes of the Twirp wire protocol (version 7, "Error Codes") that are in use here. */
export type TwirpCode =
  | 'invalid_argument'
  | 'malformed'
  | 'not_found'
  | 'bad_route'
  | 'unauthenticated'
  | 'failed_precondition'
  | 'resource_exhausted'
  | 'unimplemented'
  | 'unavailable'
  | 'internal';

interface Row {
  readonly status: number;
  readonly twirp: TwirpCode;
  readonly message: string;
}

const table = {
  'missing-authorization': row(401, 'unauthenticated', 'invalid authorization header. Must start with Bearer '),
  'invalid-token': row(401, 'unauthenticated', 'invalid authorization token'),
  'unknown-api-key': row(401, 'unauthenticated', 'invalid API key'),
  'token-revoked': row(401, 'unauthenticated', 'the token has been revoked'),
  // LiveKit answers 401, not 403, for a valid token that lacks the grant.
  'permission-denied': row(401, 'unauthenticated', 'permissions denied'),
  'invalid-service-token': row(401, 'unauthenticated', 'a valid service token is required'),
  'wrong-bridge': row(400, 'invalid_argument', 'the report is not about the bridge in the path'),
  'room-name-missing': row(400, 'invalid_argument', 'no room name'),
  'identity-empty': row(400, 'invalid_argument', 'identity cannot be empty'),
  'room-name-too-long': row(400, 'invalid_argument', 'room name length exceeds limits'),
  'identity-too-long': row(400, 'invalid_argument', 'participant identity length exceeds limits'),
  'name-too-long': row(400, 'invalid_argument', 'name length exceeds limits'),
  'metadata-too-large': row(400, 'invalid_argument', 'metadata size exceeds limits'),
  'placement-invalid': row(400, 'invalid_argument', 'placement in the metadata of the room is not valid'),
  'attributes-too-large': row(400, 'invalid_argument', 'attribute size exceeds limits'),
  'message-too-large': row(400, 'invalid_argument', 'data message exceeds limits'),
  'destination-missing': row(400, 'invalid_argument', 'no destination room'),
  'same-room': row(400, 'invalid_argument', 'the participant is in the destination room already'),
  'invalid-nonce': row(400, 'invalid_argument', 'nonce should be 16-bytes or not present'),
  'invalid-join-request': row(400, 'invalid_argument', 'cannot decode join request'),
  'malformed-body': row(400, 'malformed', 'the body cannot be decoded'),
  'invalid-request': row(400, 'invalid_argument', 'the request does not follow its schema'),
  'room-not-found': row(404, 'not_found', 'requested room does not exist'),
  'participant-not-found': row(404, 'not_found', 'participant does not exist'),
  'track-not-found': row(404, 'not_found', 'track is not found'),
  'placement-not-found': row(404, 'not_found', 'no placement of this participant is remembered'),
  'bridge-not-found': row(404, 'not_found', 'no such bridge is up'),
  'focus-not-found': row(404, 'not_found', 'no such focus is up'),
  'route-not-found': row(404, 'bad_route', 'no such path or method'),
  'remote-unmute-disabled': row(412, 'failed_precondition', 'remote unmute not enabled'),
  'participant-away': row(412, 'failed_precondition', 'the participant has no signalling connection at the moment'),
  'body-too-large': row(413, 'malformed', 'the body is larger than the limit'),
  'room-full': row(429, 'resource_exhausted', 'room has exceeded its max participants'),
  'too-many-joins': row(429, 'resource_exhausted', 'too many joins, try again'),
  'limit-exceeded': row(429, 'resource_exhausted', 'a limit of this server is reached'),
  'not-supported': row(501, 'unimplemented', 'this method is not supported'),
  'bridge-unavailable': row(503, 'unavailable', 'the bridge does not answer'),
  'home-unavailable': row(503, 'unavailable', 'the focus that serves this room does not answer'),
  'focus-unavailable': row(503, 'unavailable', 'not every focus answers'),
  'too-many-bridges': row(503, 'resource_exhausted', 'this focus knows too many bridges already'),
  'no-bridge': row(503, 'unavailable', 'no bridge can take a participant now'),
  'issuer-unavailable': row(503, 'unavailable', "the keys of the token's issuer cannot be fetched"),
  'store-unavailable': row(503, 'unavailable', 'the shared state cannot be reached'),
  'shutting-down': row(503, 'unavailable', 'this focus is shutting down'),
  internal: row(500, 'internal', 'internal error'),
} as const satisfies Record<string, Row>;

export type FocusErrorCode = keyof typeof table;

/** A refusal, ready to be answered. `message` is for the client: it never holds a token or a secret. */
export class FocusError extends Error {
  readonly code: FocusErrorCode;
  /** HTTP status. */
  readonly status: number;
  readonly twirpCode: TwirpCode;

  constructor(code: FocusErrorCode, detail?: string) {
    const { status, twirp, message } = table[code];
    super(detail === undefined ? message : `${message}: ${detail}`);
    this.name = 'FocusError';
    this.code = code;
    this.status = status;
    this.twirpCode = twirp;
  }
}

/** The body of every error of the focus's own HTTP API. */
export interface ErrorBody {
  readonly error: { readonly code: FocusErrorCode; readonly message: string };
}

/** The body for an error; anything but a FocusError is told to the client as `internal` only, and is for the log. */
export function errorBody(error: unknown): ErrorBody {
  const { code, message } = asFocusError(error);
  return { error: { code, message } };
}

/** The error itself, or the FocusError to answer in its place: fastify's own refusals keep their meaning, the rest is `internal`. */
export function asFocusError(error: unknown): FocusError {
  if (error instanceof FocusError) return error;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500;
  if (status === 413) return new FocusError('body-too-large');
  if (status === 400 && error instanceof Error) return new FocusError('invalid-request', error.message);
  if (status === 415) return new FocusError('malformed-body', 'unexpected content type');
  if (status === 404) return new FocusError('route-not-found');
  return new FocusError('internal');
}

function row(status: number, twirp: TwirpCode, message: string): Row {
  return { status, twirp, message };
}
