/** What a participant may do: from its token, and changed by the server API. LiveKit's VideoGrant and ParticipantPermission. */
import { ParticipantPermission, TrackSource } from '@livekit/protocol';

export interface Permissions {
  readonly canPublish: boolean;
  /** Empty: all sources. */
  readonly canPublishSources: readonly TrackSource[];
  readonly canSubscribe: boolean;
  readonly canPublishData: boolean;
  readonly canUpdateOwnMetadata: boolean;
  readonly canSubscribeMetrics: boolean;
  /** Others never hear of it. */
  readonly hidden: boolean;
  readonly recorder: boolean;
  readonly agent: boolean;
}

/** Names of sources in a token's `canPublishSources`. Any other name is UNKNOWN: a list of such names allows no known source, never all. */
const SOURCE_NAMES: readonly (readonly [string, TrackSource])[] = [
  ['unknown', TrackSource.UNKNOWN],
  ['camera', TrackSource.CAMERA],
  ['microphone', TrackSource.MICROPHONE],
  ['screen_share', TrackSource.SCREEN_SHARE],
  ['screen_share_audio', TrackSource.SCREEN_SHARE_AUDIO],
];

/** Permissions as a token grants them. `sources` are the token's words. */
export function permissionsOf(
  grant: Omit<Permissions, 'canPublishSources'> & { readonly canPublishSources: readonly string[] },
): Permissions {
  return {
    canPublish: grant.canPublish,
    canPublishSources: grant.canPublishSources.map(sourceOfName),
    canSubscribe: grant.canSubscribe,
    canPublishData: grant.canPublishData,
    canUpdateOwnMetadata: grant.canUpdateOwnMetadata,
    canSubscribeMetrics: grant.canSubscribeMetrics,
    hidden: grant.hidden,
    recorder: grant.recorder,
    agent: grant.agent,
  };
}

export function mayPublish(permissions: Permissions, source: TrackSource): boolean {
  if (!permissions.canPublish) return false;
  return permissions.canPublishSources.length === 0 || permissions.canPublishSources.includes(source);
}

export function toPermission(permissions: Permissions): ParticipantPermission {
  return new ParticipantPermission({
    canPublish: permissions.canPublish,
    canPublishSources: [...permissions.canPublishSources],
    canSubscribe: permissions.canSubscribe,
    canPublishData: permissions.canPublishData,
    canUpdateMetadata: permissions.canUpdateOwnMetadata,
    canSubscribeMetrics: permissions.canSubscribeMetrics,
    hidden: permissions.hidden,
    recorder: permissions.recorder,
    agent: permissions.agent,
  });
}

/** The server API sends the whole permission, so every field counts. */
export function fromPermission(permission: ParticipantPermission): Permissions {
  return {
    canPublish: permission.canPublish,
    canPublishSources: permission.canPublishSources,
    canSubscribe: permission.canSubscribe,
    canPublishData: permission.canPublishData,
    canUpdateOwnMetadata: permission.canUpdateMetadata,
    canSubscribeMetrics: permission.canSubscribeMetrics,
    hidden: permission.hidden,
    recorder: permission.recorder,
    agent: permission.agent,
  };
}

/** The `video` claims that say the same in a token. */
export function permissionClaims(permissions: Permissions): Record<string, boolean | string[]> {
  return {
    canPublish: permissions.canPublish,
    canPublishSources: permissions.canPublishSources.map(nameOfSource),
    canSubscribe: permissions.canSubscribe,
    canPublishData: permissions.canPublishData,
    canUpdateOwnMetadata: permissions.canUpdateOwnMetadata,
    canSubscribeMetrics: permissions.canSubscribeMetrics,
    hidden: permissions.hidden,
    recorder: permissions.recorder,
    agent: permissions.agent,
  };
}

export function samePermissions(a: Permissions, b: Permissions): boolean {
  return toPermission(a).equals(toPermission(b));
}

function sourceOfName(name: string): TrackSource {
  return SOURCE_NAMES.find(([known]) => known === name.toLowerCase())?.[1] ?? TrackSource.UNKNOWN;
}

function nameOfSource(source: TrackSource): string {
  return SOURCE_NAMES.find(([, known]) => known === source)?.[0] ?? 'unknown';
}
