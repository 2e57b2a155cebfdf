/** `npm run bench -- join`: from connect to the first decoded frame of somebody who is already in the room, in another region. */

import { startNetwork } from '../../infra/local/network.ts';
import { Client } from '../e2e/client.ts';
import { eventually } from '../e2e/eventually.ts';
import { regionUrl } from '../e2e/meeting.ts';
import { percentile } from './statistics.ts';

const JOINS = 30;
const JOINS_QUICK = 8;
const FRAME_WITHIN_MS = 10_000;

export interface JoinResult {
  readonly joins: number;
  /** ms from the call of connect to its return. */
  readonly connected: { readonly p50: number; readonly p95: number };
  /** ms from the call of connect to the first decoded video frame. */
  readonly firstFrame: { readonly p50: number; readonly p95: number };
}

/** Runs a three-region network and joins it again and again. `progress` is called after each join. */
export async function runJoin(options: { quick: boolean; progress: (line: string) => void }): Promise<JoinResult> {
  const joins = options.quick ? JOINS_QUICK : JOINS;
  const network = await startNetwork({ regions: ['eu', 'us', 'ap'], bridgesPerRegion: 1, portBase: 'free' });
  const publisher = new Client('publisher', 0, () => 0);
  const connected: number[] = [];
  const firstFrame: number[] = [];
  try {
    await publisher.connect(regionUrl(network, 'eu'), 'bench-join');
    await publisher.publishCamera();
    for (let join = 0; join < joins; join++) {
      const region = ['us', 'ap', 'eu'][join % 3];
      const client = new Client(`joiner-${join}`, 1, () => 0);
      const startedAtMs = performance.now();
      await client.connect(regionUrl(network, region), 'bench-join');
      await eventually('a frame is decoded', FRAME_WITHIN_MS, () => client.seen.has('publisher'));
      connected.push(client.connectedInMs);
      firstFrame.push(client.seen.get('publisher')!.firstFrameAtMs - startedAtMs);
      await client.close();
      options.progress(
        `join ${join + 1} of ${joins} (${region}): connected in ${connected[join].toFixed(0)} ms, first frame after ${firstFrame[join].toFixed(0)} ms`,
      );
    }
  } finally {
    await publisher.close();
    await network.close();
  }
  return {
    joins,
    connected: { p50: percentile(connected, 0.5), p95: percentile(connected, 0.95) },
    firstFrame: { p50: percentile(firstFrame, 0.5), p95: percentile(firstFrame, 0.95) },
  };
}
