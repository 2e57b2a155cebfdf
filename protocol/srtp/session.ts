/**
 * What a transport needs of SRTP and SRTCP (RFC 3711), whichever profile and implementation is behind it. All work is done in place: packets lie
 * in slots with room for the trailer (at most 20 bytes), and nothing throws on what the network sent.
 */
import { readUint16, readUint32 } from '../rtp/packet.ts';
import {
  SRTP_EXHAUSTED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_SSRC_LIMIT,
  SRTP_UNAUTHENTIC,
  SRTP_UNENCRYPTED,
} from './outcome.ts';
import { type PacketCipher, SRTCP_ENCRYPTED } from './packet-cipher.ts';
import { isRtcpLike, RTCP_CLEAR_BYTES, rtpHeaderLength } from './rtp-header.ts';
import { INCOMING_SSRCS_MAX, OUTGOING_SSRCS_MAX, packetIndex, StreamTable } from './stream-table.ts';

export interface SrtpSession {
  /** Encrypts a packet in place and returns its new length, or a negative code (`outcome.ts`) when it must not be sent. */
  protectRtp(bytes: Uint8Array, offset: number, length: number): number;
  /**
   * The same for a retransmission. A packet that has left before leaves again under its own index: the caller answers for every byte being what it was
   * (RFC 3711 section 9.1: other bytes under one index give the key stream away).
   */
  protectRtpAgain(bytes: Uint8Array, offset: number, length: number): number;
  protectRtcp(bytes: Uint8Array, offset: number, length: number): number;
  /** Authenticates and decrypts in place and returns the plain length, or a negative code; then neither bytes nor state have changed. */
  unprotectRtp(bytes: Uint8Array, offset: number, length: number): number;
  unprotectRtcp(bytes: Uint8Array, offset: number, length: number): number;
  /** Wipes the keys. Nothing may be called afterwards; closing twice is harmless. */
  close(): void;
}

const RTP_INDEX_END = 2 ** 48;
const RTCP_INDEX_END = 2 ** 31;

/** A session over the ciphers of its two directions. */
export class CipherSession implements SrtpSession {
  #outgoing: PacketCipher;
  #incoming: PacketCipher;
  readonly #sent = new StreamTable(OUTGOING_SSRCS_MAX, 'refuse');
  readonly #received = new StreamTable(INCOMING_SSRCS_MAX, 'evict');
  readonly #receivedReports = new StreamTable(INCOMING_SSRCS_MAX, 'evict');
  /** One counter for all our SSRCs: no index is ever used twice. */
  #sentReportIndex = 0;

  constructor(outgoing: PacketCipher, incoming: PacketCipher) {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  protectRtp(bytes: Uint8Array, offset: number, length: number): number {
    const header = rtpHeaderLength(bytes, offset, length);
    if (header < 0) return SRTP_MALFORMED;
    const ssrc = readUint32(bytes, offset + 8);
    const stream = this.#sent.find(ssrc);
    const index = packetIndex(stream, readUint16(bytes, offset + 2));
    if (index < 0 || (stream !== undefined && !stream.seen.isFresh(index))) return SRTP_REPLAYED;
    if (index >= RTP_INDEX_END) return SRTP_EXHAUSTED;
    if (!this.#sent.hasRoomFor(ssrc)) return SRTP_SSRC_LIMIT;
    this.#sent.accept(stream, ssrc, index);
    return this.#outgoing.sealRtp(bytes, offset, header, length, ssrc, index);
  }

  protectRtpAgain(bytes: Uint8Array, offset: number, length: number): number {
    const header = rtpHeaderLength(bytes, offset, length);
    if (header < 0) return SRTP_MALFORMED;
    const ssrc = readUint32(bytes, offset + 8);
    const stream = this.#sent.find(ssrc);
    const index = packetIndex(stream, readUint16(bytes, offset + 2));
    if (stream === undefined || index < 0 || stream.seen.isFresh(index)) return this.protectRtp(bytes, offset, length);
    return this.#outgoing.sealRtp(bytes, offset, header, length, ssrc, index);
  }

  unprotectRtp(bytes: Uint8Array, offset: number, length: number): number {
    const cipher = this.#incoming;
    const header = rtpHeaderLength(bytes, offset, length - cipher.rtpTrailerBytes);
    if (header < 0) return SRTP_MALFORMED;
    const ssrc = readUint32(bytes, offset + 8);
    const stream = this.#received.find(ssrc);
    const index = packetIndex(stream, readUint16(bytes, offset + 2));
    if (index < 0 || (stream !== undefined && !stream.seen.isFresh(index))) return SRTP_REPLAYED;
    const plainLength = cipher.openRtp(bytes, offset, header, length, ssrc, index);
    if (plainLength < 0) return SRTP_UNAUTHENTIC;
    this.#received.accept(stream, ssrc, index);
    return plainLength;
  }

  protectRtcp(bytes: Uint8Array, offset: number, length: number): number {
    if (!isRtcpLike(bytes, offset, length)) return SRTP_MALFORMED;
    if (this.#sentReportIndex >= RTCP_INDEX_END) return SRTP_EXHAUSTED;
    const ssrc = readUint32(bytes, offset + 4);
    return this.#outgoing.sealRtcp(bytes, offset, length, ssrc, this.#sentReportIndex++);
  }

  unprotectRtcp(bytes: Uint8Array, offset: number, length: number): number {
    const cipher = this.#incoming;
    const plainLength = length - cipher.rtcpTrailerBytes;
    if (plainLength < RTCP_CLEAR_BYTES || !isRtcpLike(bytes, offset, plainLength)) return SRTP_MALFORMED;
    const word = readUint32(bytes, offset + length - cipher.rtcpIndexFromEnd);
    if (word < SRTCP_ENCRYPTED) return SRTP_UNENCRYPTED;
    const index = word - SRTCP_ENCRYPTED;
    const ssrc = readUint32(bytes, offset + 4);
    const stream = this.#receivedReports.find(ssrc);
    if (stream !== undefined && !stream.seen.isFresh(index)) return SRTP_REPLAYED;
    if (cipher.openRtcp(bytes, offset, length, ssrc, index) < 0) return SRTP_UNAUTHENTIC;
    this.#receivedReports.accept(stream, ssrc, index);
    return plainLength;
  }

  close(): void {
    this.#outgoing.close();
    this.#incoming.close();
    this.#outgoing = WIPED;
    this.#incoming = WIPED;
  }
}

/** In place of a closed session's ciphers: using one is a mistake of ours. */
const WIPED: PacketCipher = {
  rtpTrailerBytes: 0,
  rtcpTrailerBytes: 0,
  rtcpIndexFromEnd: 0,
  sealRtp: refuse,
  sealRtcp: refuse,
  openRtp: refuse,
  openRtcp: refuse,
  close: () => {},
};

function refuse(): never {
  throw new Error('the keys of this session have been wiped');
}
