/**
 * LiveKit's access tokens: JWTs signed HS256 with the secret of the API key in `iss`, or RS256 or ES256 by an issuer whose JWKS is
 * configured; the claims are those of LiveKit's protocol (auth/grants.go). `exp` is required. Beside LiveKit's claims there may be `causeway: { region }`, the region a client was placed for:
 * the focus puts it into refreshed tokens so that a reconnect stays where it was.
 */
import { decodeJwt, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { FocusError } from '../errors.ts';
import type { IssuerKeys, TokenKeys } from './token-keys.ts';

/** What the holder may do, defaults resolved as LiveKit resolves them. */
export interface VideoGrant {
  readonly roomCreate: boolean;
  readonly roomList: boolean;
  readonly roomAdmin: boolean;
  readonly roomJoin: boolean;
  /** The room that `roomJoin` and `roomAdmin` are about; may be empty. */
  readonly room: string;
  /** The room that an admin of `room` may move participants to; empty: none. */
  readonly destinationRoom: string;
  /** True unless the token says otherwise. */
  readonly canPublish: boolean;
  /** True unless the token says otherwise. */
  readonly canSubscribe: boolean;
  /** As `canPublish` unless the token says otherwise. */
  readonly canPublishData: boolean;
  /** Track sources in LiveKit's words (camera, microphone, screen_share, screen_share_audio); empty: all. */
  readonly canPublishSources: readonly string[];
  /** False unless the token says otherwise. */
  readonly canUpdateOwnMetadata: boolean;
  readonly canSubscribeMetrics: boolean;
  readonly hidden: boolean;
  readonly recorder: boolean;
  readonly agent: boolean;
}

/** A verified token. It does not hold the token itself: logging one by mistake gives nothing away. */
export interface AccessToken {
  /** The API key or the issuer that vouches for it. */
  readonly apiKey: string;
  /** May be empty: server tokens have none. */
  readonly identity: string;
  readonly name: string;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** LiveKit's participant kind in lower case: standard, agent, ingress, egress, sip; empty is standard. */
  readonly kind: string;
  /** Null when the token has no `video` claim: it then allows nothing. */
  readonly video: VideoGrant | null;
  /** Sticky region of an earlier placement. */
  readonly region: string | undefined;
  readonly roomPreset: string;
  readonly expiresAtMs: number;
  /** All claims as received. */
  readonly claims: JWTPayload;
}

/** As LiveKit's verifier: clocks of token servers may be this much off. */
export const TOKEN_LEEWAY_SECONDS = 60;

const Claims = Type.Object({
  name: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.String()),
  attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
  kind: Type.Optional(Type.String()),
  roomPreset: Type.Optional(Type.String()),
  causeway: Type.Optional(Type.Object({ region: Type.Optional(Type.String({ maxLength: 64 })) })),
  video: Type.Optional(
    Type.Object({
      roomCreate: Type.Optional(Type.Boolean()),
      roomList: Type.Optional(Type.Boolean()),
      roomAdmin: Type.Optional(Type.Boolean()),
      roomJoin: Type.Optional(Type.Boolean()),
      room: Type.Optional(Type.String()),
      destinationRoom: Type.Optional(Type.String()),
      canPublish: Type.Optional(Type.Boolean()),
      canSubscribe: Type.Optional(Type.Boolean()),
      canPublishData: Type.Optional(Type.Boolean()),
      canPublishSources: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
      canUpdateOwnMetadata: Type.Optional(Type.Boolean()),
      canSubscribeMetrics: Type.Optional(Type.Boolean()),
      hidden: Type.Optional(Type.Boolean()),
      recorder: Type.Optional(Type.Boolean()),
      agent: Type.Optional(Type.Boolean()),
    }),
  ),
});
type VideoClaim = NonNullable<Static<typeof Claims>['video']>;

/**
 * Verifies a token. Throws FocusError `invalid-token` or `unknown-api-key`, whose messages neither repeat the token nor say which check
 * failed, except that it has expired; `issuer-unavailable` when the public keys of its issuer cannot be fetched.
 */
export async function verifyAccessToken(keys: TokenKeys, token: string, nowMs: number): Promise<AccessToken> {
  const apiKey = issuerOf(token);
  const issuer = keys.issuer(apiKey);
  if (issuer !== undefined) return accessTokenOf(apiKey, await verifyByIssuer(token, apiKey, issuer, nowMs));
  const secret = keys.secret(apiKey);
  if (secret === undefined) throw new FocusError('unknown-api-key');
  return accessTokenOf(apiKey, await verifyBySecret(token, secret, nowMs));
}

/**
 * The token of a request: `Authorization: Bearer`, else the `access_token` query parameter. Throws FocusError
 * `missing-authorization` for a header of another form and `permission-denied` when there is neither, as LiveKit's server answers.
 */
export function tokenOf(authorization: string | undefined, accessToken: string | undefined): string {
  if (authorization !== undefined && authorization !== '') {
    if (!authorization.startsWith('Bearer ')) throw new FocusError('missing-authorization');
    return authorization.slice('Bearer '.length);
  }
  if (accessToken === undefined || accessToken === '') throw new FocusError('permission-denied');
  return accessToken;
}

/**
 * A fresh token for the holder of `token`, for a client to reconnect with: same claims, except for `changes`, the sticky `region`, and a
 * lifetime of `lifetimeSeconds` from now. Signed with the same API key; for the token of an issuer, which alone has its private key, with
 * the focus's own. Throws FocusError when there is no such key (any more).
 */
export async function refreshAccessToken(
  keys: TokenKeys,
  token: AccessToken,
  region: string,
  changes: Readonly<Record<string, unknown>>,
  nowMs: number,
  lifetimeSeconds: number,
): Promise<string> {
  const apiKey = keys.issuer(token.apiKey) === undefined ? token.apiKey : keys.signer();
  const secret = apiKey === undefined ? undefined : keys.secret(apiKey);
  if (apiKey === undefined || secret === undefined) throw new FocusError('unknown-api-key');
  const now = Math.floor(nowMs / 1000);
  const times = { nbf: now, iat: now, exp: now + lifetimeSeconds };
  const claims = { ...token.claims, ...changes, iss: apiKey, causeway: { region }, ...times };
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
}

function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    throw new FocusError('invalid-token');
  }
}

async function verifyBySecret(token: string, secret: string, nowMs: number): Promise<JWTPayload> {
  try {
    const options = { ...checks(nowMs), algorithms: ['HS256'] };
    return (await jwtVerify(token, new TextEncoder().encode(secret), options)).payload;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Algorithms are fixed by who signs: nobody can have a public key taken for a secret. */
async function verifyByIssuer(token: string, name: string, issuer: IssuerKeys, nowMs: number): Promise<JWTPayload> {
  const audience = issuer.audience === undefined ? {} : { audience: issuer.audience };
  try {
    const options = { ...checks(nowMs), ...audience, issuer: name, algorithms: ['RS256', 'ES256'] };
    return (await jwtVerify(token, issuer.find, options)).payload;
  } catch (error) {
    throw isAboutToken(error) ? refusalOf(error) : new FocusError('issuer-unavailable');
  }
}

function checks(nowMs: number) {
  return { requiredClaims: ['exp', 'iss'], clockTolerance: TOKEN_LEEWAY_SECONDS, currentDate: new Date(nowMs) };
}

/** What else can go wrong is the fetching of the issuer's keys, or what it answers with. */
function isAboutToken(error: unknown): boolean {
  const about = /^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT_SUPPORTED|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS)/;
  return error instanceof errors.JOSEError && about.test(error.code);
}

function refusalOf(error: unknown): FocusError {
  const hasExpired = error instanceof errors.JWTExpired;
  return new FocusError('invalid-token', hasExpired ? 'token is expired' : undefined);
}

/** The token of claims that have been verified. Throws FocusError `invalid-token` when they are not those of LiveKit's protocol. */
export function accessTokenOf(apiKey: string, payload: JWTPayload): AccessToken {
  const { sub, jti, exp } = payload;
  if (exp === undefined || !Value.Check(Claims, payload)) throw new FocusError('invalid-token');
  return {
    apiKey,
    identity: sub ?? jti ?? '',
    name: payload.name ?? '',
    metadata: payload.metadata ?? '',
    attributes: payload.attributes ?? {},
    kind: payload.kind ?? '',
    video: payload.video === undefined ? null : readVideo(payload.video),
    region: payload.causeway?.region,
    roomPreset: payload.roomPreset ?? '',
    expiresAtMs: exp * 1000,
    claims: payload,
  };
}

function readVideo(claim: VideoClaim): VideoGrant {
  const canPublish = claim.canPublish ?? true;
  return {
    roomCreate: claim.roomCreate ?? false,
    roomList: claim.roomList ?? false,
    roomAdmin: claim.roomAdmin ?? false,
    roomJoin: claim.roomJoin ?? false,
    room: claim.room ?? '',
    destinationRoom: claim.destinationRoom ?? '',
    canPublish,
    canSubscribe: claim.canSubscribe ?? true,
    canPublishData: claim.canPublishData ?? canPublish,
    canPublishSources: claim.canPublishSources ?? [],
    canUpdateOwnMetadata: claim.canUpdateOwnMetadata ?? false,
    canSubscribeMetrics: claim.canSubscribeMetrics ?? false,
    hidden: claim.hidden ?? false,
    recorder: claim.recorder ?? false,
    agent: claim.agent ?? false,
  };
}
