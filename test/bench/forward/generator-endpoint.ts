/** One endpoint that a load generator plays, as far as its transport goes: ICE checks, DTLS and SRTP, all under the generator's socket. */
import { randomBytes } from 'node:crypto';
import type { Certificate, Fingerprint } from '../../../bridge/io/certificate.ts';
import { DtlsEndpoint } from '../../../bridge/io/dtls-endpoint.ts';
import {
  MASTER_KEY_BYTES,
  masterSaltBytes,
  SRTP_AEAD_AES_128_GCM,
  SRTP_AES128_CM_HMAC_SHA1_80,
  type SrtpKeys,
  type SrtpProfile,
} from '../../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../../protocol/srtp/session.ts';
import { BINDING_REQUEST, BINDING_SUCCESS } from '../../../protocol/stun/constants.ts';
import { encodeStun } from '../../../protocol/stun/encode.ts';
import { StunMessage } from '../../../protocol/stun/message.ts';
import type { GeneratorSocket } from './io/generator-socket.ts';

/** libwebrtc's, for checks on a path not yet confirmed. */
const CHECK_INTERVAL_MS = 250;
const CONNECT_MS_MAX = 30_000;

const PROFILES = { gcm: SRTP_AEAD_AES_128_GCM, cm: SRTP_AES128_CM_HMAC_SHA1_80 } as const;

/** The bridge's side, from its answer to the endpoint's document. */
export interface RemoteTransport {
  readonly ufrag: string;
  readonly password: string;
  readonly port: number;
  readonly fingerprint: Fingerprint;
}

export type SessionFactory = (profile: SrtpProfile, keys: SrtpKeys) => SrtpSession;

export class GeneratorEndpoint {
  readonly index: number;
  readonly ice = { ufrag: randomBytes(6).toString('base64url'), password: randomBytes(18).toString('base64url') };
  /** Undefined until connected. */
  srtp: SrtpSession | undefined;
  /** The bridge's media port. */
  port = 0;
  readonly #socket: GeneratorSocket;
  readonly #certificate: Certificate;
  readonly #srtpName: keyof typeof PROFILES;
  #check: Uint8Array = new Uint8Array(0);
  #dtls: DtlsEndpoint | undefined;
  #isValidated = false;
  #settle: ((error: Error | undefined) => void) | undefined;

  constructor(index: number, socket: GeneratorSocket, certificate: Certificate, srtp: keyof typeof PROFILES) {
    this.index = index;
    this.#socket = socket;
    this.#certificate = certificate;
    this.#srtpName = srtp;
  }

  /** Checks until the bridge answers, then shakes hands. Rejects when that takes longer than 30 s. */
  async connect(remote: RemoteTransport): Promise<void> {
    this.port = remote.port;
    this.#check = this.#encodeCheck(remote);
    this.#dtls = this.#createDtls(remote.fingerprint);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settle = error => (error === undefined ? resolve() : reject(error));
    const repeat = setInterval(() => {
      if (!this.#isValidated) this.sendCheck();
    }, CHECK_INTERVAL_MS);
    const deadline = setTimeout(() => this.#fail('not connected within 30 s'), CONNECT_MS_MAX);
    this.sendCheck();
    try {
      await promise;
    } finally {
      clearInterval(repeat);
      clearTimeout(deadline);
    }
  }

  /** Also what keeps the bridge's consent fresh. */
  sendCheck(): void {
    this.#sendBytes(this.#check);
  }

  handleStun(bytes: Buffer): void {
    const message = new StunMessage();
    message.decode(bytes, 0, bytes.length);
    if (message.type !== BINDING_SUCCESS || this.#isValidated) return;
    this.#isValidated = true;
    this.#dtls?.start();
  }

  /** `datagram` is given away. */
  handleDtls(datagram: Buffer): void {
    this.#dtls?.handleDatagram(datagram);
  }

  close(): void {
    this.srtp = undefined;
    this.#dtls?.close();
    this.#socket.flush();
  }

  #createDtls(fingerprint: Fingerprint): DtlsEndpoint {
    return new DtlsEndpoint({
      role: 'client',
      certificate: this.#certificate,
      fingerprints: [fingerprint],
      srtpProfiles: [PROFILES[this.#srtpName]],
      sink: {
        send: datagram => this.#sendBytes(datagram),
        onConnected: () => this.#handleConnected(),
        onData: () => {},
        onFailed: reason => this.#fail(reason),
        onClosed: reason => this.#fail(reason),
      },
    });
  }

  #handleConnected(): void {
    const profile = this.#dtls?.srtpProfile;
    if (this.#dtls === undefined || profile === undefined) return this.#fail('no SRTP profile');
    this.srtp = this.#socket.createSession(profile, this.#dtls.srtpKeys(MASTER_KEY_BYTES, masterSaltBytes(profile)));
    this.#settle?.(undefined);
  }

  #fail(reason: string): void {
    this.srtp = undefined;
    this.#settle?.(new Error(`endpoint ${this.index}: ${reason}`));
  }

  #encodeCheck(remote: RemoteTransport): Uint8Array {
    const bytes = Buffer.alloc(1280);
    const length = encodeStun(bytes, 0, {
      type: BINDING_REQUEST,
      transactionId: randomBytes(12),
      username: `${remote.ufrag}:${this.ice.ufrag}`,
      key: remote.password,
      controlling: 1n,
      priority: 1,
      useCandidate: true,
    });
    return Uint8Array.from(bytes.subarray(0, length));
  }

  #sendBytes(bytes: Uint8Array): void {
    const offset = this.#socket.reserve();
    this.#socket.outgoing.set(bytes, offset);
    this.#socket.send(this.index, this.port, offset, bytes.length);
    this.#socket.flush();
  }
}
