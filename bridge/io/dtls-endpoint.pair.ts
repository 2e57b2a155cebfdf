/** Two DTLS ends joined by a wire that a test can tamper with. */

import { SRTP_PROFILES, type SrtpProfile } from '../../protocol/srtp/profiles.ts';
import { type Certificate, createCertificate, type Fingerprint } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';

export const [alice, bob, mallory] = await Promise.all([createCertificate(), createCertificate(), createCertificate()]);

export interface Side {
  readonly endpoint: DtlsEndpoint;
  readonly log: string[];
  readonly received: Buffer[];
  readonly drops: string[];
  /** Resolves with the first final word: connected, or why not. */
  readonly settled: Promise<string>;
}

/** An endpoint whose datagrams go to `deliver`, each in a turn of its own. */
export function side(
  role: 'client' | 'server',
  certificate: Certificate,
  fingerprints: readonly Fingerprint[],
  deliver: (datagram: Buffer) => void,
  srtpProfiles: readonly SrtpProfile[] = SRTP_PROFILES,
  isAddressValidated = false,
): Side {
  const log: string[] = [];
  const received: Buffer[] = [];
  const drops: string[] = [];
  const { promise: settled, resolve } = Promise.withResolvers<string>();
  const note = (event: string) => {
    log.push(event);
    resolve(event);
  };
  const endpoint = new DtlsEndpoint({
    role,
    certificate,
    fingerprints,
    srtpProfiles,
    isAddressValidated,
    sink: {
      send: datagram => queueMicrotask(() => deliver(Buffer.from(datagram))),
      onConnected: () => note('connected'),
      onData: bytes => received.push(bytes),
      onFailed: reason => note(`failed ${reason}`),
      onClosed: reason => note(`closed ${reason}`),
      onDrop: reason => drops.push(reason),
    },
  });
  return { endpoint, log, received, drops, settled };
}

export interface Pair {
  client: Side;
  server: Side;
}

/** `tamper` sees every datagram and gives what arrives instead. */
export function connect(
  options: {
    clientExpects?: Certificate;
    serverExpects?: Certificate;
    clientProfiles?: readonly SrtpProfile[];
    isAddressValidated?: boolean;
    tamper?: (datagram: Buffer, from: 'client' | 'server') => readonly Buffer[];
  } = {},
): Pair {
  const pass = options.tamper ?? (datagram => [datagram]);
  const server: Side = side(
    'server',
    bob,
    [(options.serverExpects ?? alice).fingerprint],
    datagram => {
      for (const arrived of pass(datagram, 'server')) client.endpoint.handleDatagram(arrived);
    },
    SRTP_PROFILES,
    options.isAddressValidated,
  );
  const client: Side = side(
    'client',
    alice,
    [(options.clientExpects ?? bob).fingerprint],
    datagram => {
      for (const arrived of pass(datagram, 'client')) server.endpoint.handleDatagram(arrived);
    },
    options.clientProfiles,
  );
  server.endpoint.start();
  client.endpoint.start();
  return { client, server };
}

export function end({ client, server }: Pair): void {
  client.endpoint.close();
  server.endpoint.close();
}

export async function turn(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}

export function plainRecord(type: number, fragment: Buffer): Buffer {
  const head = Buffer.from([type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0]);
  head.writeUInt16BE(fragment.length, 11);
  return Buffer.concat([head, fragment]);
}
