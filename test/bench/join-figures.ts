/** What `npm run bench -- join` measures, and whether that is what it is to be. */

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

export interface JoinCase {
  /** What the proxy adds to each round trip, both directions together. */
  readonly storeRoundTripMs: number;
  readonly joins: number;
  /** From the opening of the signalling socket, TCP handshake included, to the JoinResponse. */
  readonly responseMs: Percentiles;
  /** From the SDK's connect to its return: the JoinResponse, and media connected. */
  readonly connectedMs: Percentiles;
  /** From the SDK's connect to the first decoded frame of somebody in the other region. */
  readonly firstFrameMs: Percentiles;
  /** One after the other, until a participant was placed; the mean over all joins. */
  readonly storeRoundTripsPerJoin: number;
  /** The aim of `responseMs.p50`. */
  readonly responseAimMs: number;
}

export interface JoinFigures {
  readonly cases: readonly JoinCase[];
}

/** The median join waits for one round trip to the store and little else, and never for two. */
export function meetsJoinAims({ cases }: JoinFigures): boolean {
  return cases.every(each => each.responseMs.p50 < each.responseAimMs && each.storeRoundTripsPerJoin === 1);
}
