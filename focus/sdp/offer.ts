/**
 * A client's offer, reduced to what a focus decides on and an answer must mirror. Clients of the single-PeerConnection
 * protocol always offer and we always answer, so this is the only direction in which SDP is read.
 */
import type { CodecParameters, EndpointSpec } from '../../protocol/control/spec.ts';
import type { CodecName } from '../../protocol/rtp/table.ts';

/** As the client wrote it: `sendonly` is a section on which it publishes. */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** A codec of `protocol/rtp/table.ts` as one section offers it. */
export interface OfferedCodec extends CodecParameters {
  readonly clockRateHz: number;
  readonly channels: number;
  /** Format parameters (RFC 8866 section 6.15), names in lower case, in the order given. */
  readonly fmtp: ReadonlyMap<string, string>;
  /** RTCP feedback (RFC 4585 section 4.2) as written after the payload type: `nack pli`. */
  readonly feedback: readonly string[];
}

export interface OfferedExtension {
  readonly id: number;
  readonly uri: string;
  readonly direction: Direction;
}

/** An audio or video section. */
export interface OfferSection {
  /** Position among all m-lines of the offer, counted from 0. */
  readonly index: number;
  readonly mid: string;
  readonly kind: 'audio' | 'video';
  readonly direction: Direction;
  /** True when no media can ever flow on it: the client rejected it, it is not bundled, or we share no codec. Answered with port 0. */
  readonly isStopped: boolean;
  /** msid (RFC 8830) of what the client sends; null when it sends nothing or names none. */
  readonly streamId: string | null;
  readonly trackId: string | null;
  /** RIDs the client sends (RFC 8853), in its order, at most three. Empty without simulcast. */
  readonly rids: readonly string[];
  /** Declared media SSRCs, at most three; empty for RID simulcast, or when the client sends nothing. */
  readonly ssrcs: readonly number[];
  /** The RTX SSRC of each entry of `ssrcs`, or empty. */
  readonly rtxSsrcs: readonly number[];
  /** In the client's order of preference. */
  readonly codecs: readonly OfferedCodec[];
  readonly extensions: readonly OfferedExtension[];
  readonly hasReducedSizeRtcp: boolean;
}

/** The section of all data channels (RFC 8841). */
export interface OfferData {
  readonly index: number;
  readonly mid: string;
  readonly isStopped: boolean;
  /** Largest message the client takes, in bytes; 0 is without limit. */
  readonly maxMessageBytes: number;
}

/** What is mirrored of an m-line whatever becomes of it. */
export interface OfferLine {
  readonly mid: string | null;
  readonly media: string;
  readonly protocol: string;
  /** The first format of the list, for rejecting the section. */
  readonly format: string;
}

export interface Offer {
  /** Session id and version of the o= line; the answer carries the same pair, so a newer offer's answer is newer too. */
  readonly origin: { readonly sessionId: string; readonly sessionVersion: number };
  readonly ice: NonNullable<EndpointSpec['ice']>;
  readonly dtls: NonNullable<EndpointSpec['dtls']>;
  /** All m-lines in order: `sections` and `data` point into it by index. */
  readonly lines: readonly OfferLine[];
  readonly sections: readonly OfferSection[];
  readonly data: OfferData | null;
  /** Payload types of the whole bundle, in order of appearance. */
  readonly codecs: CodecParameters[];
  /** Header extensions of the whole bundle that bridges understand. */
  readonly extensions: { id: number; uri: string }[];
  readonly allowsMixedExtensions: boolean;
  /** MIDs of the BUNDLE group in its order (RFC 9143), stopped sections left out. */
  readonly bundle: readonly string[];
}

/** True when the client wants to send on this section. */
export function publishes(section: OfferSection): boolean {
  return !section.isStopped && (section.direction === 'sendonly' || section.direction === 'sendrecv');
}

/** True when the client is ready to receive a track on this section. */
export function subscribes(section: OfferSection): boolean {
  return !section.isStopped && (section.direction === 'recvonly' || section.direction === 'sendrecv');
}

/** The section's row for a codec, or undefined when it does not offer it. */
export function codecOf(section: OfferSection, name: CodecName): OfferedCodec | undefined {
  return section.codecs.find(codec => codec.codec === name);
}
