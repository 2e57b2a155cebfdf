/** SRTP sessions of both ends of a hop, with keys that nobody negotiated. */
import { sharedEvp } from '../../bridge/io/native/evp.ts';
import { createNativeSrtpSession } from '../../bridge/io/native/srtp.ts';
import {
  createSrtpSession,
  MASTER_KEY_BYTES,
  masterSaltBytes,
  SRTP_PROFILES,
  type SrtpKeys,
} from '../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import type { Chance } from './chance.ts';

export interface Hop {
  /** The bridge's end, native. */
  readonly bridge: SrtpSession;
  /** The client's, native or portable: each is proof of the other. */
  readonly client: SrtpSession;
  /** Native contexts that both have. */
  readonly contexts: number;
}

export function openHop(chance: Chance): Hop {
  const profile = SRTP_PROFILES[chance.below(SRTP_PROFILES.length)];
  const saltBytes = masterSaltBytes(profile);
  const keys: SrtpKeys = {
    localKey: chance.bytes(MASTER_KEY_BYTES),
    localSalt: chance.bytes(saltBytes),
    remoteKey: chance.bytes(MASTER_KEY_BYTES),
    remoteSalt: chance.bytes(saltBytes),
  };
  const { localKey, localSalt, remoteKey, remoteSalt } = keys;
  const mirrored = { localKey: remoteKey, localSalt: remoteSalt, remoteKey: localKey, remoteSalt: localSalt };
  const before = sharedEvp().contextsInUse;
  const bridge = createNativeSrtpSession(profile, keys);
  const client = chance.is(0.5) ? createNativeSrtpSession(profile, mirrored) : createSrtpSession(profile, mirrored);
  return { bridge, client, contexts: sharedEvp().contextsInUse - before };
}

export function closeHop(hop: Hop): void {
  hop.bridge.close();
  hop.client.close();
}
