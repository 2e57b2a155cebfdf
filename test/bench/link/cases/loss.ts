/** Loss and what recovery makes of it: every packet is counted, and timed from the publisher to the far bridge's subscriber. */
import type { PathSettings } from '../../../wan/path-settings.ts';
import { percentile } from '../../statistics.ts';
import { type CaseContext, type CaseFigures, type Finding, finding, note, percent } from '../link-case.ts';
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
export interface LossRun {
  readonly seconds: number;
  readonly settings: Partial<PathSettings> & { readonly delayMs: number };
}

export interface LossAccount {
  readonly audio: readonly PacketFate[];
  readonly video: readonly PacketFate[];
  /** When the frames were ready that a decoder could show, in order. */
  readonly framesReadyAtMs: readonly number[];
  readonly oneWayMs: number;
  /** Share of the datagrams of the link that the path lost. */
  readonly pathLossShare: number;
  /** The link as the sender and as the receiver of the media count it. */
  readonly sender: TwoLooks;
  readonly receiver: TwoLooks;
}

interface TwoLooks {
  readonly before: LinkView | undefined;
  readonly after: LinkView | undefined;
}

/** Plays a camera of 2.5 Mbit/s and a microphone over such a path, and accounts for each packet. */
export async function playOverLoss(context: CaseContext, run: LossRun): Promise<LossAccount> {
  const { seed, progress } = context;
  const network = await LinkNetwork.start({ bridges: 2, seed, settings: run.settings, progress });
  try {
    const player = network.startPlayer();
    await player.call('connect', { plan: 'pair', bridges: network.addresses });
    await network.untilUp([0, 1]);
    const before = [await network.link(0, 1), await network.link(1, 0)];
    const path = network.mesh.pathOf(0, 1).path.counters('forth');
    const [offered, lost] = [path.offered, path.lost];
    progress(`playing for ${run.seconds} s`);
    const { ledger } = await player.call('play', { plan: 'pair', seconds: run.seconds });
    const after = [await network.link(0, 1), await network.link(1, 0)];
    const span = countedSpan(ledger);
    const camera = { publisher: 0, sourceId: VIDEO_SOURCE, subscriber: 1 };
    const frames = decodableFrames(fatesOf(ledger, camera, 0)).filter(({ sentAtMs }) => isWithin(sentAtMs, span));
    return {
      audio: fatesOf(ledger, { publisher: 0, sourceId: AUDIO_SOURCE, subscriber: 1 }, 0, span),
      video: fatesOf(ledger, camera, 0, span),
      framesReadyAtMs: frames.map(({ readyAtMs }) => readyAtMs),
      oneWayMs: run.settings.delayMs,
      pathLossShare: (path.lost - lost) / Math.max(1, path.offered - offered),
      sender: { before: before[0], after: after[0] },
      receiver: { before: before[1], after: after[1] },
    };
  } finally {
    await network.close();
  }
}

/** Residual loss of all that was sent. */
export function judgeResidual(account: LossAccount, residualMax: number): CaseFigures {
  const { audio, video, pathLossShare } = account;
  const repairs = repairsOf(account);
  const all = [...audio, ...video];
  const residual = lostShare(all);
  const values = {
    packets: all.length,
    pathLossShare,
    residualShare: residual,
    residualAudioShare: lostShare(audio),
    residualVideoShare: lostShare(video),
    ...repairs,
  };
  const findings: Finding[] = [
    note('lost by the path', `${percent(pathLossShare)} of all datagrams of the link`),
    note('repairs', describeRepairs(repairs)),
    finding(
      'residual loss',
      `< ${percent(residualMax)}`,
      `${percent(residual)} of ${all.length} (audio ${percent(lostShare(audio))}, video ${percent(lostShare(video))})`,
      residual < residualMax,
    ),
  ];
  return { findings, values };
}

/**
 * How much later than the path takes packets came: all of them, and those alone that had been lost on the way. The second is what says something of recovery: of few losses, most
 * packets know nothing.
 */
export function addedDelays({ audio, video, oneWayMs }: LossAccount): {
  readonly p95Ms: number;
  readonly repairedP95Ms: number;
  readonly repaired: number;
} {
  const added = delaysOf([...audio, ...video]).map(delayMs => delayMs - oneWayMs);
  if (added.length === 0) throw new Error('nothing arrived');
  const repaired = added.filter(delayMs => delayMs > REPAIRED_MS);
  const p95Ms = percentile(added, 0.95);
  const repairedP95Ms = repaired.length === 0 ? p95Ms : percentile(repaired, 0.95);
  return { p95Ms, repairedP95Ms, repaired: repaired.length };
}

/** Longest time between two of these, in ms. */
export function longestGapMs(timesMs: readonly number[]): number {
  let longest = 0;
  for (let index = 1; index < timesMs.length; index++) longest = Math.max(longest, timesMs[index] - timesMs[index - 1]);
  return longest;
}

function isWithin(atMs: number, { fromMs, toMs }: Span): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function countedSpan({ sent }: Ledger): Span {
  return { fromMs: sent.atMs[0] + SETTLE_MS, toMs: sent.atMs.at(-1)! - TAIL_MS };
}

function repairsOf({ sender, receiver }: LossAccount) {
  const sent = (name: string) => grown(sender.before, sender.after, name);
  const received = (name: string) => grown(receiver.before, receiver.after, name);
  return {
    retransmittedFrames: sent('retransmitted'),
    retransmitRefusedFrames: sent('notRetransmitted'),
    nackRecoveredFrames: received('recovered'),
    fecRecoveredFrames: received('fecRecovered'),
    givenUpFrames: received('givenUp'),
    fecBytesShare: sent('fecBytesOut') / Math.max(1, sent('bytesOut')),
  };
}

function describeRepairs(repairs: ReturnType<typeof repairsOf>): string {
  const { retransmittedFrames, nackRecoveredFrames, fecRecoveredFrames, givenUpFrames, fecBytesShare } = repairs;
  return `${fecRecoveredFrames} frames by FEC (${percent(fecBytesShare)} of the bytes), ${nackRecoveredFrames} by NACK (${retransmittedFrames} sent again), ${givenUpFrames} given up`;
}
