/** A client's answer to our offer (`write-offer.ts`): the same parts as of an offer of its own, the client being the one that receives. */
import type { Offer } from './offer.ts';
import { subscribes } from './offer.ts';
import { readOffer } from './read-offer.ts';
import { SdpError } from './sdp-error.ts';

export interface Answer extends Pick<Offer, 'ice' | 'dtls' | 'codecs' | 'extensions'> {
  /** MIDs of the sections on which the client receives. */
  readonly receiving: ReadonlySet<string>;
}

/** Throws {@link SdpError} as `readOffer` does, and within the same limits. */
export function readAnswer(sdp: string): Answer {
  try {
    const { ice, dtls, codecs, extensions, sections } = readOffer(sdp);
    return { ice, dtls, codecs, extensions, receiving: new Set(sections.filter(subscribes).map(({ mid }) => mid)) };
  } catch (error) {
    if (!(error instanceof SdpError)) throw error;
    throw new SdpError(error.code, error.message.replace(/^the offer\b/, 'the answer'));
  }
}
