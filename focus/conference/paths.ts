/** The way of media between participants, as round trips: from one client over its bridge and the other's to the other client. */
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

export interface Path {
  readonly identity: string;
  readonly region: string;
  readonly bridge: string;
  /** In ms, null while it is not measured. `total` is all three together. */
  readonly rttMs: {
    /** The asking participant to its bridge. */
    readonly own: number | null;
    /** Bridge to bridge; 0 on the same one. */
    readonly link: number | null;
    readonly theirs: number | null;
    readonly total: number | null;
  };
}

export interface Paths {
  /** Of the whole room, the asking participant included. */
  readonly summary: { readonly participants: number; readonly bridges: number; readonly regions: number };
  /** To everybody else, in the order they joined. */
  readonly participants: readonly Path[];
}

/** Hidden participants are in none of it, unless it is one who asks: then itself counts. */
export function pathsFrom(room: Room, participant: Participant): Paths {
  const seen = [...room.participants.values()].filter(other => other === participant || !other.permissions.hidden);
  return {
    summary: {
      participants: seen.length,
      bridges: new Set(seen.map(({ bridgeId }) => bridgeId)).size,
      regions: new Set(seen.map(({ bridgeRegion }) => bridgeRegion)).size,
    },
    participants: seen.filter(other => other !== participant).map(other => path(room, participant, other)),
  };
}

function path({ measurements }: Room, from: Participant, to: Participant): Path {
  const own = measurements.endpoint(from.endpointId)?.rttMs ?? null;
  const link = measurements.linkRttMs(from.bridgeId, to.bridgeId);
  const theirs = measurements.endpoint(to.endpointId)?.rttMs ?? null;
  const total = own === null || link === null || theirs === null ? null : own + link + theirs;
  return { identity: to.identity, region: to.region, bridge: to.bridgeId, rttMs: { own, link, theirs, total } };
}
