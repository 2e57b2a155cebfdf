/**
 * Where a client was placed, in the token it reconnects with: `causeway: { region, bridge, seal }`. The region may be said by whoever signs tokens: an application knows where its people are, or where their data
 * may go. Which machine serves them is this network's own decision, so a bridge counts only with a seal that a focus has set: an HMAC under a key that no holder of an API secret has, over
 * the bridge and what the token is for, so that it is good in that token and in no other.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { BridgeId } from '../../protocol/ids.ts';
import type { Sticky } from '../placement/sticky.ts';

export interface StickyPlace {
  readonly region: string;
  /** Null: only the region stays, for a token that leads to another conference. */
  readonly bridgeId: BridgeId | null;
  /** `control.secret`: focuses share it. */
  readonly secret: string;
}

/** The claim for a token with `claims`, which are final but for this one. */
export function stickyClaims(claims: JWTPayload, { region, bridgeId, secret }: StickyPlace): Record<string, string> {
  if (bridgeId === null) return { region };
  return { region, bridge: bridgeId, seal: sealOf(secret, claims, bridgeId).toString('base64url') };
}

/** What a verified token says of a bridge; null: nothing. */
export function stickyOf(claims: JWTPayload, secret: string): Sticky | null {
  const { bridge, seal = '' } = (claims['causeway'] ?? {}) as { readonly bridge?: string; readonly seal?: string };
  if (bridge === undefined) return null;
  const [said, expected] = [Buffer.from(seal, 'base64url'), sealOf(secret, claims, bridge)];
  return { bridgeId: bridge as BridgeId, isSealed: said.length === expected.length && timingSafeEqual(said, expected) };
}

/** Apart from whatever else is signed with the secret. */
const PURPOSE = 'causeway sticky bridge 1';

function sealOf(secret: string, { iss, sub, jti, exp, video }: JWTPayload, bridge: string): Buffer {
  const { room } = (video ?? {}) as { readonly room?: string };
  const sealed = JSON.stringify([PURPOSE, iss, sub ?? jti, room, exp, bridge]);
  return createHmac('sha256', secret).update(sealed).digest();
}
