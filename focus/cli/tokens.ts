/** The tokens that the command line signs: its own, to ask the focus with, and those it hands out. */
import { SignJWT } from 'jose';
import type { Connection, TokenCommand } from './command-line.ts';

const OWN_LIFETIME_SECONDS = 60;

/** For the server and admin API. `rooms`: where the caller acts in, and where it moves somebody to. */
export function operatorToken(
  connection: Connection,
  nowMs: number,
  rooms: { readonly room?: string; readonly destinationRoom?: string } = {},
): Promise<string> {
  const video = {
    roomList: true,
    roomCreate: true,
    ...(rooms.room === undefined ? {} : { roomAdmin: true }),
    ...rooms,
  };
  return sign(connection, nowMs, OWN_LIFETIME_SECONDS, { sub: 'causeway-cli', video });
}

export function participantToken(connection: Connection, nowMs: number, command: TokenCommand): Promise<string> {
  const { room, identity, name, lifetimeSeconds, isAdmin, isListener } = command;
  const video = {
    roomJoin: true,
    room,
    canPublish: !isListener,
    canPublishData: !isListener,
    canSubscribe: true,
    canUpdateOwnMetadata: true,
    ...(isAdmin ? { roomAdmin: true } : {}),
  };
  return sign(connection, nowMs, lifetimeSeconds, { sub: identity, ...(name === '' ? {} : { name }), video });
}

function sign(
  { apiKey, apiSecret }: Connection,
  nowMs: number,
  lifetimeSeconds: number,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({ ...claims, iss: apiKey, nbf: now, exp: now + lifetimeSeconds })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(apiSecret));
}
