import type { MediaDescription } from 'sdp-transform';
import type { CodecName } from '../../protocol/rtp/table.ts';
import type { OfferedCodec, OfferSection } from './offer.ts';

/** The part of a section's plan that its codecs follow. */
export interface CodecPlan {
  /** Codecs to put first. A video section on which we only receive is answered with the first of them that is offered, and no other. */
  readonly codecPreference?: readonly CodecName[];
  /** What the client's Opus encoder is asked for, and what it is told of the track that it gets. Default: mono, DTX as offered. */
  readonly opus?: { readonly stereo: boolean; readonly dtx: boolean };
}

export interface AnsweredCodecs {
  /** For the m-line. */
  readonly payloads: string;
  readonly rtp: MediaDescription['rtp'];
  readonly fmtp: MediaDescription['fmtp'];
  readonly rtcpFb: NonNullable<MediaDescription['rtcpFb']>;
  readonly hasRtx: boolean;
}

/** Feedback that bridges speak. No goog-remb: transport-wide feedback replaces it. */
const FEEDBACK: ReadonlySet<string> = new Set(['nack', 'nack pli', 'ccm fir', 'transport-cc']);

/** Codec lines of one section: the client's payload types, each with what of its feedback and format parameters we take up. */
export function answerCodecs(
  section: OfferSection,
  plan: CodecPlan | undefined,
  receives: boolean,
  sends: boolean,
): AnsweredCodecs {
  const codecs = choose(section, plan, receives && !sends);
  const answer: { rtp: MediaDescription['rtp']; fmtp: MediaDescription['fmtp']; rtcpFb: AnsweredCodecs['rtcpFb'] } = {
    rtp: [],
    fmtp: [],
    rtcpFb: [],
  };
  for (const codec of codecs) {
    const payload = codec.payloadType;
    answer.rtp.push(rtpmap(codec, section.kind));
    for (const feedback of answerFeedback(codec, section.kind)) {
      const [type, subtype] = feedback.split(' ');
      answer.rtcpFb.push(subtype === undefined ? { payload, type } : { payload, type, subtype });
    }
    const config = formatParameters(codec, plan, receives, sends);
    if (config !== '') answer.fmtp.push({ payload, config });
    if (codec.rtxPayloadType !== null) {
      answer.rtp.push({ payload: codec.rtxPayloadType, codec: 'rtx', rate: codec.clockRateHz });
      answer.fmtp.push({ payload: codec.rtxPayloadType, config: `apt=${payload}` });
    }
  }
  return {
    ...answer,
    payloads: answer.rtp.map(({ payload }) => payload).join(' '),
    hasRtx: codecs.some(({ rtxPayloadType }) => rtxPayloadType !== null),
  };
}

/**
 * A client sends the first codec of the answer, or so the specification has it: Firefox takes any that is answered, so a video section that
 * only publishes is answered with one.
 */
function choose(section: OfferSection, plan: CodecPlan | undefined, publishesOnly: boolean): readonly OfferedCodec[] {
  const preference = plan?.codecPreference ?? [];
  const rank = ({ codec }: OfferedCodec) => {
    const position = preference.indexOf(codec);
    return position < 0 ? preference.length : position;
  };
  const sorted = section.codecs.toSorted((a, b) => rank(a) - rank(b));
  const isDecided = sorted.length > 0 && rank(sorted[0]) < preference.length;
  return section.kind === 'video' && publishesOnly && isDecided ? sorted.slice(0, 1) : sorted;
}

const SPELLING = { opus: 'opus', red: 'red', vp8: 'VP8', h264: 'H264' } as const;

function rtpmap(codec: OfferedCodec, kind: 'audio' | 'video'): MediaDescription['rtp'][number] {
  const map = { payload: codec.payloadType, codec: SPELLING[codec.codec], rate: codec.clockRateHz };
  return kind === 'audio' ? { ...map, encoding: codec.channels } : map;
}

/**
 * NACK is answered for audio though no browser offers it: libwebrtc then keeps what it sends for retransmission, and asks for what it
 * misses. LiveKit's server does the same.
 */
function answerFeedback(codec: OfferedCodec, kind: 'audio' | 'video'): string[] {
  const accepted = codec.feedback.filter(feedback => FEEDBACK.has(feedback));
  return kind === 'audio' && !accepted.includes('nack') ? [...accepted, 'nack'] : accepted;
}

/** Format parameters say what we are ready to receive, so of the client's own we repeat only those that identify the codec. */
function formatParameters(codec: OfferedCodec, plan: CodecPlan | undefined, receives: boolean, sends: boolean): string {
  switch (codec.codec) {
    case 'opus':
      return opusParameters(codec, plan, receives, sends);
    case 'red':
      return [...codec.fmtp.keys()].join('');
    case 'h264':
      return [
        ...pick(codec, ['level-asymmetry-allowed', 'packetization-mode', 'profile-level-id']),
        ...senderHints(codec, receives),
      ].join(';');
    case 'vp8':
      return senderHints(codec, receives).join(';');
  }
}

/** LiveKit's clients write the bit rate to start from into their offer, and libwebrtc looks for it in the answer. */
function senderHints(codec: OfferedCodec, receives: boolean): string[] {
  return receives ? pick(codec, ['x-google-start-bitrate']) : [];
}

function pick(codec: OfferedCodec, names: readonly string[]): string[] {
  return names.flatMap(name => {
    const value = codec.fmtp.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

/**
 * RFC 7587 section 6.1. `stereo` asks the client's encoder for two channels and is not echoed: LiveKit's clients offer it on every section,
 * for what they receive. `sprop-stereo` announces what we send.
 */
function opusParameters(codec: OfferedCodec, plan: CodecPlan | undefined, receives: boolean, sends: boolean): string {
  const isStereo = plan?.opus?.stereo ?? false;
  const hasDtx = plan?.opus?.dtx ?? codec.fmtp.get('usedtx') === '1';
  const parameters = [...pick(codec, ['minptime']), 'useinbandfec=1'];
  if (receives && hasDtx) parameters.push('usedtx=1');
  if (receives && isStereo) parameters.push('stereo=1', `maxaveragebitrate=${OPUS_STEREO_BPS_MAX}`);
  if (sends && isStereo) parameters.push('sprop-stereo=1');
  return parameters.join(';');
}

/** Opus's own upper bound (RFC 7587 section 6.1): the application's bit rate decides, not a stereo default. */
const OPUS_STEREO_BPS_MAX = 510_000;
