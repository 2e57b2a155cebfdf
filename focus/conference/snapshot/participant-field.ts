/** The field of one participant: all that is known of it, and back. */
import { ClientInfo, ParticipantInfo, TrackPermission } from '@livekit/protocol';
import { type Static, Type } from 'typebox';
import type { BridgeId, EndpointId } from '../../../protocol/ids.ts';
import { type Forwards, Participant, type ParticipantInit } from '../participant.ts';
import { compile, type MessageKind, type Read, readField, readMessage, unreadable, writeField } from './field.ts';
import { BridgeName, ChannelsSchema, MoveSchema, moveOf, moveState } from './move-state.ts';
import { AnswerSchema, answerOf, answerState, OfferSchema, offerOf, offerState } from './offer-state.ts';
import { ReceivingSchema, receivingOf, receivingState } from './receiving-state.ts';
import { InfoTexts, Texts } from './texts.ts';
import {
  PublicationsSchema,
  publicationsOf,
  publicationsState,
  SubscriptionsSchema,
  subscriptionsOf,
  subscriptionsState,
} from './tracks-state.ts';

const Count = Type.Integer({ minimum: 0 });
const Time = Type.Number();
const TimeOrNull = Type.Union([Type.Number(), Type.Null()]);
const Text = Type.String();
const Uint32 = Type.Integer({ minimum: 1, maximum: 0xffffffff });
/** A participant's own endpoints count up from 1; the other half of the range is for receiving ones. */
const ENDPOINT_ID_MAX = 0x7fffffff;

const PermissionsSchema = Type.Object({
  canPublish: Type.Boolean(),
  canPublishSources: Type.Array(Type.Integer()),
  canSubscribe: Type.Boolean(),
  canPublishData: Type.Boolean(),
  canUpdateOwnMetadata: Type.Boolean(),
  canSubscribeMetrics: Type.Boolean(),
  hidden: Type.Boolean(),
  recorder: Type.Boolean(),
  agent: Type.Boolean(),
});

const ParticipantSchema = Type.Object({
  sid: Type.String({ minLength: 1 }),
  identity: Type.String({ minLength: 1 }),
  endpointId: Type.Integer({ minimum: 1, maximum: ENDPOINT_ID_MAX }),
  bridgeId: BridgeName,
  region: Text,
  bridgeRegion: Text,
  /** LiveKit's ClientInfo. */
  client: Text,
  joinedAtMs: Time,
  kind: Count,
  name: Text,
  metadata: Text,
  attributes: Type.Record(Text, Text),
  permissions: PermissionsSchema,
  state: Type.Union([Type.Literal('joining'), Type.Literal('joined'), Type.Literal('active')]),
  disconnectReason: Count,
  /** Identity to LiveKit's TrackPermission. */
  subscriberRules: Type.Union([Type.Array(Type.Tuple([Text, Text])), Type.Null()]),
  version: Count,
  iceGeneration: Count,
  answeredGeneration: Type.Integer({ minimum: -1 }),
  move: Type.Union([MoveSchema, Type.Null()]),
  openChannels: Type.Union([ChannelsSchema, Type.Null()]),
  sections: Type.Array(Type.Tuple([Text, Text])),
  answer: Type.Union([Type.Object({ offerId: Type.Integer(), revision: Count }), Type.Null()]),
  requested: Type.Union([Type.Object({ audio: Count, video: Count }), Type.Null()]),
  revision: Count,
  signalLostAtMs: TimeOrNull,
  /** SID to LiveKit's ParticipantInfo. */
  missedLeaves: Type.Array(Type.Tuple([Text, Text])),
  mediaGoneAtMs: TimeOrNull,
  delivered: Type.Array(Type.Tuple([Text, Uint32])),
  /** Null of a shadow, which has no client to be given one. */
  nextTokenAtMs: TimeOrNull,
  forwards: Type.Optional(Type.Object({ room: Text, conferenceId: Uint32, endpointId: Uint32 })),
  /** Its document is still to be sent. */
  isTouched: Type.Boolean(),
  publications: PublicationsSchema,
  subscriptions: SubscriptionsSchema,
  receiving: Type.Union([ReceivingSchema, Type.Null()]),
  offer: Type.Union([OfferSchema, Type.Null()]),
  receivingAnswer: Type.Union([AnswerSchema, Type.Null()]),
});
type ParticipantFields = Static<typeof ParticipantSchema>;
/** Without what is put in as a text that was made before. */
type WithoutSdp = Omit<ParticipantFields, 'offer' | 'receivingAnswer'>;

const VALIDATOR = compile(ParticipantSchema);

/** What of the room belongs to one participant. */
export interface RoomView {
  isPublished(trackSid: string, publisher: Participant): boolean;
  isTouched(participant: Participant): boolean;
}

export interface RestoredParticipant {
  readonly participant: Participant;
  /** SIDs of its tracks that others know of. */
  readonly published: ReadonlySet<string>;
  readonly isTouched: boolean;
}

/** Writes the fields of participants. */
export class ParticipantWriter {
  readonly #texts = new Texts();
  readonly #infos = new InfoTexts();

  /** Null: it is too long to be kept. */
  write(participant: Participant, room: RoomView): Uint8Array | null {
    const { offer } = participant;
    const answer = participant.receiving?.answer ?? null;
    const offerText = offer === null ? 'null' : this.#texts.of(offer, each => JSON.stringify(offerState(each)));
    const answerText = answer === null ? 'null' : this.#texts.of(answer, each => JSON.stringify(answerState(each)));
    const text = JSON.stringify(this.#state(participant, room));
    return writeField(`${text.slice(0, -1)},"offer":${offerText},"receivingAnswer":${answerText}}`);
  }

  #state(participant: Participant, room: RoomView): WithoutSdp {
    const { publications, subscriptions, receiving, permissions, subscriberRules, endpointId } = participant;
    return {
      sid: participant.sid,
      identity: participant.identity,
      endpointId,
      bridgeId: participant.bridgeId,
      region: participant.region,
      bridgeRegion: participant.bridgeRegion,
      client: this.#texts.ofMessage(participant.client),
      joinedAtMs: participant.joinedAtMs,
      kind: participant.kind,
      name: participant.name,
      metadata: participant.metadata,
      attributes: participant.attributes,
      permissions: { ...permissions, canPublishSources: [...permissions.canPublishSources] },
      state: participant.state === 'disconnected' ? 'joined' : participant.state,
      disconnectReason: participant.disconnectReason,
      subscriberRules:
        subscriberRules === null
          ? null
          : [...subscriberRules].map(([identity, rule]) => [identity, this.#texts.ofMessage(rule)]),
      version: participant.version,
      iceGeneration: participant.iceGeneration,
      answeredGeneration: participant.answeredGeneration,
      move: participant.move === null ? null : moveState(participant.move),
      openChannels: participant.openChannels,
      sections: [...participant.sections],
      answer: participant.answer,
      requested: participant.requested,
      revision: participant.revision,
      signalLostAtMs: participant.signalLostAtMs,
      missedLeaves: [...participant.missedLeaves].map(([sid, info]) => [sid, this.#texts.ofMessage(info)]),
      mediaGoneAtMs: participant.mediaGoneAtMs,
      delivered: [...participant.delivered],
      nextTokenAtMs: participant.forwards === null ? participant.nextTokenAtMs : null,
      ...(participant.forwards === null ? {} : { forwards: participant.forwards }),
      isTouched: room.isTouched(participant),
      publications: publicationsState(
        publications.state(),
        info => this.#infos.of(info),
        trackSid => room.isPublished(trackSid, participant),
      ),
      subscriptions: subscriptionsState(subscriptions.state()),
      receiving: receiving === null ? null : receivingState(receiving, endpointId),
    };
  }
}

/** Never throws. */
export function readParticipant(bytes: Uint8Array, pendingTracksMax: number, nowMs: number): Read<RestoredParticipant> {
  const read = readField(bytes, VALIDATOR);
  if (!read.ok) return read;
  const { value } = read;
  const { forwards, ...rest } = value;
  const endpointId = value.endpointId as EndpointId;
  const client = readMessage(ClientInfo, value.client);
  const offer = value.offer === null ? null : offerOf(value.offer);
  const publications = publicationsOf(value.publications);
  const subscriptions = subscriptionsOf(value.subscriptions);
  const subscriberRules = value.subscriberRules === null ? null : messages(TrackPermission, value.subscriberRules);
  const missedLeaves = messages(ParticipantInfo, value.missedLeaves);
  if (client === undefined || subscriberRules === undefined || missedLeaves === undefined) {
    return unreadable('a protobuf message in it cannot be read');
  }
  if (offer === undefined) return unreadable('its offer contradicts itself');
  if (publications === undefined) return unreadable('its tracks contradict each other');
  if (subscriptions === undefined) return unreadable('its subscriptions contradict each other');

  const init: ParticipantInit = {
    ...rest,
    endpointId,
    bridgeId: value.bridgeId as BridgeId,
    ...(forwards === undefined ? {} : { forwards: forwards as Forwards }),
    kind: '',
    client,
    autoSubscribe: subscriptions.autoSubscribe,
  };
  const answer = value.receivingAnswer === null ? null : answerOf(value.receivingAnswer);
  const receiving = value.receiving === null ? null : receivingOf(value.receiving, endpointId, answer);
  const participant = new Participant(init, pendingTracksMax, value.joinedAtMs, { kind: value.kind, receiving });
  participant.publications.restore(publications);
  participant.subscriptions.restore(subscriptions);
  participant.state = value.state;
  participant.disconnectReason = value.disconnectReason;
  participant.subscriberRules = subscriberRules;
  participant.version = value.version;
  participant.offer = offer;
  participant.iceGeneration = value.iceGeneration;
  participant.answeredGeneration = value.answeredGeneration;
  participant.move = value.move === null ? null : moveOf(value.move);
  participant.openChannels = value.openChannels;
  participant.sections = new Map(value.sections);
  participant.answer = value.answer;
  participant.requested = value.requested;
  participant.revision = value.revision;
  participant.signalLostAtMs = past(value.signalLostAtMs, nowMs);
  for (const [sid, info] of missedLeaves) participant.missedLeaves.set(sid, info);
  participant.mediaGoneAtMs = past(value.mediaGoneAtMs, nowMs);
  participant.delivered = new Map(value.delivered);
  participant.nextTokenAtMs = value.nextTokenAtMs ?? Number.POSITIVE_INFINITY;
  return { ok: true, value: { participant, published: publications.published, isTouched: value.isTouched } };
}

/** Undefined when one of them cannot be read. */
function messages<T>(type: MessageKind<T>, rows: readonly (readonly [string, string])[]): Map<string, T> | undefined {
  const read = new Map<string, T>();
  for (const [key, text] of rows) {
    const message = readMessage(type, text);
    if (message === undefined) return undefined;
    read.set(key, message);
  }
  return read;
}

/** Clocks of two focuses differ: what happened at the other one is not still to come. */
function past(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : Math.min(atMs, nowMs);
}
