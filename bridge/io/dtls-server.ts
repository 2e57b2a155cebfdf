import { type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
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
  type ClientHello,
  decodeClientHello,
  ECDSA_SHA256,
  encodeCookie,
  encodeServerHello,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
} from './dtls-hello.ts';
import type { HandshakeMessage } from './dtls-inbox.ts';
import {
  createKeyAgreement,
  type KeyAgreement,
  NAMED_GROUPS,
  type NamedGroup,
  SECP256R1,
} from './dtls-key-agreement.ts';
import { kept, masterSecretOf, type Randoms, verifyDataOf, writeKeysOf } from './dtls-keys.ts';
import {
  CERTIFICATE,
  CERTIFICATE_REQUEST,
  CERTIFICATE_VERIFY,
  CLIENT_HELLO,
  CLIENT_KEY_EXCHANGE,
  decodeClientKey,
  encodeCertificate,
  encodeCertificateRequest,
  encodeServerKeyExchange,
  FINISHED,
  HELLO_VERIFY_REQUEST,
  SERVER_HELLO,
  SERVER_HELLO_DONE,
  SERVER_KEY_EXCHANGE,
} from './dtls-messages.ts';
import { provesPossession, provesTranscript } from './dtls-proof.ts';
import { RecordCipher } from './dtls-record-cipher.ts';
import type { DtlsWriter } from './dtls-writer.ts';

const COOKIE_BYTES = 20;

/** The server's side of a full handshake (RFC 6347 section 4.2.4). Nothing is computed for a client before it has shown its cookie, if it is to. */
export class DtlsServerSide implements HandshakeSide {
  expected: readonly number[] = [CLIENT_HELLO];
  secrets: Secrets | undefined;
  srtpProfile: SrtpProfile | undefined;
  readonly #settings: HandshakeSettings;
  readonly #writer: DtlsWriter;
  /** What the client must send back to show that it receives at its address; undefined when that is known already. */
  readonly #cookie: Buffer | undefined;
  #isCookieSent = false;
  #hasExtendedMasterSecret = false;
  #randoms: Randoms | undefined;
  #agreement: KeyAgreement | undefined;
  #peerKey: KeyObject | undefined;

  constructor(settings: HandshakeSettings, writer: DtlsWriter, wantsCookie: boolean) {
    this.#settings = settings;
    this.#writer = writer;
    this.#cookie = wantsCookie ? Buffer.from(settings.cookie ?? randomBytes(COOKIE_BYTES)) : undefined;
  }

  start(): HandshakeStep {
    return WAIT;
  }

  handle(message: HandshakeMessage): HandshakeStep {
    if (message.type === CLIENT_HELLO) return this.#handleHello(message);
    if (message.type === CERTIFICATE) return this.#handleCertificate(message);
    if (message.type === CLIENT_KEY_EXCHANGE) return this.#handleKeyExchange(message);
    if (message.type === CERTIFICATE_VERIFY) return this.#handleVerify(message);
    return this.#handleFinished(message);
  }

  #handleHello(message: HandshakeMessage): HandshakeStep {
    const hello = decodeClientHello(message.body);
    if (this.#cookie !== undefined && !isSame(hello.cookie, this.#cookie)) return this.#demandCookie(this.#cookie);
    const group = groupOf(hello);
    if (group === undefined || !canVerifyUs(hello)) return fail('dtls-handshake');
    const { srtpProfiles } = this.#settings;
    this.srtpProfile = srtpProfiles.find(profile => hello.srtpProfiles.includes(profile));
    if (srtpProfiles.length > 0 && this.srtpProfile === undefined) return fail('dtls-no-srtp');

    this.#hasExtendedMasterSecret = hello.hasExtendedMasterSecret;
    this.#randoms = { client: kept(hello.random), server: randomBytes(32) };
    this.#agreement = createKeyAgreement(group);
    this.#writer.heard(message.type, message.messageSequence, message.body);
    this.#writeFlight(hello, this.#randoms, this.#agreement);
    this.expected = [CERTIFICATE];
    return ANSWER;
  }

  /** Once: a client that does not give it back has not seen it, and says the same hello again. */
  #demandCookie(cookie: Buffer): HandshakeStep {
    if (this.#isCookieSent) return fail('dtls-cookie');
    this.#isCookieSent = true;
    this.#writer.begin();
    this.#writer.unrecorded(HELLO_VERIFY_REQUEST, encodeCookie(cookie));
    return ANSWER;
  }

  #writeFlight(hello: ClientHello, randoms: Randoms, agreement: KeyAgreement): void {
    const { certificate } = this.#settings;
    const writer = this.#writer;
    writer.begin();
    writer.message(SERVER_HELLO, encodeServerHello(randoms.server, hello, this.srtpProfile));
    writer.message(CERTIFICATE, encodeCertificate(certificate.der));
    writer.message(SERVER_KEY_EXCHANGE, encodeServerKeyExchange(agreement, randoms, certificate.key));
    writer.message(CERTIFICATE_REQUEST, encodeCertificateRequest());
    writer.message(SERVER_HELLO_DONE, Buffer.alloc(0));
  }

  #handleCertificate(message: HandshakeMessage): HandshakeStep {
    const key = announcedKey(message.body, this.#settings.fingerprints);
    if (typeof key === 'string') return fail(key);
    this.#peerKey = key;
    this.#writer.heard(message.type, message.messageSequence, message.body);
    this.expected = [CLIENT_KEY_EXCHANGE];
    return WAIT;
  }

  #handleKeyExchange(message: HandshakeMessage): HandshakeStep {
    const preMaster = this.#agreement?.agree(decodeClientKey(message.body));
    if (preMaster === undefined || this.#randoms === undefined) return fail('dtls-handshake');
    this.#writer.heard(message.type, message.messageSequence, message.body);
    const transcript = this.#hasExtendedMasterSecret ? this.#writer.transcript() : undefined;
    const master = masterSecretOf(preMaster, this.#randoms, transcript);
    this.secrets = { master, randoms: this.#randoms };
    this.#agreement = undefined;
    this.expected = [CERTIFICATE_VERIFY];
    return WAIT;
  }

  #handleVerify(message: HandshakeMessage): HandshakeStep {
    const isOwner =
      this.#peerKey !== undefined && provesPossession(message.body, this.#peerKey, this.#writer.transcript());
    if (!isOwner || this.secrets === undefined) return fail('dtls-possession');
    this.#writer.heard(message.type, message.messageSequence, message.body);
    this.#writer.cipher = new RecordCipher(writeKeysOf(this.secrets.master, this.secrets.randoms), 'server');
    this.expected = [FINISHED];
    return WAIT;
  }

  #handleFinished(message: HandshakeMessage): HandshakeStep {
    const writer = this.#writer;
    const { secrets } = this;
    if (secrets === undefined || !provesTranscript(message.body, 'client', secrets.master, writer.transcript())) {
      return fail('dtls-finished');
    }
    writer.heard(message.type, message.messageSequence, message.body);
    writer.begin();
    writer.finished(FINISHED, verifyDataOf(secrets.master, 'server', writer.transcript()));
    writer.forgetTranscript();
    this.expected = [];
    return DONE;
  }
}

/** The group for the key exchange: a client that names none knows the one that every implementation has (RFC 8422 section 4). */
function groupOf(hello: ClientHello): NamedGroup | undefined {
  if (hello.groups === undefined) return SECP256R1;
  return NAMED_GROUPS.find(group => hello.groups?.includes(group));
}

function canVerifyUs(hello: ClientHello): boolean {
  const knowsScheme = hello.signatureSchemes === undefined || hello.signatureSchemes.includes(ECDSA_SHA256);
  return knowsScheme && hello.cipherSuites.includes(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
}

function isSame(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
