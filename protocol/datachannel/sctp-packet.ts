/**
 * What an SCTP packet (RFC 9260 section 3) must be like before an SCTP stack sees it. werift's trusts lengths: a chunk of length 0 makes it loop
 * for ever, and a few gap blocks make it count to millions. So every length is checked here, and every count has a limit.
 *
 * |      source port              |     destination port          |
 * |                      verification tag                         |
 * |                      checksum (CRC32c)                        |
 * then chunks: type (8), flags (8), length with this head (16), value, padding to a word
 */
import { DecodeError } from '../errors.ts';
import { readUint16 } from '../rtp/packet.ts';

const COMMON_HEADER_BYTES = 12;
/** Where the type of the first chunk is. */
export const SCTP_FIRST_CHUNK = COMMON_HEADER_BYTES;
const DATA = 0;
/** The chunk that begins an association, always alone in its packet. */
export const SCTP_INIT = 1;
const INIT = SCTP_INIT;
const INIT_ACK = 2;
const SACK = 3;
const HEARTBEAT = 4;
const HEARTBEAT_ACK = 5;
const ABORT = 6;
const SHUTDOWN = 7;
const SHUTDOWN_ACK = 8;
const ERROR = 9;
const COOKIE_ECHO = 10;
const COOKIE_ACK = 11;
const SHUTDOWN_COMPLETE = 14;
const RECONFIG = 130;
const FORWARD_TSN = 192;

/** Chunks without a rule of their own, beyond the length of their head. */
const PLAIN_CHUNKS = new Set([SHUTDOWN, SHUTDOWN_ACK, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE]);
const PARAMETER_CHUNKS = new Set([HEARTBEAT, HEARTBEAT_ACK, ABORT, ERROR, RECONFIG]);
/** Shortest value of the stream reconfiguration parameters that are read (RFC 6525 section 4). */
const RECONFIG_VALUE_BYTES = new Map([
  [13, 12],
  [16, 8],
  [17, 6],
]);

/** Browsers number channels from 0 up; a stream costs its receiver memory. */
export const SCTP_STREAM_ID_MAX = 1023;
/** TSNs that the gap blocks of one SACK may name: more than a window of 4 MiB holds. */
const GAP_TSNS_MAX = 4096;

/** Checks one packet. Throws DecodeError for one that is malformed, unreasonable, or of a chunk type that WebRTC does not use. */
export function checkSctpPacket(bytes: Uint8Array): void {
  const end = bytes.length;
  if (end < COMMON_HEADER_BYTES + 4) throw new DecodeError('sctp-short');
  let position = COMMON_HEADER_BYTES;
  let chunks = 0;
  let hasInit = false;
  while (position < end) {
    if (position + 4 > end) throw new DecodeError('sctp-chunk');
    const type = bytes[position];
    const length = readUint16(bytes, position + 2);
    if (length < 4 || position + length > end) throw new DecodeError('sctp-chunk');
    checkChunk(bytes, type, position + 4, length - 4);
    hasInit ||= type === INIT;
    chunks++;
    position += (length + 3) & ~3;
  }
  if (hasInit && chunks > 1) throw new DecodeError('sctp-init');
}

function checkChunk(bytes: Uint8Array, type: number, offset: number, length: number): void {
  if (type === DATA) {
    if (length < 13) throw new DecodeError('sctp-data');
    if (readUint16(bytes, offset + 4) > SCTP_STREAM_ID_MAX) throw new DecodeError('sctp-stream');
  } else if (type === SACK) {
    checkSack(bytes, offset, length);
  } else if (type === INIT || type === INIT_ACK) {
    if (length < 16) throw new DecodeError('sctp-init');
    checkParameters(bytes, offset + 16, length - 16, false);
  } else if (PARAMETER_CHUNKS.has(type)) {
    checkParameters(bytes, offset, length, type === RECONFIG);
  } else if (type === FORWARD_TSN) {
    if (length < 4 || length % 4 !== 0) throw new DecodeError('sctp-forward-tsn');
  } else if (!PLAIN_CHUNKS.has(type)) {
    throw new DecodeError('sctp-chunk-type');
  }
}

/** cumulative TSN (32), window (32), number of gaps (16), of duplicates (16), gaps as pairs of offsets (16), duplicates (32) */
function checkSack(bytes: Uint8Array, offset: number, length: number): void {
  if (length < 12) throw new DecodeError('sctp-sack');
  const gaps = readUint16(bytes, offset + 8);
  const duplicates = readUint16(bytes, offset + 10);
  if (12 + 4 * (gaps + duplicates) !== length) throw new DecodeError('sctp-sack');
  let named = 0;
  for (let gap = 0; gap < gaps; gap++) {
    const start = readUint16(bytes, offset + 12 + gap * 4);
    const last = readUint16(bytes, offset + 14 + gap * 4);
    if (last < start) throw new DecodeError('sctp-sack');
    named += last - start + 1;
  }
  if (named > GAP_TSNS_MAX) throw new DecodeError('sctp-sack');
}

function checkParameters(bytes: Uint8Array, offset: number, length: number, isReconfig: boolean): void {
  const end = offset + length;
  let position = offset;
  while (position + 4 <= end) {
    const parameterLength = readUint16(bytes, position + 2);
    if (parameterLength < 4 || position + parameterLength > end) throw new DecodeError('sctp-parameter');
    if (isReconfig) {
      const type = readUint16(bytes, position);
      const valueLength = parameterLength - 4;
      if (valueLength < (RECONFIG_VALUE_BYTES.get(type) ?? 0)) throw new DecodeError('sctp-reconfig');
      if (type === 13 && valueLength % 2 !== 0) throw new DecodeError('sctp-reconfig');
    }
    position += (parameterLength + 3) & ~3;
  }
}
