declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A conference on the wire: uint32, assigned by the focus, never 0. */
export type ConferenceId = Brand<number, 'ConferenceId'>;
/** An endpoint on the wire: uint32, unique inside its conference, never 0. In text: 8 hex digits. */
export type EndpointId = Brand<number, 'EndpointId'>;
/** A source of one endpoint: 0-255, assigned by the focus. */
export type SourceId = Brand<number, 'SourceId'>;
/** RTP synchronisation source (RFC 3550 section 3): uint32. */
export type Ssrc = Brand<number, 'Ssrc'>;
/** A bridge's configured name, unique in the network: 1-64 characters of [A-Za-z0-9._-]. */
export type BridgeId = Brand<string, 'BridgeId'>;

/** The endpoint ID that means "the bridge itself" in an Octo frame. */
export const BRIDGE_ENDPOINT_ID = 0xffffffff as EndpointId;

export const SOURCE_ID_MAX = 255;

/** Layers of one source: simulcast encodings low to high, at most three (RID simulcast as LiveKit's clients send it). */
export const LAYERS_MAX = 3;

/** 8 lower-case hex digits, as endpoint and conference IDs are written in text. */
export function formatId(id: ConferenceId | EndpointId): string {
  return id.toString(16).padStart(8, '0');
}

/** Inverse of {@link formatId}. Returns undefined for anything but 8 hex digits, and for zero. */
export function parseId<Id extends ConferenceId | EndpointId>(text: string): Id | undefined {
  if (!/^[0-9a-f]{8}$/.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return value === 0 ? undefined : (value as Id);
}
