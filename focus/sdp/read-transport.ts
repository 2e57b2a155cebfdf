import type { MediaDescription, SessionDescription } from 'sdp-transform';
import type { Offer } from './offer.ts';
import { SdpError } from './sdp-error.ts';

/** Hash functions of RFC 8122 section 5 that are still sound, and the bytes of their digests. */
const DIGEST_BYTES: Readonly<Record<string, number>> = { 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 };
/** RFC 8839 section 5.4: ice-char is a letter, a digit, + or /. Some stacks add - and _, which do no harm. */
const UFRAG_PATTERN = /^[A-Za-z0-9+/_=-]{4,256}$/;
const PASSWORD_PATTERN = /^[A-Za-z0-9+/_=-]{22,256}$/;

/**
 * The one transport of a bundle: read from the first live section that carries each part, else from the session level (Firefox puts its
 * fingerprint there). Throws SdpError when a part is missing or malformed.
 */
export function readTransport(
  session: SessionDescription,
  liveSections: readonly MediaDescription[],
): Pick<Offer, 'ice' | 'dtls'> {
  const levels = [...liveSections, session];
  return { ice: readIce(levels), dtls: readDtls(levels) };
}

type Level = MediaDescription | SessionDescription;

function readIce(levels: readonly Level[]): Offer['ice'] {
  const level = levels.find(({ iceUfrag, icePwd }) => iceUfrag !== undefined && icePwd !== undefined);
  const ufrag = String(level?.iceUfrag ?? '');
  const password = String(level?.icePwd ?? '');
  if (!UFRAG_PATTERN.test(ufrag) || !PASSWORD_PATTERN.test(password)) {
    throw new SdpError('no-ice-credentials', 'the offer has no well-formed ice-ufrag and ice-pwd');
  }
  return { ufrag, password };
}

function readDtls(levels: readonly Level[]): Offer['dtls'] {
  for (const { fingerprint } of levels) {
    if (fingerprint === undefined) continue;
    const algorithm = String(fingerprint.type).toLowerCase();
    const value = String(fingerprint.hash).toUpperCase();
    const bytes = Object.hasOwn(DIGEST_BYTES, algorithm) ? DIGEST_BYTES[algorithm] : 0;
    if (bytes === 0 || value.length !== bytes * 3 - 1 || !/^[0-9A-F]{2}(:[0-9A-F]{2})+$/.test(value)) continue;
    return { setup: readSetup(levels), fingerprints: [{ algorithm, value }] };
  }
  throw new SdpError('no-fingerprint', 'the offer has no sha-256, sha-384 or sha-512 fingerprint');
}

/** An offer without the attribute, or with a value that an offer may not have, leaves the choice to us. */
function readSetup(levels: readonly Level[]): Offer['dtls']['setup'] {
  const setup = levels.find(level => level.setup !== undefined)?.setup;
  return setup === 'active' || setup === 'passive' ? setup : 'actpass';
}
