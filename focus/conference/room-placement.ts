/** What placement is told of a room that this focus serves: what the room says of its own placement, and who is in it. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { Present, RoomPlacement } from '../placement/placement.ts';
import { type Policy, readOverride } from '../placement/policy.ts';
import type { Room, RoomProperties } from './room.ts';

/** The parts of a room's own policy. */
export interface RoomPolicy {
  readonly byMetadata: Partial<Policy> | null;
  readonly byApi: Partial<Policy> | null;
}

export function roomPolicy({ metadata, placement }: Pick<RoomProperties, 'metadata' | 'placement'>): RoomPolicy {
  const read = readOverride(metadata);
  return { byMetadata: read.ok ? read.override : null, byApi: placement };
}

/** The API's word counts before the metadata's, key by key. */
export function placementOf(room: Room): RoomPlacement {
  const { byMetadata, byApi } = roomPolicy(room.properties);
  const present = presentIn(room);
  if (byApi === null) return { override: byMetadata, overrideFrom: 'override by metadata', present };
  return { override: { ...byMetadata, ...byApi }, overrideFrom: 'override by API', present };
}

/** Counted when somebody asks: few rules do. */
function presentIn(room: Room): Present {
  let bridges: Map<BridgeId, number> | undefined;
  return {
    peopleOf: region =>
      room.participants.values().reduce((count, participant) => count + Number(participant.region === region), 0),
    onBridge: bridgeId => {
      if (bridges === undefined) {
        bridges = new Map();
        for (const each of room.participants.values())
          bridges.set(each.bridgeId, (bridges.get(each.bridgeId) ?? 0) + 1);
      }
      return bridges.get(bridgeId) ?? 0;
    },
  };
}
