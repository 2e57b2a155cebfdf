/** Who may open a signalling socket, and with what: checked before the upgrade, answered as LiveKit's server answers. */
import { ClientInfo, type JoinRequest } from '@livekit/protocol';
import { type AccessToken, tokenOf, type VideoGrant, verifyAccessToken } from '../api/access-token.ts';
import type { TokenKeys } from '../api/token-keys.ts';
import { mergeAttributes, profileProblem } from '../conference/profile.ts';
import type { RoomSettings } from '../conference/room.ts';
import { FocusError } from '../errors.ts';
import { type JoinParameters, joinRequestOf } from './join-parameters.ts';
import { readJoinRequest } from './join-request.ts';
import type { Revocations } from './revocations.ts';

/** The parts of the HTTP request that count. */
export interface AdmissionRequest {
  readonly authorization: string | undefined;
  readonly accessToken: string | undefined;
  readonly joinRequest: string | undefined;
  /** All parameters of `/rtc`, where LiveKit's older protocol is spoken and there is no join request; null on `/rtc/v1`. */
  readonly olderParameters: JoinParameters | null;
}

export interface AdmissionRules {
  readonly keys: TokenKeys;
  readonly settings: RoomSettings;
  readonly roomNameCharactersMax: number;
  readonly identityCharactersMax: number;
  /** The first to join creates the room, whoever it is. */
  readonly isAutoCreated: boolean;
  /** At any focus. Asked only where the first to join does not create it. */
  readonly hasRoom: (name: string) => Promise<boolean>;
  readonly revocations: Pick<Revocations, 'isRevoked'>;
}

/** A client that may come in. */
export interface Admission {
  readonly token: AccessToken;
  readonly grant: VideoGrant;
  readonly room: string;
  readonly mayCreateRoom: boolean;
  readonly request: JoinRequest;
  /** It came by `/rtc`: two PeerConnections. */
  readonly hasTwoConnections: boolean;
  readonly client: ClientInfo;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Throws FocusError for whoever is not let in. */
export async function admit(rules: AdmissionRules, request: AdmissionRequest, nowMs: number): Promise<Admission> {
  const token = await verifiedToken(rules, request, nowMs);
  const grant = token.video;
  if (grant === null) throw new FocusError('permission-denied');
  const { olderParameters } = request;
  const joinRequest = olderParameters === null ? readJoinRequest(request.joinRequest) : joinRequestOf(olderParameters);
  await checkPlace(rules, token, grant);
  checkOwnProfile(grant, joinRequest);
  const profile = {
    name: token.name,
    metadata: joinRequest.metadata === '' ? token.metadata : joinRequest.metadata,
    attributes: mergeAttributes(token.attributes, withoutEmpty(joinRequest.participantAttributes)),
  };
  const problem = profileProblem(rules.settings, profile);
  if (problem !== undefined) throw new FocusError(problem);
  return {
    token,
    grant,
    room: grant.room,
    mayCreateRoom: mayCreate(rules, grant),
    request: joinRequest,
    hasTwoConnections: olderParameters !== null,
    client: joinRequest.clientInfo ?? new ClientInfo(),
    metadata: profile.metadata,
    attributes: profile.attributes,
  };
}

function verifiedToken(rules: AdmissionRules, request: AdmissionRequest, nowMs: number): Promise<AccessToken> {
  return verifyAccessToken(rules.keys, tokenOf(request.authorization, request.accessToken), nowMs);
}

async function checkPlace(rules: AdmissionRules, token: AccessToken, grant: VideoGrant): Promise<void> {
  if (!grant.roomJoin) throw new FocusError('permission-denied');
  if (token.identity === '') throw new FocusError('identity-empty');
  if ([...token.identity].length > rules.identityCharactersMax) throw new FocusError('identity-too-long');
  if (rules.revocations.isRevoked(grant.room, token.identity, token.claims.nbf)) throw new FocusError('token-revoked');
  if (grant.room === '') throw new FocusError('room-name-missing');
  if ([...grant.room].length > rules.roomNameCharactersMax) throw new FocusError('room-name-too-long');
  if (!mayCreate(rules, grant) && !(await rules.hasRoom(grant.room))) throw new FocusError('room-not-found');
}

function mayCreate(rules: AdmissionRules, grant: VideoGrant): boolean {
  return rules.isAutoCreated || grant.roomCreate;
}

/** Metadata that the client brings itself takes the grant to change its own. */
function checkOwnProfile(grant: VideoGrant, { metadata, participantAttributes }: JoinRequest): void {
  const brings = metadata !== '' || Object.keys(participantAttributes).length > 0;
  if (brings && !grant.canUpdateOwnMetadata) throw new FocusError('permission-denied');
}

/** What the token says is not removed by a request. */
function withoutEmpty(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}
