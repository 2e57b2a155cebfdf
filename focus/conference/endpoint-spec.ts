/** The document in which a bridge reads all it is to know of one endpoint. */
import type { EndpointSpec, ProjectionSpec } from '../../protocol/control/spec.ts';
import { formatId } from '../../protocol/ids.ts';
import type { BroughtChannels } from './bridge-move.ts';
import type { Participant } from './participant.ts';
import type { ReceivingSide } from './receiving-side.ts';
import { sourceSpec, type Track } from './track.ts';

/** The document without its version, which is the business of whoever sends it. */
export type EndpointDocument = Omit<EndpointSpec, 'version'>;

/** A track of somebody else. */
export interface RemoteTrack {
  readonly publisher: Participant;
  readonly track: Track;
}

/** `remote` finds the tracks that the participant may be subscribed to, by SID. */
export function endpointDocument(
  participant: Participant,
  remote: (trackSid: string) => RemoteTrack | undefined,
): EndpointDocument {
  const { offer, permissions, receiving } = participant;
  return {
    identity: participant.identity,
    sid: participant.sid,
    iceGeneration: participant.iceGeneration,
    ice: offer?.ice ?? null,
    dtls: offer?.dtls ?? null,
    codecs: [...(offer?.codecs ?? [])],
    extensions: [...(offer?.extensions ?? [])],
    sources: participant.publications.published().flatMap(track => sourceSpec(track) ?? []),
    projections: receiving === null ? projections(participant, remote) : [],
    mayPublishData: permissions.canPublishData,
    ...(receiving?.isPrimary === true ? { dataChannels: 'from-client' } : {}),
    ...broughtChannels(participant.openChannels, 'publisher'),
  };
}

/** The same for the endpoint on which a participant with two of them only receives. */
export function receivingDocument(
  participant: Participant,
  receiving: ReceivingSide,
  remote: (trackSid: string) => RemoteTrack | undefined,
): EndpointDocument {
  const { answer, answeredGeneration, iceGeneration, isPrimary } = receiving;
  return {
    identity: participant.identity,
    sid: participant.sid,
    iceGeneration,
    ice: answeredGeneration === iceGeneration ? (answer?.ice ?? null) : null,
    dtls: answer?.dtls ?? null,
    codecs: answer?.codecs ?? [],
    extensions: answer?.extensions ?? [],
    sources: [],
    projections: projections(participant, remote),
    mayPublishData: false,
    dataChannels: isPrimary ? 'to-client' : 'none',
    ...broughtChannels(participant.openChannels, 'subscriber'),
  };
}

function broughtChannels(
  brought: BroughtChannels | null,
  side: 'publisher' | 'subscriber',
): Pick<EndpointDocument, 'openChannels' | 'received'> {
  if (brought === null || Object.keys(brought[side]).length === 0) return {};
  return { openChannels: brought[side], received: brought.received };
}

/** Only what has a section: the rest waits for the client's next offer. A publisher's mute is not repeated here: its source says so. */
function projections(
  participant: Participant,
  remote: (trackSid: string) => RemoteTrack | undefined,
): ProjectionSpec[] {
  const specs: ProjectionSpec[] = [];
  for (const { trackSid, ssrc, rtxSsrc } of participant.subscriptions.active.values()) {
    const mid = participant.sections.get(trackSid);
    const found = remote(trackSid);
    if (mid === undefined || found === undefined) continue;
    const settings = participant.subscriptions.settings(trackSid);
    specs.push({
      origin: formatId(found.publisher.endpointId),
      sourceId: found.track.sourceId,
      kind: found.track.kind,
      mid,
      ssrc,
      rtxSsrc,
      enabled: !settings.isDisabled,
      layerMax: settings.layerMax,
      temporalMax: settings.temporalMax,
    });
  }
  return specs;
}
