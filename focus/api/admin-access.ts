/** Who may read the admin API: another service of the deployment, or a holder of LiveKit's roomList or roomAdmin grant. */
import type { FastifyRequest } from 'fastify';
import { verifyServiceToken } from '../../protocol/control/service-token.ts';
import type { FocusConfig } from '../config.ts';
import { FocusError } from '../errors.ts';
import { tokenOf, verifyAccessToken } from './access-token.ts';
import type { TokenKeys } from './token-keys.ts';

/** Of whoever gives an order, as bridges keep it. */
const NAME_LENGTH_MAX = 64;

export interface AdminAccess {
  readonly config: Pick<FocusConfig, 'control'>;
  readonly keys: TokenKeys;
}

/** The rooms that a caller may see. */
export type AdminScope = { readonly kind: 'all' } | { readonly kind: 'room'; readonly room: string };

/** Answers what `request` may see: roomAdmin is about one room. Throws FocusError when it is nothing. */
export async function adminScope(
  { config, keys }: AdminAccess,
  request: FastifyRequest,
  nowMs: number,
): Promise<AdminScope> {
  const { authorization } = request.headers;
  if ((await verifyServiceToken(config.control.secret, authorization)) !== undefined) return { kind: 'all' };
  const { video } = await verifyAccessToken(keys, tokenOf(authorization, undefined), nowMs);
  if (video?.roomList === true) return { kind: 'all' };
  if (video?.roomAdmin === true && video.room !== '') return { kind: 'room', room: video.room };
  throw new FocusError('permission-denied');
}

/** Answers who the caller is, in a word. Throws FocusError unless it may change the network itself: a service, or who may end every room anyway (roomCreate) and see all of them. */
export async function operatorAccess(
  { config, keys }: AdminAccess,
  request: FastifyRequest,
  nowMs: number,
): Promise<string> {
  const { authorization } = request.headers;
  const service = await verifyServiceToken(config.control.secret, authorization);
  if (service !== undefined) return service.slice(0, NAME_LENGTH_MAX);
  const { video, apiKey } = await verifyAccessToken(keys, tokenOf(authorization, undefined), nowMs);
  if (video?.roomCreate !== true || video.roomList !== true) throw new FocusError('permission-denied');
  return apiKey.slice(0, NAME_LENGTH_MAX);
}

/** True when a caller of that scope may see `room`. */
export function includesRoom(scope: AdminScope, room: string): boolean {
  return scope.kind === 'all' || scope.room === room;
}
