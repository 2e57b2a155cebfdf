/** Loss and what recovery makes of it: every packet is counted, and timed from the publisher to the far bridge's subscriber. */
import type { PathSettings } from '../../../wan/path-settings.ts';
import { percentile } from '../../statistics.ts';
import { type CaseContext, type CaseFigures, type Finding, finding, ms, note, percent } from '../link-case.ts';
import { grown, LinkNetwork, type LinkView } from '../link-network.ts';
import {
  decodableFrames,
  delaysOf,
  fatesOf,
  type Ledger,
  lostShare,
  type PacketFate,
  type Span,
} from '../packet-ledger.ts';
import { AUDIO_SOURCE, VIDEO_SOURCE } from '../plans.ts';

/** What is sent before is not counted: links and decoders are new then. */
const SETTLE_MS = 2_000;
/** What is sent in the last moments may still be asked for when the run ends. */
const TAIL_MS = 1_500;
/** A packet that took this much longer than the path had been lost on the way and was repaired. Above what a busy machine adds to every packet. */
const REPAIRED_MS = 12;
/** Forward error correction repairs without asking back. */
const FEC_DELAY_MS = 20;
const NACK_DELAY_RTTS = 1.1;

export interface LossRun {
  readonly seconds: number;
  readonly settings: Partial<PathSettings> & { readonly delayMs: number };
}

export interface LossAccount {
  readonly audio: readonly PacketFate[];
  readonly video: readonly PacketFate[];
  readonly oneWayMs: number;
  /** Share of the datagrams of the link that the path lost. */
  readonly pathLossShare: number;
  readonly link: { readonly before: LinkView | undefined; readonly after: LinkView | undefined };
}

/** Plays a camera of 2.5 Mbit/s and a microphone over such a path, and accounts for each packet. */
export async function playOverLoss(context: CaseContext, run: LossRun): Promise<LossAccount> {
  const { seed, progress } = context;
  const network = await LinkNetwork.start({ bridges: 2, seed, settings: run.settings, progress });
  try {
    const player = network.startPlayer();
    await player.call('connect', { plan: 'pair', bridges: network.addresses });
    await network.untilUp([0, 1]);
    const before = await network.link(0, 1);
    const path = network.mesh.pathOf(0, 1).path.counters('forth');
    const [offered, lost] = [path.offered, path.lost];
    progress(`playing for ${run.seconds} s`);
    const { ledger } = await player.call('play', { plan: 'pair', seconds: run.seconds });
    const after = await network.link(0, 1);
    const span = countedSpan(ledger);
    return {
      audio: fatesOf(ledger, { publisher: 0, sourceId: AUDIO_SOURCE, subscriber: 1 }, 0, span),
      video: fatesOf(ledger, { publisher: 0, sourceId: VIDEO_SOURCE, subscriber: 1 }, 0, span),
      oneWayMs: run.settings.delayMs,
      pathLossShare: (path.lost - lost) / Math.max(1, path.offered - offered),
      link: { before, after },
    };
  } finally {
    await network.close();
  }
}

/** Residual loss, and how much later than others the packets came that had been lost on the way. */
export function judgeLoss(account: LossAccount, residualMax: number): CaseFigures {
  const { audio, video, oneWayMs } = account;
  const all = [...audio, ...video];
  const added = delaysOf(all).map(delayMs => delayMs - oneWayMs);
  const repaired = added.filter(delayMs => delayMs > REPAIRED_MS);
  const rttMs = 2 * oneWayMs;
  const residual = lostShare(all);
  const addedP95Ms = percentile(added.length === 0 ? [Number.POSITIVE_INFINITY] : added, 0.95);
  const repairedP95Ms = repaired.length === 0 ? addedP95Ms : percentile(repaired, 0.95);
  const delayAim = `≤ ${NACK_DELAY_RTTS} RTT = ${ms(NACK_DELAY_RTTS * rttMs)} (NACK) or ≤ ${ms(FEC_DELAY_MS)} (FEC)`;
  const values = {
    packets: all.length,
    pathLossShare: account.pathLossShare,
    residualShare: residual,
    residualAudioShare: lostShare(audio),
    residualVideoShare: lostShare(video),
    addedDelayP95Ms: addedP95Ms,
    repairedPackets: repaired.length,
    repairedDelayP95Ms: repairedP95Ms,
    ...countersOf(account.link),
  };
  const findings: Finding[] = [
    note('lost by the path', `${percent(account.pathLossShare)} of all datagrams of the link`),
    finding(
      'residual loss',
      `< ${percent(residualMax)}`,
      `${percent(residual)} of ${all.length} (audio ${percent(lostShare(audio))}, video ${percent(lostShare(video))})`,
      residual < residualMax,
    ),
    finding('added delay p95', delayAim, ms(addedP95Ms), addedP95Ms <= NACK_DELAY_RTTS * rttMs),
    finding(
      'added delay p95 of repaired packets alone',
      delayAim,
      `${ms(repairedP95Ms)} of ${repaired.length}`,
      repairedP95Ms <= NACK_DELAY_RTTS * rttMs,
    ),
    note('repairs', describeCounters(account.link)),
  ];
  return { findings, values };
}

/** Longest time between two frames that could be decoded, in ms. */
export function longestFreezeMs(video: readonly PacketFate[]): number {
  const frames = decodableFrames(video);
  return longestGapMs(frames.map(({ readyAtMs }) => readyAtMs));
}

export function longestGapMs(timesMs: readonly number[]): number {
  let longest = 0;
  for (let index = 1; index < timesMs.length; index++) longest = Math.max(longest, timesMs[index] - timesMs[index - 1]);
  return longest;
}

function countedSpan({ sent }: Ledger): Span {
  return { fromMs: sent.atMs[0] + SETTLE_MS, toMs: sent.atMs.at(-1)! - TAIL_MS };
}

const COUNTERS = ['packetsOut', 'bytesOut', 'nacksReceived', 'retransmitted', 'notRetransmitted'] as const;

function countersOf({ before, after }: LossAccount['link']): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, value] of Object.entries(after ?? {})) {
    if (typeof value === 'number' && (COUNTERS.some(one => one === name) || /^fec/i.test(name))) {
      values[name] = grown(before, after, name);
    }
  }
  return values;
}

function describeCounters(link: LossAccount['link']): string {
  return Object.entries(countersOf(link))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
