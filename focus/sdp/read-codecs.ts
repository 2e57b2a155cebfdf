import type { MediaDescription } from 'sdp-transform';
import { CODECS, type CodecEntry } from '../../protocol/rtp/table.ts';
import type { OfferedCodec } from './offer.ts';

/**
 * The codecs of one section that are in the project's table, in the client's order of preference, each with the RTX payload type that
 * repairs it (RFC 4588 section 8.6). Of several H.264 rows only the best survives: bridges know one, packetization-mode 1 and baseline.
 */
export function readCodecs(description: MediaDescription, kind: 'audio' | 'video'): OfferedCodec[] {
  const fmtp = readFmtp(description);
  const rtx = readRtx(description, fmtp);
  const codecs: OfferedCodec[] = [];
  for (const payloadType of payloadTypes(description)) {
    const entry = codecEntry(description, kind, payloadType);
    if (entry === undefined) continue;
    codecs.push({
      codec: entry.name,
      payloadType,
      rtxPayloadType: rtx.get(payloadType) ?? null,
      clockRateHz: entry.clockRateHz,
      channels: kind === 'audio' ? 2 : 1,
      fmtp: fmtp.get(payloadType) ?? new Map(),
      feedback: readFeedback(description, payloadType),
    });
  }
  return onePerName(codecs.filter(codec => isUsable(codec, codecs)));
}

/** Payload types of the m-line: the order is the client's preference, and what is missing there is not offered. */
function payloadTypes(description: MediaDescription): number[] {
  const numbers = String(description.payloads ?? '')
    .split(' ')
    .map(Number)
    .filter(number => Number.isInteger(number) && number >= 0 && number <= 127);
  return [...new Set(numbers)];
}

function codecEntry(description: MediaDescription, kind: string, payloadType: number): CodecEntry | undefined {
  const map = description.rtp.find(({ payload }) => payload === payloadType);
  if (map === undefined) return undefined;
  const name = String(map.codec).toLowerCase();
  const entry = CODECS.find(codec => codec.name === name && codec.kind === kind && codec.clockRateHz === map.rate);
  // RFC 7587 section 7: Opus is always announced with two channels.
  return entry?.kind === 'audio' && Number(map.encoding) !== 2 ? undefined : entry;
}

function readFmtp(description: MediaDescription): Map<number, ReadonlyMap<string, string>> {
  const all = new Map<number, ReadonlyMap<string, string>>();
  for (const { payload, config } of description.fmtp) {
    const parameters = new Map<string, string>();
    for (const item of String(config).split(';')) {
      const [name, ...value] = item.split('=');
      if (name.trim() !== '') parameters.set(name.trim().toLowerCase(), value.join('=').trim());
    }
    if (!all.has(payload)) all.set(payload, parameters);
  }
  return all;
}

/** Media payload type to the payload type that repairs it. */
function readRtx(
  description: MediaDescription,
  fmtp: ReadonlyMap<number, ReadonlyMap<string, string>>,
): Map<number, number> {
  const offered = new Set(payloadTypes(description));
  const repairs = new Map<number, number>();
  for (const { payload, codec } of description.rtp) {
    if (String(codec).toLowerCase() !== 'rtx' || !offered.has(payload)) continue;
    const repaired = Number(fmtp.get(payload)?.get('apt') ?? Number.NaN);
    if (offered.has(repaired) && !repairs.has(repaired)) repairs.set(repaired, payload);
  }
  return repairs;
}

function readFeedback(description: MediaDescription, payloadType: number): string[] {
  const feedback = new Set<string>();
  for (const { payload, type, subtype } of description.rtcpFb ?? []) {
    if (payload !== payloadType && payload !== '*') continue;
    feedback.add(subtype === undefined ? type : `${type} ${subtype}`);
  }
  return [...feedback];
}

function isUsable(codec: OfferedCodec, all: readonly OfferedCodec[]): boolean {
  if (codec.codec === 'h264') return h264Rank(codec) > 0;
  if (codec.codec !== 'red') return true;
  // RFC 2198 section 5: the parameter is the list of block formats, written without a name. All of them must be the Opus that we know.
  const formats = [...codec.fmtp.keys()].join('').split('/').map(Number);
  const opus = all.find(other => other.codec === 'opus');
  return opus !== undefined && formats.every(format => format === opus.payloadType);
}

/** 0: not the H.264 of the project's table. Higher is nearer to it. RFC 6184 section 8.1: the default is mode 0, profile 420010. */
function h264Rank({ fmtp }: OfferedCodec): number {
  if (fmtp.get('packetization-mode') !== '1') return 0;
  const profile = (fmtp.get('profile-level-id') ?? '420010').toLowerCase();
  if (!/^42[0-9a-f]{4}$/.test(profile)) return 0;
  if (profile === '42e01f') return 3;
  const isConstrained = (Number.parseInt(profile.slice(2, 4), 16) & 0x40) !== 0;
  return isConstrained ? 2 : 1;
}

function onePerName(codecs: readonly OfferedCodec[]): OfferedCodec[] {
  const best = new Map<string, OfferedCodec>();
  for (const codec of codecs) {
    const known = best.get(codec.codec);
    if (known === undefined || (codec.codec === 'h264' && h264Rank(codec) > h264Rank(known))) {
      best.set(codec.codec, codec);
    }
  }
  return [...best.values()];
}
