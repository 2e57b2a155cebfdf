/** How datagrams move and packets are protected: `portable` on node:dgram and node:crypto, `fast` on native code (Linux). Both do the same. */
import { type FrameCiphers, PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { createSrtpSession, type SrtpKeys, type SrtpProfile } from '../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import { compareDatapaths } from './compare-datapaths.ts';
import type { DatagramPort, PortOptions } from './datagram-port.ts';
import { FastPort } from './fast-port.ts';
import { NativeOpener, NativeSealer } from './native/octo.ts';
import { createNativeSrtpSession } from './native/srtp.ts';
import { PortablePort } from './portable-port.ts';

export interface Datapath {
  readonly name: 'fast' | 'portable';
  /** Why it is this one, for logs and `GET /v1/bridge`. */
  readonly reason: string;
  openPort<Owner>(options: PortOptions<Owner>): Promise<DatagramPort<Owner>>;
  createSrtpSession(profile: SrtpProfile, keys: SrtpKeys): SrtpSession;
  readonly frameCiphers: FrameCiphers;
}

export function portableDatapath(reason: string): Datapath {
  return {
    name: 'portable',
    reason,
    openPort: options => PortablePort.open(options),
    createSrtpSession,
    frameCiphers: PORTABLE_FRAME_CIPHERS,
  };
}

/** Throws an Error on the first packet when this platform cannot: see {@link chooseDatapath}. */
export function fastDatapath(reason: string): Datapath {
  return {
    name: 'fast',
    reason,
    openPort: options => FastPort.open(options),
    createSrtpSession: (profile, keys) => createNativeSrtpSession(profile, keys),
    frameCiphers: {
      sealer: (key, salt) => new NativeSealer(key, salt),
      opener: (key, salt) => new NativeOpener(key, salt),
    },
  };
}

export const DATAPATH_CHOICES = ['auto', 'fast', 'portable'] as const;
export type DatapathChoice = (typeof DATAPATH_CHOICES)[number];

/**
 * The datapath to run on. `auto` takes the fast one (`makeFast`: another, for tests) where it works and agrees with the portable one, and says in one log line why not otherwise.
 * `fast` rejects with that reason instead: for who would rather not start than be slow.
 */
export async function chooseDatapath(
  choice: DatapathChoice,
  log: { warn(details: object, message: string): void },
  makeFast: (reason: string) => Datapath = fastDatapath,
): Promise<Datapath> {
  if (choice === 'portable') return portableDatapath('configured');
  try {
    const fast = makeFast(choice === 'fast' ? 'configured' : 'it works here');
    await compareDatapaths(fast, portableDatapath('to compare with'));
    return fast;
  } catch (error) {
    const reason = (error as Error).message;
    if (choice === 'fast')
      throw new Error(`datapath is fast, and that does not work here: ${reason}`, { cause: error });
    log.warn(
      { reason },
      'packets go the portable way, at about five times the CPU: the fast datapath does not work here',
    );
    return portableDatapath(reason);
  }
}
