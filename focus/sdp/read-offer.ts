/** SDP offer (RFC 8866, RFC 9429) to parameters. */
import { type MediaDescription, parse, type SessionDescription } from 'sdp-transform';
import type { CodecParameters } from '../../protocol/control/spec.ts';
import type { Offer, OfferData, OfferedExtension, OfferLine, OfferSection } from './offer.ts';
import { readCodecs } from './read-codecs.ts';
import { readExtensions } from './read-extensions.ts';
import { readStreams } from './read-streams.ts';
import { readTransport } from './read-transport.ts';
import { SdpError } from './sdp-error.ts';

/** Chromium writes about 6 kB for a video section, so this is an offer with some 170 of them. */
const OFFER_CHARACTERS_MAX = 1 << 20;
/** Short lines cost the parser more than long ones: this many take it some 0.2 s. */
const OFFER_LINES_MAX = 32_768;
const SECTIONS_MAX = 512;
const MID_PATTERN = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,16}$/;
/** RFC 8841 section 6: without the attribute, a peer takes 64 kB. */
const MAX_MESSAGE_BYTES_DEFAULT = 65_536;

/**
 * Reads a client's offer. Throws {@link SdpError} when it is larger than 1 MiB, 32768 lines or 512 sections, when it carries no usable ICE
 * credentials or DTLS fingerprint, or when a MID is missing or used twice. A section that we cannot serve is no error: it is `isStopped`.
 */
export function readOffer(sdp: string): Offer {
  const session = parseLimited(sdp);
  const media = session.media;
  if (media.length === 0) throw new SdpError('no-sections', 'the offer has no media section');
  if (media.length > SECTIONS_MAX) {
    throw new SdpError('too-many-sections', `the offer has ${media.length} sections, ${SECTIONS_MAX} are allowed`);
  }
  const lines = media.map(readLine);
  refuseDuplicateMids(lines);
  const grouped = readBundle(session, lines);

  const sections: OfferSection[] = [];
  let data: OfferData | null = null;
  for (const [index, description] of media.entries()) {
    const { mid } = lines[index];
    if (mid === null) continue;
    const isUsable = grouped.has(mid) && !isRejected(description);
    if (description.type === 'audio' || description.type === 'video') {
      sections.push(readSection(description, description.type, index, mid, isUsable));
    } else if (isDataChannel(description) && data === null) {
      data = readData(description, index, mid, isUsable);
    }
  }

  const live = new Set(sections.filter(section => !section.isStopped).map(section => section.mid));
  if (data !== null && !data.isStopped) live.add(data.mid);
  const bundle = [...grouped].filter(mid => live.has(mid));
  const tagged = media.filter((_, index) => live.has(lines[index].mid ?? ''));
  return {
    origin: readOrigin(session),
    ...readTransport(session, tagged),
    lines,
    sections,
    data,
    codecs: bundleCodecs(sections),
    extensions: bundleExtensions(sections),
    allowsMixedExtensions:
      session.extmapAllowMixed !== undefined || media.some(line => line.extmapAllowMixed !== undefined),
    bundle,
  };
}

function parseLimited(sdp: string): SessionDescription {
  if (sdp.length > OFFER_CHARACTERS_MAX) {
    throw new SdpError('too-large', `the offer has ${sdp.length} characters, ${OFFER_CHARACTERS_MAX} are allowed`);
  }
  let lines = 0;
  for (let at = sdp.indexOf('\n'); at >= 0; at = sdp.indexOf('\n', at + 1)) {
    if (++lines > OFFER_LINES_MAX) throw new SdpError('too-large', `the offer has more than ${OFFER_LINES_MAX} lines`);
  }
  if (!sdp.startsWith('v=0')) throw new SdpError('malformed', 'the offer does not begin with v=0');
  // A bare CR is a line end to the parser too: refused rather than counted.
  if (/\r(?!\n)/.test(sdp)) throw new SdpError('malformed', 'the offer has a carriage return inside a line');
  return parse(sdp);
}

function readLine(description: MediaDescription & { type?: string; protocol?: string }, index: number): OfferLine {
  const { type, protocol } = description;
  if (type === undefined || protocol === undefined || type === '' || protocol === '') {
    throw new SdpError('malformed', `m-line ${index} is malformed`);
  }
  const mid = description.mid === undefined ? null : String(description.mid);
  if (mid !== null && !MID_PATTERN.test(mid)) {
    throw new SdpError('malformed', `m-line ${index} has a malformed mid; it is 1 to 16 token characters`);
  }
  if (mid === null && !isRejected(description)) throw new SdpError('malformed', `m-line ${index} has no mid`);
  const format = String(description.payloads ?? '').split(' ')[0];
  return { mid, media: type, protocol, format: format === '' ? '0' : format };
}

function refuseDuplicateMids(lines: readonly OfferLine[]): void {
  const seen = new Set<string>();
  for (const { mid } of lines) {
    if (mid === null) continue;
    if (seen.has(mid)) throw new SdpError('duplicate-mid', `mid ${mid} is used twice`);
    seen.add(mid);
  }
}

/** MIDs of the first BUNDLE group. An offer of one section needs no group. */
function readBundle(session: SessionDescription, lines: readonly OfferLine[]): Set<string> {
  const group = session.groups?.find(({ type }) => type === 'BUNDLE');
  if (group !== undefined) return new Set(String(group.mids).split(' '));
  const only = lines.length === 1 ? lines[0].mid : null;
  return new Set(only === null ? [] : [only]);
}

/** Port 0 rejects a section, unless it is bundle-only: then 0 says that it has no port of its own (RFC 9143 section 6). */
function isRejected(description: MediaDescription): boolean {
  return description.port === 0 && description.bundleOnly === undefined;
}

function readSection(
  description: MediaDescription,
  kind: 'audio' | 'video',
  index: number,
  mid: string,
  isUsable: boolean,
): OfferSection {
  const codecs = readCodecs(description, kind);
  const direction = description.direction ?? 'sendrecv';
  const isSecure = /^(UDP|TCP)\/TLS\/RTP\/SAVPF?$/.test(description.protocol);
  const isStopped =
    !isUsable || !isSecure || description.rtcpMux === undefined || !codecs.some(({ codec }) => codec !== 'red');
  const sends = !isStopped && (direction === 'sendonly' || direction === 'sendrecv');
  return {
    index,
    mid,
    kind,
    direction,
    isStopped,
    ...readStreams(description, sends),
    codecs,
    extensions: readExtensions(description),
    hasReducedSizeRtcp: description.rtcpRsize !== undefined,
  };
}

function isDataChannel(description: MediaDescription): boolean {
  return (
    description.type === 'application' &&
    /^(UDP|TCP)\/DTLS\/SCTP$/.test(description.protocol) &&
    description.payloads === 'webrtc-datachannel'
  );
}

function readData(description: MediaDescription, index: number, mid: string, isUsable: boolean): OfferData {
  const declared = Number(description.maxMessageSize ?? MAX_MESSAGE_BYTES_DEFAULT);
  return {
    index,
    mid,
    isStopped: !isUsable,
    maxMessageBytes: Number.isSafeInteger(declared) ? declared : MAX_MESSAGE_BYTES_DEFAULT,
  };
}

function readOrigin(session: SessionDescription): Offer['origin'] {
  const { sessionId, sessionVersion } = session.origin ?? { sessionId: 1, sessionVersion: 0 };
  const version = Number(sessionVersion);
  return { sessionId: String(sessionId), sessionVersion: Number.isSafeInteger(version) ? version : 0 };
}

/** One row per payload type. In a bundle a payload type means one thing (RFC 9143 section 9.1), so the first section to name it decides. */
function bundleCodecs(sections: readonly OfferSection[]): CodecParameters[] {
  const rows = new Map<number, CodecParameters>();
  for (const section of sections) {
    if (section.isStopped) continue;
    for (const { codec, payloadType, rtxPayloadType } of section.codecs) {
      const known = rows.get(payloadType);
      if (known === undefined || (known.codec === codec && known.rtxPayloadType === null)) {
        rows.set(payloadType, { codec, payloadType, rtxPayloadType });
      }
    }
  }
  return [...rows.values()].slice(0, 64);
}

/** One id per URI: the first section to name it decides, as ids are shared by the bundle too. */
function bundleExtensions(sections: readonly OfferSection[]): { id: number; uri: string }[] {
  const ids = new Map<string, OfferedExtension>();
  for (const section of sections) {
    if (section.isStopped) continue;
    for (const extension of section.extensions) {
      if (!ids.has(extension.uri)) ids.set(extension.uri, extension);
    }
  }
  return [...ids.values()].map(({ id, uri }) => ({ id, uri }));
}
