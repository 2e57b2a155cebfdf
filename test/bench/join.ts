/**
 * `npm run bench -- join`: how long people wait to be in a meeting that others are in already, with the store beside the focus and with it 200 ms away.
 * Real processes (test/scenarios): a focus, two bridges in two regions, a Redis behind a TCP proxy that holds each direction for half of the round trip.
 */
import { SignalClient } from '../../focus/io/signal-client.fixture.ts';
import { accessToken, Client } from '../e2e/client.ts';
import { eventually } from '../e2e/eventually.ts';
import { Attendee } from '../scenarios/attendee.ts';
import { Deployment } from '../scenarios/deployment.ts';
import type { JoinCase, JoinFigures, Percentiles } from './join-figures.ts';
import { percentile } from './statistics.ts';

const JOINS = 30;
const JOINS_QUICK = 8;
const FRAME_WITHIN_MS = 10_000;
const STORE_ROUND_TRIPS_MS = [0, 200] as const;
/** A join may take this long beside the one round trip to the store. */
const OWN_MS_MAX = 300;
const REGIONS = ['eu', 'us'] as const;
const ROOM = 'bench-join';

/** Joins again and again, with each delay of the store. `progress` is called now and then. */
export async function runJoin(options: { quick: boolean; progress: (line: string) => void }): Promise<JoinFigures> {
  const cases: JoinCase[] = [];
  for (const storeRoundTripMs of STORE_ROUND_TRIPS_MS) {
    cases.push(await runCase(storeRoundTripMs, options.quick ? JOINS_QUICK : JOINS, options.progress));
  }
  return { cases };
}

async function runCase(storeRoundTripMs: number, joins: number, progress: (line: string) => void): Promise<JoinCase> {
  const bridges = REGIONS.map(region => ({ bridgeId: `${region}-1`, region }));
  const deployment = await Deployment.start({ focuses: 1, bridges, storeRoundTripMs });
  try {
    const publisher = await Attendee.join(deployment, ROOM, 'publisher', { region: 'eu' });
    const response: number[] = [];
    for (let join = 0; join < joins; join++) response.push(await measureResponse(deployment, join));
    progress(
      `store ${storeRoundTripMs} ms away: ${joins} join responses, p50 ${percentile(response, 0.5).toFixed(0)} ms`,
    );
    const connected: number[] = [];
    const firstFrame: number[] = [];
    for (let join = 0; join < joins; join++) {
      const measured = await measureMedia(deployment, join);
      connected.push(measured.connectedMs);
      firstFrame.push(measured.firstFrameMs);
      progress(
        `store ${storeRoundTripMs} ms away: join ${join + 1} of ${joins}: connected in ${measured.connectedMs.toFixed(0)} ms, ` +
          `first frame after ${measured.firstFrameMs.toFixed(0)} ms`,
      );
    }
    await publisher.leave();
    const [trips, assigned] = await Promise.all(
      ['sum', 'count'].map(part => deployment.metric(`causeway_focus_store_assign_round_trips_${part}`)),
    );
    return {
      storeRoundTripMs,
      joins,
      responseMs: percentiles(response),
      connectedMs: percentiles(connected),
      firstFrameMs: percentiles(firstFrame),
      storeRoundTripsPerJoin: trips! / assigned!,
      responseAimMs: storeRoundTripMs + OWN_MS_MAX,
    };
  } finally {
    await deployment.close();
  }
}

/** A client that only speaks the protocol: no SDK's work is in the figure. */
async function measureResponse(deployment: Deployment, join: number): Promise<number> {
  const url = await deployment.clientUrl(REGIONS[join % 2]!);
  const token = await accessToken(`knocker-${join}`, ROOM);
  const startedAtMs = performance.now();
  const client = await SignalClient.open(url, token);
  await client.next('join');
  const tookMs = performance.now() - startedAtMs;
  client.close();
  return tookMs;
}

async function measureMedia(
  deployment: Deployment,
  join: number,
): Promise<{ readonly connectedMs: number; readonly firstFrameMs: number }> {
  const client = new Client(`joiner-${join}`, 1, () => 0);
  const url = await deployment.clientUrl(REGIONS[(join + 1) % 2]!);
  const startedAtMs = performance.now();
  try {
    await client.connect(url, ROOM);
    await eventually('a frame is decoded', FRAME_WITHIN_MS, () => client.seen.has('publisher'));
    return {
      connectedMs: client.connectedInMs,
      firstFrameMs: client.seen.get('publisher')!.firstFrameAtMs - startedAtMs,
    };
  } finally {
    await client.close();
  }
}

function percentiles(values: readonly number[]): Percentiles {
  return { p50: percentile(values, 0.5), p95: percentile(values, 0.95) };
}
