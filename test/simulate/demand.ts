/** People and their meetings: who meets when, from where, for how long. The same for every deployment that is compared. */
import type { Chance } from '../soak/chance.ts';
import { between, exponential, weighted } from './draws.ts';
import { type Person, personOf } from './person.ts';
import { activity, peakWeight, WORLD } from './regions.ts';

export interface Meeting {
  readonly id: number;
  readonly startSecond: number;
  readonly endSecond: number;
  readonly people: readonly Person[];
}

/** Minutes that a meeting lasts on average; shorter ones are commoner. */
export const MEETING_MINUTES = 45;
/** Sizes of meetings: weight, least and most people. The mean is about eight. */
const SIZES: readonly (readonly [weight: number, min: number, max: number])[] = [
  [30, 2, 2],
  [45, 3, 6],
  [17, 7, 15],
  [7, 16, 50],
  [1, 51, 250],
];
const SIZE_WEIGHTS = SIZES.map(([weight]) => weight);
/** Meetings with people of other regions, and the share of people of such a meeting who are elsewhere. */
const INTERNATIONAL_SHARE = 0.3;
const ABROAD_SHARE = 0.4;

const MEAN_SIZE = SIZES.reduce((sum, [weight, min, max]) => sum + (weight / 100) * ((min + max) / 2), 0);
const WEIGHTS = WORLD.map(peakWeight);
// Asked by every meeting that begins in a second.
let lastHours = Number.NaN;
let lastActivity: readonly number[] = [];

/** World-wide activity at its busiest hour of the day, in the unit of {@link activityAt}'s sum. */
const PEAK = Math.max(...Array.from({ length: 96 }, (_, quarter) => sum(activityAt(quarter / 4))));

/** Expected meetings that begin in one second, by home region, so that `participants` people meet at the world's busiest hour. */
export function startRates(participants: number, utcHours: number): number[] {
  const perSecond = participants / MEAN_SIZE / (MEETING_MINUTES * 60);
  return activityAt(utcHours).map(each => (each / PEAK) * perSecond);
}

/** A region's people at their own busiest hour, as a share of the world's at the world's. More than 1 together: peaks are not at one time. */
export function peakShares(): number[] {
  return WEIGHTS.map(weight => weight / PEAK);
}

export function meeting(chance: Chance, id: number, home: number, startSecond: number, utcHours: number): Meeting {
  const [, min, max] = SIZES[weighted(chance, SIZE_WEIGHTS)]!;
  const size = between(chance, min, max);
  const isInternational = chance.fraction() < INTERNATIONAL_SHARE;
  const abroad = activityAt(utcHours).map((each, region) => (region === home ? 0 : each));
  const people = Array.from({ length: size }, (_, index) => {
    const isAbroad = isInternational && (index === 0 ? false : chance.fraction() < ABROAD_SHARE);
    return person(chance, isAbroad ? weighted(chance, abroad) : home, exponential(chance, 60));
  });
  const durationSeconds = Math.max(120, exponential(chance, MEETING_MINUTES * 60));
  // Not always somebody at home opens it.
  const shift = isInternational ? between(chance, 0, size - 1) : 0;
  const ordered = [...people.slice(shift), ...people.slice(0, shift)];
  return { id, startSecond, endSecond: Math.ceil(startSecond + durationSeconds), people: ordered };
}

/** An audience: everybody of one region within a minute. */
export function flashCrowd(chance: Chance, id: number, region: number, size: number, startSecond: number): Meeting {
  const people = Array.from({ length: size }, () => person(chance, region, chance.fraction() * 60));
  return { id, startSecond, endSecond: startSecond + 20 * 60, people };
}

function person(chance: Chance, region: number, joinsAfterSeconds: number): Person {
  // Wire and glass at 5 ms, most at some 15, a tail of radio.
  const accessMs = Math.min(150, 4 + exponential(chance, 14));
  return personOf({ region, accessMs, joinsAfterSeconds });
}

function activityAt(utcHours: number): readonly number[] {
  if (utcHours !== lastHours) {
    lastActivity = WORLD.map((region, index) => WEIGHTS[index]! * activity(region, utcHours));
    lastHours = utcHours;
  }
  return lastActivity;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
