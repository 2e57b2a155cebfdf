/** One room: who is in it and what they see of each other. Data and its queue of outputs; what happens is in the files around it. */
import { Room as RoomInfo } from '@livekit/protocol';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import type { Policy } from '../placement/policy.ts';
import { ENABLED_CODECS } from './codecs.ts';
import { type ConferenceDocument, conferenceDocument } from './conference-spec.ts';
import { endpointDocument, type RemoteTrack } from './endpoint-spec.ts';
import { Measurements } from './measurements.ts';
import type { Participant } from './participant.ts';
import type { Random } from './random.ts';
import type { RoomIdentity, RoomOutput, SignalMessage } from './room-output.ts';
import { twoDocuments } from './two-documents.ts';

/** Settings of all rooms of a focus; see focus/config-schema.ts for defaults and reasons. */
export interface RoomSettings {
  readonly pendingTracksMax: number;
  readonly metadataBytesMax: number;
  readonly attributesBytesMax: number;
  readonly nameCharactersMax: number;
  readonly isRemoteUnmuteAllowed: boolean;
  readonly resumeTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly tokenIntervalMs: number;
  readonly pingIntervalSeconds: number;
  readonly pingTimeoutSeconds: number;
  /** Of the software, for people who look at what clients were told. */
  readonly version: string;
}

/** What may be set for each room. */
export interface RoomProperties {
  emptyTimeoutSeconds: number;
  departureTimeoutSeconds: number;
  /** 0: no limit. */
  participantsMax: number;
  metadata: string;
  /** What an operator said of its placement (`/v1/rooms/:room/placement`); null: nothing. */
  placement: Partial<Policy> | null;
}

export class Room {
  readonly identity: RoomIdentity;
  readonly settings: RoomSettings;
  readonly properties: RoomProperties;
  readonly random: Random;
  readonly measurements = new Measurements();
  readonly #participants = new Map<string, Participant>();
  readonly #bySid = new Map<string, Participant>();
  readonly #byEndpoint = new Map<EndpointId, Participant>();
  readonly #changed = new Set<Participant>();
  #isConferenceChanged = false;
  #outputs: RoomOutput[] = [];
  /** Who publishes each negotiated track. */
  readonly publishers = new Map<string, Participant>();
  /** SIDs of those who speak, as each bridge told its clients last. */
  readonly speakers = new Map<BridgeId, ReadonlySet<string>>();
  /** Counts that `RoomUpdate` tells have changed; it is sent with the next tick, once for many. */
  isInfoChanged = false;
  /** When the last one left, or when it was created. */
  emptySinceMs: number;
  hasBeenJoined = false;

  constructor(
    identity: RoomIdentity,
    properties: RoomProperties,
    settings: RoomSettings,
    random: Random,
    nowMs: number,
  ) {
    this.identity = identity;
    this.properties = properties;
    this.settings = settings;
    this.random = random;
    this.emptySinceMs = nowMs;
  }

  /** In the order they joined. */
  get participants(): ReadonlyMap<string, Participant> {
    return this.#participants;
  }

  withSid(sid: string): Participant | undefined {
    return this.#bySid.get(sid);
  }

  withEndpoint(endpointId: EndpointId): Participant | undefined {
    return this.#byEndpoint.get(endpointId);
  }

  /** The track of that SID and who publishes it, if it is negotiated. */
  track(trackSid: string): RemoteTrack | undefined {
    const publisher = this.publishers.get(trackSid);
    const track = publisher?.publications.find(trackSid);
    return publisher === undefined || track === undefined || track.section === null ? undefined : { publisher, track };
  }

  /** One that joined elsewhere: nobody is told, and its bridge knows it. */
  restore(participant: Participant): void {
    this.#participants.set(participant.identity, participant);
    this.#bySid.set(participant.sid, participant);
    this.#byEndpoint.set(participant.endpointId, participant);
    if (participant.receiving !== null) this.#byEndpoint.set(participant.receiving.endpointId, participant);
  }

  add(participant: Participant): void {
    this.restore(participant);
    this.hasBeenJoined = true;
    this.#isConferenceChanged = true;
    this.#changed.add(participant);
  }

  remove(participant: Participant, nowMs: number): void {
    this.#participants.delete(participant.identity);
    this.#bySid.delete(participant.sid);
    this.#byEndpoint.delete(participant.endpointId);
    this.#changed.delete(participant);
    this.#isConferenceChanged = true;
    this.measurements.forget(participant.endpointId);
    if (this.#participants.size === 0) this.emptySinceMs = nowMs;
    if (participant.receiving !== null) this.#byEndpoint.delete(participant.receiving.endpointId);
    this.dropFrom(participant, participant.bridgeId);
    if (participant.move?.old != null) this.dropFrom(participant, participant.move.old);
  }

  /** That bridge has nothing more to do with the participant, who has left it. */
  dropFrom({ sid, endpointId, receiving }: Participant, bridgeId: BridgeId): void {
    this.output({ kind: 'endpoint-removed', bridgeId, endpointId });
    if (receiving !== null) this.output({ kind: 'endpoint-removed', bridgeId, endpointId: receiving.endpointId });
    for (const other of this.#participants.values()) {
      if (other.sid !== sid && (other.bridgeId === bridgeId || other.move?.old === bridgeId)) return;
    }
    this.measurements.forgetBridge(bridgeId);
    this.speakers.delete(bridgeId);
    this.output({ kind: 'conference-removed', bridgeId });
  }

  /** Who is on which bridge is told with the next drain. */
  handlePlacesChanged(): void {
    this.#isConferenceChanged = true;
  }

  /** Whose documents the next drain sends. */
  get changed(): ReadonlySet<Participant> {
    return this.#changed;
  }

  /** The endpoint's document is sent with the next drain. */
  touch(participant: Participant): void {
    if (this.#bySid.has(participant.sid)) this.#changed.add(participant);
  }

  output(output: RoomOutput): void {
    this.#outputs.push(output);
  }

  /** To one participant; nobody hears it while its socket is away: a resume tells everything anew. A forwarded one has no socket. */
  send(participant: Participant, message: SignalMessage): void {
    if (participant.signalLostAtMs !== null || participant.forwards !== null) return;
    this.output({ kind: 'signal', participantSid: participant.sid, message });
  }

  /** All outputs since the last call. One document for each changed endpoint, however often it changed; the conference before its endpoints. */
  drain(): RoomOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    if (this.#isConferenceChanged && this.#participants.size > 0) {
      outputs.push({ kind: 'conference', document: this.document() });
    }
    this.#isConferenceChanged = false;
    for (const participant of this.#changed) {
      const { bridgeId, endpointId, receiving } = participant;
      if (receiving !== null) {
        outputs.push(...twoDocuments(participant, receiving, trackSid => this.track(trackSid)));
        continue;
      }
      const revision = ++participant.revision;
      if (participant.answer !== null && participant.answer.revision === 0) participant.answer.revision = revision;
      const document = endpointDocument(participant, trackSid => this.track(trackSid));
      outputs.push({ kind: 'endpoint', bridgeId, endpointId, revision, document });
    }
    this.#changed.clear();
    return outputs;
  }

  document(): ConferenceDocument {
    return conferenceDocument(this.#participants.values());
  }

  /** Hidden participants are not counted: nobody is to know of them. */
  info(): RoomInfo {
    const visible = [...this.#participants.values()].filter(({ permissions }) => !permissions.hidden);
    return new RoomInfo({
      sid: this.identity.sid,
      name: this.identity.name,
      emptyTimeout: this.properties.emptyTimeoutSeconds,
      departureTimeout: this.properties.departureTimeoutSeconds,
      maxParticipants: this.properties.participantsMax,
      creationTime: BigInt(Math.floor(this.identity.createdAtMs / 1000)),
      creationTimeMs: BigInt(Math.floor(this.identity.createdAtMs)),
      enabledCodecs: ENABLED_CODECS,
      metadata: this.properties.metadata,
      numParticipants: visible.length,
      numPublishers: visible.filter(({ publications }) => publications.published().length > 0).length,
      activeRecording: [...this.#participants.values()].some(({ permissions }) => permissions.recorder),
    });
  }
}
