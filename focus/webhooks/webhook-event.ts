/** A webhook as LiveKit sends it: protobuf's JSON as the body, a token that holds the body's hash as the Authorization. */
import { createHash } from 'node:crypto';
import { WebhookEvent } from '@livekit/protocol';
import { SignJWT } from 'jose';
import type { WebhookDelivery } from './webhook-queue.ts';

/** LiveKit's receivers look for exactly this. */
export const WEBHOOK_CONTENT_TYPE = 'application/webhook+json';

/** A receiver's clock may be off by so much, less what the request takes. */
const TOKEN_LIFETIME_SECONDS = 300;

export function webhookBody({ entry, dropped }: WebhookDelivery): string {
  const { id, atMs, notice } = entry;
  const event = new WebhookEvent({
    ...notice,
    id,
    createdAt: BigInt(Math.floor(atMs / 1000)),
    numDropped: dropped,
  });
  return event.toJsonString();
}

/** For the Authorization header, without a scheme before it. */
export async function webhookToken(apiKey: string, secret: string, body: string, nowMs: number): Promise<string> {
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({ sha256: createHash('sha256').update(body).digest('base64') })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(apiKey)
    .setNotBefore(now)
    .setExpirationTime(now + TOKEN_LIFETIME_SECONDS)
    .sign(new TextEncoder().encode(secret));
}
