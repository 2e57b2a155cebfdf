/** The world that is simulated: where people are, where bridges are, what time it is there. */
import type { Region } from '../../protocol/geo.ts';

export interface WorldRegion extends Required<Region> {
  /** People nearer to it than to the others, millions, roughly: national totals of about 2024, large countries divided. */
  readonly peopleMillions: number;
  /** Share of them that meets online on a working day: income and connections differ far more than numbers of people do. */
  readonly onlineShare: number;
  /** Standard time, hours east of UTC. */
  readonly utcOffsetHours: number;
  /** Its name in region-rtt.csv, when the matrix has it. */
  readonly measuredAs?: string;
}

const row = (
  name: string,
  lat: number,
  lon: number,
  peopleMillions: number,
  onlineShare: number,
  utcOffsetHours: number,
  measuredAs?: string,
): WorldRegion => ({
  name,
  lat,
  lon,
  peopleMillions,
  onlineShare,
  utcOffsetHours,
  ...(measuredAs === undefined ? {} : { measuredAs }),
});

export const WORLD: readonly WorldRegion[] = [
  row('us-east', 38.9, -77.4, 190, 0.3, -5, 'us-east-1'),
  row('us-central', 41.3, -95.9, 75, 0.3, -6),
  row('us-west', 45.8, -119.7, 55, 0.3, -8, 'us-west-2'),
  row('us-california', 37.4, -121.9, 45, 0.32, -8, 'us-west-1'),
  row('ca-central', 45.5, -73.6, 40, 0.3, -5),
  row('mx-central', 20.6, -100.4, 180, 0.12, -6),
  row('sa-east', -23.5, -46.6, 300, 0.12, -3, 'sa-east-1'),
  row('sa-west', -33.4, -70.7, 130, 0.12, -4),
  row('eu-west', 53.3, -6.3, 75, 0.3, 0, 'eu-west-1'),
  row('eu-central', 50.1, 8.7, 290, 0.26, 1, 'eu-central-1'),
  row('eu-north', 59.3, 18.1, 130, 0.24, 1),
  row('eu-south', 41.9, 12.5, 160, 0.2, 1),
  row('me-central', 25.2, 55.3, 450, 0.1, 4),
  row('af-south', -33.9, 18.4, 560, 0.03, 2),
  row('af-west', 6.5, 3.4, 800, 0.02, 1),
  row('ap-south', 19.1, 72.9, 1900, 0.03, 5.5),
  row('ap-southeast', 1.35, 103.8, 690, 0.07, 8, 'ap-southeast-1'),
  row('ap-northeast', 35.7, 139.7, 1500, 0.05, 9, 'ap-northeast-1'),
  row('ap-korea', 37.6, 127, 80, 0.25, 9, 'ap-northeast-2'),
  row('ap-australia', -33.9, 151.2, 45, 0.28, 10, 'ap-southeast-2'),
];

/** Neighbours that stand in for each other: the groups that an operator of this network would configure. */
export const GROUPS: readonly (readonly string[])[] = [
  ['us-east', 'us-central', 'ca-central'],
  ['us-west', 'us-california'],
  ['eu-west', 'eu-central', 'eu-north', 'eu-south'],
  ['ap-northeast', 'ap-korea'],
];

/** People who meet online at the region's own busiest hour, in some unit. */
export function peakWeight({ peopleMillions, onlineShare }: WorldRegion): number {
  return peopleMillions * onlineShare;
}

/** Activity of a region, 0 to 1, by its local time: mornings and afternoons are busiest, with a dip at noon; a little is going on at night. */
export function activity({ utcOffsetHours }: WorldRegion, utcHours: number): number {
  const hour = (((utcHours + utcOffsetHours) % 24) + 24) % 24;
  return Math.min(1, 0.06 + 0.94 * (bump(hour, 10.5, 1.9) + bump(hour, 15, 2.3) + 0.25 * bump(hour, 20, 1.8)));
}

function bump(hour: number, peak: number, width: number): number {
  return Math.exp(-(((hour - peak) / width) ** 2) / 2);
}
