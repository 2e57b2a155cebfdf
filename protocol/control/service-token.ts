/** Tokens with which services of one deployment know each other: HS256 JWTs from a shared secret (jose). */
import { jwtVerify, SignJWT } from 'jose';

const AUDIENCE = 'causeway-control';
const LIFETIME_SECONDS = 60;

/** A token for one sender, valid for 60 s. `secret` is at least 32 characters (configuration enforces it). */
export async function signServiceToken(secret: string, issuer: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME_SECONDS}s`)
    .sign(new TextEncoder().encode(secret));
}

/** The sender's name, or undefined when the `Authorization` header carries no valid service token. Never throws. */
export async function verifyServiceToken(
  secret: string,
  authorization: string | undefined,
): Promise<string | undefined> {
  if (authorization === undefined || !authorization.startsWith('Bearer ')) return undefined;
  try {
    const { payload } = await jwtVerify(authorization.slice(7), new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      audience: AUDIENCE,
      requiredClaims: ['exp', 'iss'],
    });
    return payload.iss;
  } catch {
    return undefined;
  }
}
