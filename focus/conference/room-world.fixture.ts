/** What clients of a room do, in any order: for tests of what holds whatever they do. */
import { AddTrackRequest, ClientInfo, SessionDescription, TrackType, UpdateSubscription } from '@livekit/protocol';
import type { BridgeId } from '../../protocol/ids.ts';
import { answerSdp } from '../sdp/answer.fixture.ts';
import { activate, handleSignalLost, LEFT_BY_ITSELF, leave, resume } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { type OfferedTrack, offerSdp } from './offer.fixture.ts';
import { handleAnswer } from './offering.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import type { ReceivingSide } from './receiving-side.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';
import { updateSubscriptions } from './subscribing.ts';
import { handleTimeout } from './timeouts.ts';

export const BRIDGES = ['eu-1', 'us-1', 'ap-1'] as BridgeId[];
export type Step<Action extends string = keyof typeof ACTIONS> = readonly [action: Action, who: number, what: number];

/** What each client of the test has offered: it keeps its sections, as real ones do. */
export class World extends TestRoom {
  readonly sections = new Map<string, { tracks: OfferedTrack[]; moreAudio: number; moreVideo: number }>();

  /** Joins with two connections: each is two endpoints. */
  joinedWithTwo = 0;

  participant(who: number): Participant | undefined {
    return [...this.room.participants.values()][who % Math.max(1, this.room.participants.size)];
  }

  offer(participant: Participant): void {
    const shape = this.sections.get(participant.sid) ?? { tracks: [], moreAudio: 0, moreVideo: 0 };
    this.sections.set(participant.sid, shape);
    const sdp = offerSdp({ audio: 1, video: 1, ...shape });
    handleOffer(this.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  }
}

export const ACTIONS = {
  join: (world: World, who: number, what: number) => {
    // Every other one has two connections, of whom every third may not subscribe when it comes.
    world.joinedWithTwo += who % 2 === 0 ? 1 : 0;
    world.join(`p${who % 6}`, {
      bridgeId: BRIDGES[what % BRIDGES.length],
      hasTwoConnections: who % 2 === 0,
      permissions: { ...EVERYTHING, canSubscribe: what % 6 !== 5 },
      client: new ClientInfo({ protocol: 15 }),
    });
  },
  activate: (world: World, who: number) => withSomebody(world, who, each => activate(world.room, each)),
  leave: (world: World, who: number) =>
    withSomebody(world, who, each => leave(world.room, world.nowMs, each, LEFT_BY_ITSELF)),
  loseSignal: (world: World, who: number) =>
    withSomebody(world, who, each => handleSignalLost(world.room, world.nowMs, each)),
  resume: (world: World, who: number) =>
    withSomebody(world, who, each => {
      if (each.signalLostAtMs !== null) resume(world.room, each);
    }),
  wait: (world: World, _who: number, what: number) => {
    world.nowMs += what * 500;
    handleTimeout(world.room, world.nowMs);
  },
  publish: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const kind = what % 2 === 0 ? 'audio' : 'video';
      const cid = `${each.sid}-${what}`;
      const type = kind === 'audio' ? TrackType.AUDIO : TrackType.VIDEO;
      addTrack(world.room, each, new AddTrackRequest({ cid, type }));
      const shape = world.sections.get(each.sid) ?? { tracks: [], moreAudio: 0, moreVideo: 0 };
      // After more sections were added for receiving, a new track would come behind them: this test's offers cannot say so.
      if (shape.moreAudio + shape.moreVideo > 0) return;
      world.sections.set(each.sid, { ...shape, tracks: [...shape.tracks, { kind, cid }] });
      world.offer(each);
    }),
  unpublish: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const shape = world.sections.get(each.sid);
      if (shape === undefined || shape.tracks.length === 0) return;
      shape.tracks[what % shape.tracks.length] = {
        ...shape.tracks[what % shape.tracks.length],
        direction: 'inactive',
      };
      world.offer(each);
    }),
  answer: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const offer = world.last(each, 'offer');
      if (offer === undefined || each.receiving === null) return;
      // Now and then a client does not take a section.
      const sdp = answerSdp(offer.sdp, { ufrag: ufragOf(each.receiving), rejected: what === 11 ? ['1'] : [] });
      handleAnswer(world.room, each, new SessionDescription({ sdp, id: offer.id }));
    }),
  offer: (world: World, who: number) => withSomebody(world, who, each => world.offer(each)),
  addSections: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const shape = world.sections.get(each.sid);
      if (shape === undefined) return;
      // Video goes behind audio: only what was not offered before can still be added in front of it.
      if (shape.moreVideo === 0) shape.moreAudio += what % 2;
      else shape.moreVideo += 1;
      if (what % 3 === 0) shape.moreVideo += 1;
      world.offer(each);
    }),
  subscribe: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const sids = [...world.room.publishers.keys()].sort();
      if (sids.length === 0) return;
      const request = new UpdateSubscription({ trackSids: [sids[what % sids.length]], subscribe: what % 2 === 0 });
      updateSubscriptions(world.room, each, request);
    }),
};

/** New in each generation, as ICE has it. */
export function ufragOf({ iceGeneration }: ReceivingSide): string {
  return `rcv${iceGeneration}`;
}

export function withSomebody(world: World, who: number, act: (participant: Participant) => void): void {
  const participant = world.participant(who);
  if (participant !== undefined) act(participant);
}
