/** Who is on which bridge, what each publishes and watches, by name: the process that plays them knows them by it. */
import {
  AUDIO_SOURCE,
  audioOf,
  camera,
  endpoint,
  type ForwardCase,
  microphone,
  type PlannedSubscription,
  SILENCE,
  SPEECH,
  simulcastCamera,
  VIDEO_SOURCE,
  videoOf,
} from '../forward/cases.ts';

const REGIONS = 3;
export const PEOPLE = 12;
/** One of so many talks. */
const SPEAKER_EVERY = 3;
export const LARGE_TILES = 3;
export const LARGE_LAYER = 2;
/** Another conference than the other plans': it shares their links and nothing else. */
const LATE_CONFERENCE = 1;

export const PLANS = {
  /** A camera of 2.5 Mbit/s and a microphone, watched from another bridge. */
  pair: plan('one publisher, one subscriber on another bridge', 2, [
    endpoint([microphone(SPEECH), camera()], [], 0),
    endpoint([], [audioOf(0), videoOf(0, 0)], 1),
  ]),
  /** The same with simulcast, the largest layer asked for. */
  layers: plan('one publisher with three layers, one subscriber on another bridge', 2, [
    endpoint([microphone(SPEECH), simulcastCamera()], [], 0),
    endpoint([], [audioOf(0), videoOf(0, LARGE_LAYER)], 1),
  ]),
  /** Four of twelve in each of three regions: see {@link subscriptionsOf}. */
  regions: plan(
    'twelve people in three regions, each watching three large and eight small',
    REGIONS,
    Array.from({ length: PEOPLE }, (_, self) =>
      endpoint(
        [microphone(self % SPEAKER_EVERY === 0 ? SPEECH : SILENCE), simulcastCamera()],
        subscriptionsOf(self),
        regionOf(self),
      ),
    ),
  ),
  /** One on each of three bridges, all watching each other. */
  trio: trio(0),
  /** Three more, in a conference of their own. */
  late: trio(LATE_CONFERENCE),
} as const satisfies Record<string, ForwardCase>;

export type PlanName = keyof typeof PLANS;

/** The first four people are in the first region, and so on. */
export function regionOf(person: number): number {
  return Math.floor((person * REGIONS) / PEOPLE);
}

/** Everybody hears all others, sees the three who come after them large, and the rest small. */
function subscriptionsOf(self: number): PlannedSubscription[] {
  return Array.from({ length: PEOPLE - 1 }, (_, rank) => {
    const other = (self + 1 + rank) % PEOPLE;
    return [audioOf(other), videoOf(other, rank < LARGE_TILES ? LARGE_LAYER : 0)];
  }).flat();
}

function trio(conference: number): ForwardCase {
  const others = (self: number) => [0, 1, 2].filter(other => other !== self);
  return plan(
    'one on each of three bridges, all watching each other',
    3,
    [0, 1, 2].map(self =>
      endpoint(
        [microphone(SPEECH), camera()],
        others(self).flatMap(other => [audioOf(other), videoOf(other, 0)]),
        self,
        conference,
      ),
    ),
  );
}

function plan(summary: string, bridges: number, endpoints: readonly ReturnType<typeof endpoint>[]): ForwardCase {
  return { name: summary, summary, srtp: 'gcm', plan: () => ({ bridges, endpoints }) };
}

export { AUDIO_SOURCE, VIDEO_SOURCE };
