import { type KeyObject, randomBytes } from 'node:crypto';
import type { SrtpProfile } from '../../protocol/srtp/profiles.ts';
import {
  ANSWER,
  announcedKey,
  DONE,
  fail,
  type HandshakeSettings,
  type HandshakeSide,
  type HandshakeStep,
  type Secrets,
  WAIT,
} from './dtls-handshake.ts';
import {
  decodeCookie,
  decodeServerHello,
  encodeClientHello,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
} from './dtls-hello.ts';
import type { HandshakeMessage } from './dtls-inbox.ts';
import { createKeyAgreement, isNamedGroup } from './dtls-key-agreement.ts';
import { kept, masterSecretOf, type Randoms, verifyDataOf, writeKeysOf } from './dtls-keys.ts';
import {
  CERTIFICATE,
  CERTIFICATE_REQUEST,
  CERTIFICATE_VERIFY,
  CLIENT_HELLO,
  CLIENT_KEY_EXCHANGE,
  decodeServerKey,
  encodeCertificate,
  encodeCertificateVerify,
  encodeClientKeyExchange,
  FINISHED,
  HELLO_VERIFY_REQUEST,
  SERVER_HELLO,
  SERVER_HELLO_DONE,
  SERVER_KEY_EXCHANGE,
} from './dtls-messages.ts';
import { provesKeyExchange, provesTranscript } from './dtls-proof.ts';
import { RecordCipher } from './dtls-record-cipher.ts';
import type { DtlsWriter } from './dtls-writer.ts';

const RANDOM_BYTES = 32;

/** The client's side of a full handshake (RFC 6347 section 4.2.4). */
export class DtlsClientSide implements HandshakeSide {
  expected: readonly number[] = [HELLO_VERIFY_REQUEST, SERVER_HELLO];
  secrets: Secrets | undefined;
  srtpProfile: SrtpProfile | undefined;
  readonly #settings: HandshakeSettings;
  readonly #writer: DtlsWriter;
  readonly #random = randomBytes(RANDOM_BYTES);
  #randoms: Randoms | undefined;
  #hasExtendedMasterSecret = false;
  #peerKey: KeyObject | undefined;
  #serverKey: { readonly group: number; readonly publicKey: Buffer } | undefined;
  #isCertificateWanted = false;

  constructor(settings: HandshakeSettings, writer: DtlsWriter) {
    this.#settings = settings;
    this.#writer = writer;
  }

  start(): HandshakeStep {
    return this.#sayHello(Buffer.alloc(0));
  }

  handle(message: HandshakeMessage): HandshakeStep {
    const { type, messageSequence, body } = message;
    if (type === HELLO_VERIFY_REQUEST) return this.#handleCookie(body);
    if (type === FINISHED) return this.#handleFinished(body);
    const step = this.#handleFlight(type, body);
    if (step.kind === 'fail') return step;
    this.#writer.heard(type, messageSequence, body);
    return type === SERVER_HELLO_DONE ? this.#answer() : step;
  }

  #handleFlight(type: number, body: Buffer): HandshakeStep {
    if (type === SERVER_HELLO) return this.#handleHello(body);
    if (type === CERTIFICATE) return this.#handleCertificate(body);
    if (type === SERVER_KEY_EXCHANGE) return this.#handleKeyExchange(body);
    this.#isCertificateWanted ||= type === CERTIFICATE_REQUEST;
    this.expected = type === CERTIFICATE_REQUEST ? [SERVER_HELLO_DONE] : [FINISHED];
    return WAIT;
  }

  #sayHello(cookie: Buffer): HandshakeStep {
    this.#writer.begin();
    this.#writer.forgetTranscript();
    this.#writer.message(CLIENT_HELLO, encodeClientHello(this.#random, cookie, this.#settings.srtpProfiles));
    return ANSWER;
  }

  #handleCookie(body: Buffer): HandshakeStep {
    const cookie = decodeCookie(body);
    this.expected = [SERVER_HELLO];
    return this.#sayHello(cookie);
  }

  #handleHello(body: Buffer): HandshakeStep {
    const hello = decodeServerHello(body);
    const { srtpProfiles } = this.#settings;
    this.srtpProfile = srtpProfiles.find(profile => profile === hello.srtpProfile);
    if (hello.cipherSuite !== TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) return fail('dtls-handshake');
    if (srtpProfiles.length > 0 && this.srtpProfile === undefined) return fail('dtls-no-srtp');
    this.#hasExtendedMasterSecret = hello.hasExtendedMasterSecret;
    this.#randoms = { client: this.#random, server: kept(hello.random) };
    this.expected = [CERTIFICATE];
    return WAIT;
  }

  #handleCertificate(body: Buffer): HandshakeStep {
    const key = announcedKey(body, this.#settings.fingerprints);
    if (typeof key === 'string') return fail(key);
    this.#peerKey = key;
    this.expected = [SERVER_KEY_EXCHANGE];
    return WAIT;
  }

  #handleKeyExchange(body: Buffer): HandshakeStep {
    const randoms = this.#randoms;
    const isOwner =
      this.#peerKey !== undefined &&
      randoms !== undefined &&
      provesKeyExchange(body, this.#peerKey, randoms.client, randoms.server);
    if (!isOwner) return fail('dtls-possession');
    this.#serverKey = decodeServerKey(body);
    this.expected = [CERTIFICATE_REQUEST, SERVER_HELLO_DONE];
    return WAIT;
  }

  /** Everything from our certificate to our Finished message. */
  #answer(): HandshakeStep {
    const { certificate } = this.#settings;
    const writer = this.#writer;
    const group = this.#serverKey?.group ?? 0;
    if (this.#serverKey === undefined || this.#randoms === undefined || !isNamedGroup(group)) {
      return fail('dtls-handshake');
    }
    const agreement = createKeyAgreement(group);
    const preMaster = agreement.agree(this.#serverKey.publicKey);
    if (preMaster === undefined) return fail('dtls-handshake');

    writer.begin();
    if (this.#isCertificateWanted) writer.message(CERTIFICATE, encodeCertificate(certificate.der));
    writer.message(CLIENT_KEY_EXCHANGE, encodeClientKeyExchange(agreement));
    const transcript = this.#hasExtendedMasterSecret ? writer.transcript() : undefined;
    const master = masterSecretOf(preMaster, this.#randoms, transcript);
    this.secrets = { master, randoms: this.#randoms };
    if (this.#isCertificateWanted) {
      writer.message(CERTIFICATE_VERIFY, encodeCertificateVerify(writer.transcript(), certificate.key));
    }
    writer.cipher = new RecordCipher(writeKeysOf(master, this.#randoms), 'client');
    writer.finished(FINISHED, verifyDataOf(master, 'client', writer.transcript()));
    return ANSWER;
  }

  #handleFinished(body: Buffer): HandshakeStep {
    const { secrets } = this;
    if (secrets === undefined || !provesTranscript(body, 'server', secrets.master, this.#writer.transcript())) {
      return fail('dtls-finished');
    }
    this.#writer.forgetTranscript();
    this.expected = [];
    return DONE;
  }
}
