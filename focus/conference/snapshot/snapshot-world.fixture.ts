/** Rooms in every state that a snapshot may find them in: all that clients, bridges and the server API do to one, and bridges that answer late. */
import assert from 'node:assert/strict';
import {
  AddTrackRequest,
  AudioTrackFeature,
  ClientInfo,
  MuteTrackRequest,
  SessionDescription,
  SubscriptionPermission,
  TrackPermission,
  TrackSource,
  TrackType,
  UpdateTrackSettings,
  VideoLayer,
} from '@livekit/protocol';
import type { BridgeId } from '../../../protocol/ids.ts';
import { formatId } from '../../../protocol/ids.ts';
import { SdpError } from '../../sdp/sdp-error.ts';
import { type ConferenceEvent, handleBridgeEvent } from '../bridge-events.ts';
import { handleOffer } from '../negotiating.ts';
import { offerSdp } from '../offer.fixture.ts';
import { handleTaken } from '../offering.ts';
import type { Participant } from '../participant.ts';
import { changePermissions, changeProfile, changeRoomMetadata } from '../profile.ts';
import { addTrack, mute, muteByServer, updateTrack } from '../publishing.ts';
import { EVERYTHING, SETTINGS, type SeededRandom, TRANSPORT } from '../room.fixture.ts';
import type { Room } from '../room.ts';
import type { RoomOutput } from '../room-output.ts';
import { ACTIONS, BRIDGES, World, withSomebody } from '../room-world.fixture.ts';
import { updateSubscriptionPermission, updateTrackSettings } from '../subscribing.ts';
import type { Track } from '../track.ts';
import { type Restored, restoreRoom } from './restore-room.ts';

type Put = Extract<RoomOutput, { kind: 'endpoint' }>;

export class SnapshotWorld extends World {
  /** Bridges answer what they are sent when this ends. */
  isSlow = false;
  #unanswered: Put[] = [];

  /** Goes on with `room`, which was restored from this one's fields. */
  fork(room: Room): SnapshotWorld {
    const world = new SnapshotWorld({}, { world: this, room });
    for (const [sid, shape] of this.sections) world.sections.set(sid, structuredClone(shape));
    world.isSlow = this.isSlow;
    world.#unanswered = [...this.#unanswered];
    return world;
  }

  /** The same numbers as this one's are still to come. */
  restored(fields: ReadonlyMap<string, Uint8Array>): Restored {
    const random = (this.room.random as SeededRandom).fork();
    return restoreRoom(fields, this.room.identity, SETTINGS, random, this.nowMs);
  }

  /** What bridges were sent before is answered to nobody. */
  forgetUnanswered(): void {
    this.#unanswered = [];
  }

  override settle(): void {
    if (this.isSlow) {
      const before = this.outputs.length;
      this.settleUnanswered();
      for (const output of this.outputs.slice(before)) if (output.kind === 'endpoint') this.#unanswered.push(output);
      return;
    }
    const puts = this.#unanswered;
    this.#unanswered = [];
    for (const { endpointId, revision } of puts) {
      const participant = this.room.withEndpoint(endpointId);
      if (participant !== undefined) handleTaken(this.room, participant, endpointId, revision, TRANSPORT);
    }
    super.settle();
  }
}

type Action = (world: SnapshotWorld, who: number, what: number) => void;

const MORE: Readonly<Record<string, Action>> = {
  slow: (world, _who, what) => {
    world.isSlow = what % 3 !== 0;
  },
  joinInAnotherRole: (world, who, what) => {
    const kinds = ['', 'agent', 'sip', 'egress'];
    world.joinedWithTwo += who % 2;
    world.join(`q${who % 3}`, {
      bridgeId: BRIDGES[what % BRIDGES.length],
      hasTwoConnections: who % 2 === 1,
      kind: kinds[what % kinds.length],
      attributes: { role: 'guest', __proto__: 'x' },
      metadata: 'ö\u2028"',
      permissions: { ...EVERYTHING, hidden: what % 4 === 1, recorder: what % 4 === 2, agent: what % 4 === 3 },
      client: new ClientInfo({ protocol: what % 5, sdk: 2, version: '1.2.3', browser: 'Firefox' }),
      autoSubscribe: what % 4 !== 0,
    });
  },
  simulcast: (world, who, what) =>
    withSomebody(world, who, each => {
      const cid = `${each.sid}-cam${what}`;
      const layers = [0, 1, 2].map(
        quality => new VideoLayer({ quality, width: 320 << quality, height: 180 << quality }),
      );
      const source = TrackSource.CAMERA;
      addTrack(world.room, each, new AddTrackRequest({ cid, type: TrackType.VIDEO, source, layers, name: 'cam' }));
      const shape = world.sections.get(each.sid) ?? { tracks: [], moreAudio: 0, moreVideo: 0 };
      if (shape.moreAudio + shape.moreVideo > 0) return;
      const track = { kind: 'video' as const, cid, rids: ['f', 'h', 'q'] };
      world.sections.set(each.sid, { ...shape, tracks: [...shape.tracks, track] });
      world.offer(each);
    }),
  announceOnly: (world, who, what) =>
    withSomebody(world, who, each => {
      // Also of cids that are in use: those wait.
      const request = new AddTrackRequest({ cid: `${each.sid}-${what % 4}`, type: TrackType.AUDIO });
      addTrack(world.room, each, request);
    }),
  restartIce: (world, who, what) =>
    withSomebody(world, who, each => {
      const shape = { audio: 1, video: 1, ...world.sections.get(each.sid), ufrag: `clnt${what}` };
      const description = new SessionDescription({ type: 'offer', sdp: offerSdp(shape), id: what });
      handleOffer(world.room, each, description);
    }),
  mute: (world, who, what) =>
    withTrack(world, who, what, (each, { sid }) =>
      mute(world.room, each, new MuteTrackRequest({ sid, muted: what % 2 === 0 })),
    ),
  muteByServer: (world, who, what) =>
    withTrack(world, who, what, (each, track) => muteByServer(world.room, each, track, what % 2 === 0)),
  updateTrack: (world, who, what) =>
    withTrack(world, who, what, (each, { sid }) => {
      const features = what % 2 === 0 ? [AudioTrackFeature.TF_STEREO] : undefined;
      updateTrack(world.room, each, sid, { features, width: 100 * what });
    }),
  permissions: (world, who, what) =>
    withSomebody(world, who, each =>
      changePermissions(world.room, each, {
        ...each.permissions,
        canPublish: what % 4 !== 0,
        canPublishSources: what % 4 === 1 ? [TrackSource.CAMERA] : [],
        canSubscribe: what % 4 !== 2,
        hidden: what === 11,
      }),
    ),
  rules: (world, who, what) =>
    withSomebody(world, who, each => {
      const others = [...world.room.participants.values()];
      const { identity } = others[what % others.length];
      const tracks = each.publications.published().map(({ sid }) => sid);
      const row = new TrackPermission({ participantIdentity: identity, allTracks: what % 3 === 0, trackSids: tracks });
      const request = { allParticipants: what % 4 === 0, trackPermissions: [row] };
      updateSubscriptionPermission(world.room, each, new SubscriptionPermission(request));
    }),
  trackSettings: (world, who, what) =>
    withSomebody(world, who, each => {
      const sids = [...world.room.publishers.keys()].sort();
      if (sids.length === 0) return;
      const request = { trackSids: [sids[what % sids.length]], disabled: what % 3 === 0, quality: what % 4, fps: what };
      updateTrackSettings(world.room, each, new UpdateTrackSettings(request));
    }),
  profile: (world, who, what) =>
    withSomebody(world, who, each => {
      const attributes = what % 2 === 0 ? { mood: `${what}` } : { mood: '' };
      changeProfile(world.room, each, { name: `name${what}`, metadata: what % 3 === 0 ? 'm' : '', attributes });
    }),
  roomMetadata: (world, _who, what) => changeRoomMetadata(world.room, `about ${what % 4}`),
  connected: (world, who, what) =>
    withSomebody(world, who, each => {
      const endpointId = what % 2 === 0 ? each.endpointId : (each.receiving?.endpointId ?? each.endpointId);
      tell(world, each, {
        kind: 'endpoint',
        conferenceId: '00000007',
        endpointId: formatId(endpointId),
        state: what === 11 ? 'gone' : 'connected',
        reason: '',
      });
    }),
  neededLayers: (world, who, what) =>
    withTrack(world, who, what, (each, { sourceId }) =>
      tell(world, each, {
        kind: 'needed-layers',
        conferenceId: '00000007',
        endpointId: formatId(each.endpointId),
        sourceId,
        layers: what % 8,
      }),
    ),
  source: (world, who, what) =>
    withTrack(world, who, what, (each, { sourceId, kind }) =>
      tell(world, each, {
        kind: 'source',
        conferenceId: '00000007',
        endpointId: formatId(each.endpointId),
        sourceId,
        codec: kind === 'audio' ? 'opus' : 'h264',
      }),
    ),
};

/** Everything that may happen to a room between two snapshots. */
export const ALL_ACTIONS: Readonly<Record<string, Action>> = { ...ACTIONS, ...MORE };
/** A step as a test draws it. */
export type AnyStep = readonly [action: string, who: number, what: number];

function withTrack(
  world: SnapshotWorld,
  who: number,
  what: number,
  act: (publisher: Participant, track: Track) => void,
): void {
  withSomebody(world, who, each => {
    const tracks = [...each.publications.all];
    if (tracks.length > 0) act(each, tracks[what % tracks.length]);
  });
}

function tell(world: SnapshotWorld, { bridgeId }: Participant, event: ConferenceEvent): void {
  handleBridgeEvent(world.room, world.nowMs, bridgeId as BridgeId, event);
}

/** One step, and all that follows from it. Offers and answers that cannot be read change nothing. */
export function act(world: SnapshotWorld, [action, who, what]: AnyStep): void {
  try {
    ALL_ACTIONS[action](world, who, what);
  } catch (error) {
    if (!(error instanceof SdpError)) throw error;
  }
  world.settle();
}

/** Three participants, of whom two have two connections. */
export function started(): SnapshotWorld {
  const world = new SnapshotWorld();
  for (const who of [0, 1, 2]) ACTIONS.join(world, who, who);
  return world;
}

/** Whatever snapshots know of a room. */
export function textOfFields(fields: ReadonlyMap<string, Uint8Array>): string {
  return [...fields]
    .map(([name, bytes]) => `${name} ${Buffer.from(bytes)}`)
    .sort()
    .join('\n');
}

/** Fails with the place where two long texts part. */
export function assertSame(actual: string, expected: string, where: string): void {
  if (actual === expected) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 200), at + 100);
  assert.fail(`${where}\nis  ${around(actual)}\nnot ${around(expected)}`);
}

/** As text, to be compared: all of what was sent, byte for byte. */
export function textOf(outputs: readonly RoomOutput[]): string {
  const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  return outputs.map(output => JSON.stringify(output, plain)).join('\n');
}
