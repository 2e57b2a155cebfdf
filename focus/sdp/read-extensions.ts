import type { MediaDescription } from 'sdp-transform';
import {
  EXT_AUDIO_LEVEL,
  EXT_MID,
  EXT_REPAIRED_RID,
  EXT_RID,
  EXT_TRANSPORT_CC,
  EXT_VIDEO_ORIENTATION,
} from '../../protocol/rtp/table.ts';
import type { Direction, OfferedExtension } from './offer.ts';

/** Answered when offered. abs-send-time is left out: transport-wide feedback says more, and both on every packet cost 8 bytes. */
const SUPPORTED: ReadonlySet<string> = new Set([
  EXT_MID,
  EXT_RID,
  EXT_REPAIRED_RID,
  EXT_TRANSPORT_CC,
  EXT_AUDIO_LEVEL,
  EXT_VIDEO_ORIENTATION,
]);

/** Header extensions (RFC 8285 section 5) of one section that bridges understand, one id for each URI. */
export function readExtensions(description: MediaDescription): OfferedExtension[] {
  const extensions: OfferedExtension[] = [];
  for (const entry of description.ext ?? []) {
    const id = Number(entry.value);
    // 0 is padding, 15 ends one-byte headers, 4096 and up are negotiation placeholders.
    if (!SUPPORTED.has(entry.uri) || !Number.isInteger(id) || id < 1 || id > 255 || id === 15) continue;
    if (entry['encrypt-uri'] !== undefined) continue;
    if (extensions.some(known => known.uri === entry.uri || known.id === id)) continue;
    const direction = readDirection(entry.direction);
    if (direction !== undefined && direction !== 'inactive') extensions.push({ id, uri: entry.uri, direction });
  }
  return extensions;
}

function readDirection(direction: string | undefined): Direction | undefined {
  switch (direction) {
    case undefined:
      return 'sendrecv';
    case 'sendrecv':
    case 'sendonly':
    case 'recvonly':
    case 'inactive':
      return direction;
    default:
      return undefined;
  }
}
