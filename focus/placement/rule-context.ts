import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import type { ConferenceBridges } from './conference-bridges.ts';
import type { RuleContext } from './rule-sets.ts';

/** What rules and filters are told of one placement. Made anew for an explanation: it is cheaper to make than to keep. `isSuspected` absent: nobody is. */
export function contextOf(
  atMs: number,
  conference: ConferenceBridges,
  settings: PlacementSettings,
  isSuspected: ((bridgeId: BridgeId) => boolean) | undefined,
): RuleContext {
  return {
    atMs,
    settings,
    inConference:
      conference.bridges.length === 0 ? nobodyOn : ({ bridgeId }: BridgeRecord): number => conference.countOn(bridgeId),
    conferenceVersions: conference.versions,
    conferenceOctoVersions: conference.octoVersions,
    isSuspected: isSuspected ?? nobodyIs,
  };
}

function nobodyOn(): number {
  return 0;
}

function nobodyIs(): boolean {
  return false;
}
