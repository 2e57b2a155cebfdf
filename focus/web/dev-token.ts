/** `POST /v1/dev/token`: a token for whoever asks. Registered in development only; in production an application hands tokens out. */
import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { SignJWT } from 'jose';
import { type Static, Type } from 'typebox';

const TokenRequestSchema = Type.Object(
  {
    room: Type.String({ minLength: 1, maxLength: 128, pattern: '\\S' }),
    name: Type.String({ minLength: 1, maxLength: 64, pattern: '\\S' }),
  },
  { additionalProperties: false },
);
type TokenRequest = Static<typeof TokenRequestSchema>;

export interface DevelopmentToken {
  readonly token: string;
  /** The name made fit for an identity, and a few random digits: two people of one name are two participants. */
  readonly identity: string;
  /** Where an SDK connects: the origin that was asked. */
  readonly url: string;
}

/** A meeting in development may last a working day. */
const LIFETIME = '12h';

/** Signs with the first of `keys`; throws when there is none, since the page would be of no use. */
export function registerDevelopmentToken(app: FastifyInstance, keys: Readonly<Record<string, string>>): void {
  const [key, secret] = Object.entries(keys)[0] ?? [];
  if (key === undefined || secret === undefined) throw new Error('development tokens need an API key in keys');
  const schema = { body: TokenRequestSchema, hide: true };
  app.post<{ Body: TokenRequest }>('/v1/dev/token', { schema }, async (request, reply): Promise<DevelopmentToken> => {
    const room = request.body.room.trim();
    const name = request.body.name.trim();
    const identity = `${identityOf(name)}-${randomBytes(3).toString('hex')}`;
    const video = {
      roomJoin: true,
      room,
      canPublish: true,
      canSubscribe: true,
      canPublishData: true,
      canUpdateOwnMetadata: true,
    };
    const token = await new SignJWT({ name, video })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(key)
      .setSubject(identity)
      .setNotBefore('-10s')
      .setExpirationTime(LIFETIME)
      .sign(new TextEncoder().encode(secret));
    reply.header('cache-control', 'no-store');
    return { token, identity, url: `${request.protocol === 'https' ? 'wss' : 'ws'}://${request.host}` };
  });
}

function identityOf(name: string): string {
  const plain = name.normalize('NFKD').toLowerCase().replace(/\p{M}/gu, '');
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'guest';
}
