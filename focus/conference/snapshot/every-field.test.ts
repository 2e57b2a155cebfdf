/**
 * Whoever adds a field to what a room is made of decides here what a snapshot does with it. Kept fields that change have a change of theirs here: it has to be noticed, and to be
 * there after a restore.
 */
import assert from 'node:assert/strict';
import { Session } from 'node:inspector';
import { test } from 'node:test';
import {
  AddTrackRequest,
  DisconnectReason,
  ParticipantInfo,
  SessionDescription,
  TrackPermission,
  TrackType,
} from '@livekit/protocol';
import type { BridgeId } from '../../../protocol/ids.ts';
import { answerSdp } from '../../sdp/answer.fixture.ts';
import { readAnswer } from '../../sdp/read-answer.ts';
import { readOffer } from '../../sdp/read-offer.ts';
import { DEFAULT_SETTINGS } from '../layer-choice.ts';
import { handleOffer } from '../negotiating.ts';
import { offerSdp } from '../offer.fixture.ts';
import { handleAnswer } from '../offering.ts';
import type { Participant } from '../participant.ts';
import { addTrack } from '../publishing.ts';
import type { ReceivingSide } from '../receiving-side.ts';
import { seededRandom, TRANSPORT } from '../room.fixture.ts';
import type { Track } from '../track.ts';
import { RoomSnapshots } from './room-snapshots.ts';
import { SnapshotWorld, textOfFields } from './snapshot-world.fixture.ts';

type Fate<T> =
  /** It is kept, and never changes. */
  | 'fixed'
  /** It follows from what is kept. */
  | 'derived'
  /** The next events of bridges tell it. */
  | 'learnt anew'
  /** Whoever restores the room has it. */
  | 'given'
  /** Nothing is lost with it: README.md says why. */
  | 'dropped'
  /** It is kept, and this changes it. */
  | ((subject: T) => void);
type Fates<T> = Readonly<Record<string, Fate<T>>>;

const ROOM: Fates<SnapshotWorld['room']> = {
  identity: 'given',
  settings: 'given',
  random: 'given',
  properties: room => {
    room.properties.metadata = 'new';
  },
  measurements: 'learnt anew',
  '#participants': 'derived',
  '#bySid': 'derived',
  '#byEndpoint': 'derived',
  '#changed': room => room.touch([...room.participants.values()][0]),
  '#isConferenceChanged': 'dropped',
  '#outputs': 'dropped',
  publishers: room => room.publishers.delete([...room.publishers.keys()][0]),
  speakers: 'learnt anew',
  isInfoChanged: room => {
    room.isInfoChanged = !room.isInfoChanged;
  },
  emptySinceMs: room => {
    room.emptySinceMs -= 1;
  },
  hasBeenJoined: room => {
    room.hasBeenJoined = !room.hasBeenJoined;
  },
};

const PROPERTIES: Fates<SnapshotWorld['room']['properties']> = {
  emptyTimeoutSeconds: properties => {
    properties.emptyTimeoutSeconds++;
  },
  departureTimeoutSeconds: properties => {
    properties.departureTimeoutSeconds++;
  },
  participantsMax: properties => {
    properties.participantsMax++;
  },
  metadata: properties => {
    properties.metadata = 'new';
  },
  placement: properties => {
    properties.placement = { kind: 'single' };
  },
};

const PARTICIPANT: Fates<Participant> = {
  sid: 'fixed',
  identity: 'fixed',
  endpointId: 'fixed',
  bridgeId: each => Object.assign(each, { bridgeId: 'us-9' as BridgeId }),
  region: 'fixed',
  bridgeRegion: each => Object.assign(each, { bridgeRegion: 'us' }),
  client: 'fixed',
  move: each => {
    each.move = {
      cause: 'drain',
      from: 'eu-9' as BridgeId,
      startedAtMs: 1,
      old: null,
      phase: 'told',
      waitsSinceMs: null,
      isAwaited: true,
      isHandedOver: true,
      toldBridges: new Set(),
      awaited: new Set([each.endpointId]),
    };
  },
  joinedAtMs: 'fixed',
  '#kind': 'fixed',
  publications: each =>
    addTrack(new SnapshotWorld().room, each, new AddTrackRequest({ cid: 'x', type: TrackType.AUDIO })),
  subscriptions: each => each.subscriptions.stop([...each.subscriptions.active.keys()][0]),
  forwards: 'fixed',
  receiving: each => {
    if (each.receiving !== null) each.receiving.iceGeneration++;
  },
  name: each => {
    each.name = 'new';
  },
  metadata: each => {
    each.metadata = 'new';
  },
  attributes: each => {
    each.attributes = { a: 'new' };
  },
  permissions: each => {
    each.permissions = { ...each.permissions, canPublishData: false };
  },
  state: each => {
    each.state = 'active';
  },
  disconnectReason: each => {
    each.disconnectReason = DisconnectReason.MIGRATION;
  },
  subscriberRules: each => {
    each.subscriberRules = new Map([['ben', new TrackPermission({ participantIdentity: 'ben', trackSids: ['TR_1'] })]]);
  },
  version: each => {
    each.version++;
  },
  offer: each => {
    each.offer = readOffer(offerSdp({ ufrag: 'newer' }));
  },
  iceGeneration: each => {
    each.iceGeneration++;
  },
  answeredGeneration: each => {
    each.answeredGeneration++;
  },
  openChannels: each => {
    each.openChannels = { publisher: { reliable: 1 }, subscriber: {}, received: [{ sid: 'PA_1', sequence: 2 }] };
  },
  sections: each => {
    each.sections = new Map([['TR_1', '9']]);
  },
  answer: each => {
    each.answer = { offerId: 9, revision: 0 };
  },
  requested: each => {
    each.requested = { audio: 1, video: 2 };
  },
  revision: each => {
    each.revision++;
  },
  document: 'derived',
  signalLostAtMs: each => {
    each.signalLostAtMs = 1;
  },
  missedLeaves: each => each.missedLeaves.set('PA_1', new ParticipantInfo({ sid: 'PA_1' })),
  mediaGoneAtMs: each => {
    each.mediaGoneAtMs = 1;
  },
  delivered: each => {
    each.delivered = new Map([['TR_1', 9]]);
  },
  nextTokenAtMs: each => {
    each.nextTokenAtMs++;
  },
};

const PUBLICATIONS: Fates<Participant['publications']> = {
  '#tracks': publications => {
    publications.add(new AddTrackRequest({ cid: 'x', type: TrackType.AUDIO }), seededRandom(7));
  },
  '#pendingMax': 'given',
  // A track that ends leaves nothing but the next id.
  '#nextSourceId': publications => {
    const added = publications.add(new AddTrackRequest({ cid: 'x', type: TrackType.AUDIO }), seededRandom(7));
    if (added.kind === 'added') publications.remove(added.track);
  },
};

const TRACK: Fates<Track> = {
  sid: 'fixed',
  cid: 'fixed',
  kind: 'fixed',
  sourceId: 'fixed',
  info: track => {
    track.info.codecs[0].mimeType = 'video/H264';
  },
  codecs: 'fixed',
  section: track => {
    if (track.section !== null) track.section = { ...track.section, rids: ['q'] };
  },
  streams: track => {
    track.streams = [{ ssrc: 5, layer: 1, isRtx: false }];
  },
  isQueued: track => {
    track.isQueued = !track.isQueued;
  },
  wasSubscribed: track => {
    track.wasSubscribed = !track.wasSubscribed;
  },
  neededLayers: track => {
    track.neededLayers = 3;
  },
};

const SUBSCRIPTIONS: Fates<Participant['subscriptions']> = {
  autoSubscribe: subscriptions => {
    subscriptions.autoSubscribe = !subscriptions.autoSubscribe;
  },
  '#explicit': subscriptions => subscriptions.choose([...subscriptions.active.keys()][0], false),
  '#settings': subscriptions => {
    subscriptions.set([...subscriptions.active.keys()][0], { ...DEFAULT_SETTINGS, layerMax: 1 });
  },
  '#active': subscriptions => subscriptions.stop([...subscriptions.active.keys()][0]),
  denied: subscriptions => subscriptions.denied.add([...subscriptions.active.keys()][0]),
  // How changes are noticed: it says nothing by itself.
  '#changes': 'derived',
};

const RECEIVING: Fates<ReceivingSide> = {
  endpointId: 'derived',
  isPrimary: 'fixed',
  sessionId: 'fixed',
  isNeeded: side => {
    side.isNeeded = !side.isNeeded;
  },
  revision: side => {
    side.revision++;
  },
  document: 'derived',
  iceGeneration: side => {
    side.iceGeneration++;
  },
  generationRevision: side => {
    side.generationRevision++;
  },
  transport: side => {
    side.transport = { ...TRANSPORT, version: 9 };
  },
  offeredGeneration: side => {
    side.offeredGeneration++;
  },
  offerId: side => {
    side.offerId++;
  },
  unanswered: side => {
    side.unanswered = { sinceMs: 5 };
  },
  answer: side => {
    side.answer = readAnswer(offerSdp({ ufrag: 'newer' }));
  },
  answeredGeneration: side => {
    side.answeredGeneration++;
  },
  places: side => side.places.push({ mid: String(side.places.length + 1), kind: 'audio', track: null }),
  '#connected': side => side.noteConnected(side.endpointId),
  '#measured': 'learnt anew',
};

/** Anna publishes a camera, and has two connections as Ben has, who receives it. */
function meeting(): { world: SnapshotWorld; anna: Participant; ben: Participant } {
  const world = new SnapshotWorld();
  const anna = world.join('anna');
  const ben = world.join('ben', { hasTwoConnections: true });
  addTrack(world.room, anna, new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO }));
  const sdp = offerSdp({ tracks: [{ kind: 'video', cid: 'cam' }] });
  handleOffer(world.room, anna, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  const offer = world.last(ben, 'offer');
  assert.ok(offer !== undefined);
  handleAnswer(world.room, ben, new SessionDescription({ sdp: answerSdp(offer.sdp), id: offer.id }));
  world.settle();
  return { world, anna, ben };
}

const SUBJECTS: readonly {
  readonly name: string;
  readonly fates: Fates<never>;
  readonly of: (meeting: { world: SnapshotWorld; anna: Participant; ben: Participant }) => object;
}[] = [
  { name: 'Room', fates: ROOM, of: ({ world }) => world.room },
  { name: 'RoomProperties', fates: PROPERTIES, of: ({ world }) => world.room.properties },
  { name: 'Participant', fates: PARTICIPANT, of: ({ ben }) => ben },
  { name: 'Publications', fates: PUBLICATIONS, of: ({ anna }) => anna.publications },
  { name: 'Track', fates: TRACK, of: ({ anna }) => anna.publications.published()[0] },
  { name: 'Subscriptions', fates: SUBSCRIPTIONS, of: ({ ben }) => ben.subscriptions },
  { name: 'ReceivingSide', fates: RECEIVING, of: ({ ben }) => ben.receiving ?? {} },
];

for (const { name, fates, of } of SUBJECTS) {
  test(`every field of ${name} has a fate in a snapshot`, () => {
    assert.deepEqual(Object.keys(fates).sort(), fieldsOf(of(meeting())).sort());
  });

  for (const [field, fate] of Object.entries(fates as Fates<object>)) {
    if (typeof fate !== 'function') continue;
    test(`a change of ${name}.${field} is noticed, and restored`, () => {
      const its = meeting();
      const { room } = its.world;
      const snapshots = new RoomSnapshots(room);
      const before = textOfFields(snapshots.all());
      fate(of(its));
      assert.equal(snapshots.changes().size, 1);
      const fields = new RoomSnapshots(room).all();
      assert.notEqual(textOfFields(fields), before);
      const restored = its.world.restored(fields);
      assert.ok(restored.ok);
      assert.equal(textOfFields(new RoomSnapshots(restored.room).all()), textOfFields(fields));
    });
  }
}

/** Names of an object's own fields, private ones too: those only a debugger sees. */
function fieldsOf(subject: object): string[] {
  const session = new Session();
  session.connect();
  const names = Object.keys(subject);
  Object.assign(globalThis, { subjectOfTest: subject });
  session.post('Runtime.evaluate', { expression: 'subjectOfTest' }, (_error, { result }) => {
    session.post('Runtime.getProperties', { objectId: result.objectId ?? '', ownProperties: true }, (_, properties) => {
      const { privateProperties = [] } = properties as { privateProperties?: { name: string; value?: object }[] };
      // Private accessors and methods have no value of their own.
      names.push(...privateProperties.flatMap(({ name, value }) => (value === undefined ? [] : [name])));
    });
  });
  session.disconnect();
  Reflect.deleteProperty(globalThis, 'subjectOfTest');
  return names;
}
