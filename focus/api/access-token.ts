/**
 * LiveKit's access tokens: JWTs signed HS256 with the secret of the API key in `iss`; the claims are those of LiveKit's protocol
 * (auth/grants.go). `exp` is required. Beside LiveKit's claims there may be `causeway: { region }`, the region a client was placed for:
 * the focus puts it into refreshed tokens so that a reconnect stays where it was.
 */
import { decodeJwt, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { FocusError } from '../errors.ts';

/** What the holder may do, defaults resolved as LiveKit resolves them. */
export interface VideoGrant {
  readonly roomCreate: boolean;
  readonly roomList: boolean;
  readonly roomAdmin: boolean;
  readonly roomJoin: boolean;
  /** The room that `roomJoin` and `roomAdmin` are about; may be empty. */
  readonly room: string;
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
 * Verifies a token against `keys` (API key to secret). Throws FocusError `invalid-token` or `unknown-api-key`; neither message repeats the
 * token or says which check failed, except that it has expired.
 */
export async function verifyAccessToken(
  keys: Readonly<Record<string, string>>,
  token: string,
  nowMs: number,
): Promise<AccessToken> {
  const apiKey = issuerOf(token);
  const secret = Object.hasOwn(keys, apiKey) ? keys[apiKey] : undefined;
  if (secret === undefined) throw new FocusError('unknown-api-key');
  return readClaims(apiKey, await verifySignature(token, secret, nowMs));
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
 * A fresh token for the holder of `token`, signed with the same key, for a client to reconnect with: same claims, except for
 * `changes`, the sticky `region`, and a lifetime of `lifetimeSeconds` from now. Throws FocusError when the key is gone from `keys`.
 */
export async function refreshAccessToken(
  keys: Readonly<Record<string, string>>,
  token: AccessToken,
  region: string,
  changes: Readonly<Record<string, unknown>>,
  nowMs: number,
  lifetimeSeconds: number,
): Promise<string> {
  const secret = Object.hasOwn(keys, token.apiKey) ? keys[token.apiKey] : undefined;
  if (secret === undefined) throw new FocusError('unknown-api-key');
  const now = Math.floor(nowMs / 1000);
  const claims = { ...token.claims, ...changes, causeway: { region }, nbf: now, iat: now, exp: now + lifetimeSeconds };
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
}

function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    throw new FocusError('invalid-token');
  }
}

async function verifySignature(token: string, secret: string, nowMs: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      requiredClaims: ['exp', 'iss'],
      clockTolerance: TOKEN_LEEWAY_SECONDS,
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (error) {
    const hasExpired = error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED';
    throw new FocusError('invalid-token', hasExpired ? 'token is expired' : undefined);
  }
}

function readClaims(apiKey: string, payload: JWTPayload): AccessToken {
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
