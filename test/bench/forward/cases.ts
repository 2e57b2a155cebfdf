/** What is measured: who is in which conference on which bridge, what each sends, and what each is sent. */
import { type MediaProgram, silenceProgram, speechProgram, videoProgram } from './media-program.ts';

export const AUDIO_SOURCE = 1;
export const VIDEO_SOURCE = 2;

export interface PlannedSource {
  readonly sourceId: number;
  readonly kind: 'audio' | 'video';
  /** One per simulcast encoding, the smallest first. */
  readonly layers: readonly MediaProgram[];
}

export interface PlannedSubscription {
  /** Index of the publisher among the plan's endpoints. */
  readonly publisher: number;
  readonly sourceId: number;
  readonly layerMax: number;
  readonly isEnabled: boolean;
}

export interface PlannedEndpoint {
  readonly bridge: number;
  readonly conference: number;
  readonly sources: readonly PlannedSource[];
  readonly subscriptions: readonly PlannedSubscription[];
}

export interface BenchPlan {
  readonly bridges: number;
  readonly endpoints: readonly PlannedEndpoint[];
}

export interface ForwardCase {
  readonly name: string;
  readonly summary: string;
  readonly srtp: 'gcm' | 'cm';
  readonly plan: () => BenchPlan;
}

/** What a camera sends without simulcast: 720p. */
const CAMERA = videoProgram(2_500_000, 30);
/** LiveKit's simulcast presets of 720p. */
const SIMULCAST = [videoProgram(160_000, 20), videoProgram(450_000, 20), videoProgram(1_700_000, 30)];
export const SPEECH = speechProgram();
export const SILENCE = silenceProgram();

/** Tiles that a meeting shows: the latest speaker large, the ones before small. */
const LAST_N = 8;
const SPEAKERS = 4;

export const CASES: readonly ForwardCase[] = [
  ...[10, 50, 200, 800, 1_000].map(size => webinar(size, 'gcm')),
  webinar(50, 'cm'),
  ...[10, 20, 40].map(meeting),
  {
    name: 'audio-room',
    summary: '10 speakers to 1000: everybody hears everybody who speaks',
    srtp: 'gcm',
    plan: () => audioRoom(10, 1_000),
  },
  {
    name: 'rooms',
    summary: '100 rooms of 2: camera and microphone each way',
    srtp: 'gcm',
    plan: () => rooms(100),
  },
  {
    name: 'relay',
    summary: 'three bridges, one conference: 20 cameras on the first, links to the other two',
    srtp: 'gcm',
    plan: () => relay(20),
  },
];

/** No case: what a bridge does for the first time takes memory that it takes once (`BenchRun.rehearse`). Its conference is none of the cases'. */
export const REHEARSAL: ForwardCase = {
  name: 'rehearsal',
  summary: 'three all to all, with simulcast',
  srtp: 'gcm',
  plan: () => ({
    bridges: 1,
    endpoints: repeat(3, self => {
      const others = repeat(3, index => index).filter(index => index !== self);
      const subscriptions = others.flatMap(index => [audioOf(index), videoOf(index, 2)]);
      return endpoint([microphone(SPEECH), simulcastCamera()], subscriptions, 0, REHEARSAL_CONFERENCE);
    }),
  }),
};
const REHEARSAL_CONFERENCE = 100_000;

function webinar(size: number, srtp: 'gcm' | 'cm'): ForwardCase {
  return {
    name: srtp === 'gcm' ? `webinar-${size}` : `webinar-${size}-cm`,
    summary: `one camera and microphone to ${size}${srtp === 'gcm' ? '' : ', AES-CM with HMAC-SHA1'}`,
    srtp,
    plan: () => ({
      bridges: 1,
      endpoints: [
        endpoint([microphone(SPEECH), camera()], []),
        ...repeat(size, () => endpoint([], [audioOf(0), videoOf(0, 0)])),
      ],
    }),
  };
}

function meeting(size: number): ForwardCase {
  return {
    name: `meeting-${size}`,
    summary: `${size} all to all: all audio (${SPEAKERS} speak), video of the last ${LAST_N} (one large, the others small)`,
    srtp: 'gcm',
    plan: () => ({
      bridges: 1,
      endpoints: repeat(size, self => {
        const others = repeat(size, index => index).filter(index => index !== self);
        const subscriptions = others.flatMap((index, rank) => [
          audioOf(index),
          videoOf(index, rank === 0 ? 2 : 0, rank < LAST_N),
        ]);
        return endpoint([microphone(self < SPEAKERS ? SPEECH : SILENCE), simulcastCamera()], subscriptions);
      }),
    }),
  };
}

function audioRoom(speakers: number, size: number): BenchPlan {
  const heard = (self: number) => repeat(speakers, index => index).filter(index => index !== self);
  return {
    bridges: 1,
    endpoints: repeat(size, self =>
      endpoint(
        self < speakers ? [microphone(SPEECH)] : [],
        heard(self).map(index => audioOf(index)),
      ),
    ),
  };
}

function rooms(count: number): BenchPlan {
  return {
    bridges: 1,
    endpoints: repeat(count * 2, self => {
      const other = self ^ 1;
      return endpoint([microphone(SPEECH), camera()], [audioOf(other), videoOf(other, 0)], 0, self >> 1);
    }),
  };
}

/**
 * The last two endpoints are on the other bridges, the two before them on the first: each of these four can be given all cameras, or none, so that the cost of two
 * links, or of two clients, is what changes between rounds.
 */
function relay(cameras: number): BenchPlan {
  const all = repeat(cameras, index => videoOf(index, 0));
  return {
    bridges: 3,
    endpoints: [
      ...repeat(cameras, () => endpoint([camera()], [])),
      endpoint([], all, 0),
      endpoint([], all, 0),
      endpoint([], all, 1),
      endpoint([], all, 2),
    ],
  };
}

export function endpoint(
  sources: readonly PlannedSource[],
  subscriptions: readonly PlannedSubscription[],
  bridge = 0,
  conference = 0,
): PlannedEndpoint {
  return { bridge, conference, sources, subscriptions };
}

export function microphone(program: MediaProgram): PlannedSource {
  return { sourceId: AUDIO_SOURCE, kind: 'audio', layers: [program] };
}

export function camera(): PlannedSource {
  return { sourceId: VIDEO_SOURCE, kind: 'video', layers: [CAMERA] };
}

export function simulcastCamera(): PlannedSource {
  return { sourceId: VIDEO_SOURCE, kind: 'video', layers: SIMULCAST };
}

export function audioOf(publisher: number): PlannedSubscription {
  return { publisher, sourceId: AUDIO_SOURCE, layerMax: 0, isEnabled: true };
}

export function videoOf(publisher: number, layerMax: number, isEnabled = true): PlannedSubscription {
  return { publisher, sourceId: VIDEO_SOURCE, layerMax, isEnabled };
}

function repeat<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
