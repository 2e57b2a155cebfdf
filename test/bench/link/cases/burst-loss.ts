/** Bursty loss: exactly, packet by packet, and as people see it, by a real decoder. */
import { setTimeout as pause } from 'node:timers/promises';
import { type CaseContext, type Finding, finding, type LinkCase, ms, note } from '../link-case.ts';
import { LinkNetwork, until, wallMs } from '../link-network.ts';
import { addedDelays, judgeResidual, longestGapMs, playOverLoss } from './loss.ts';

const RESIDUAL_MAX = 0.005;
const FREEZE_MS_MAX = 500;
const SETTINGS = { delayMs: 30, lossShare: 0.1, burstLength: 5 };
/** Until the largest layer is there, and its decoder runs. */
const SETTLE_MS = 3_000;
const FIRST_FRAME_MS_MAX = 15_000;

export const BURST_LOSS: LinkCase = {
  name: 'burst-loss',
  summary: '10 % loss in bursts of 5 in the mean (Gilbert-Elliott), 60 ms RTT',
  async run(context) {
    const seconds = context.quick ? 7 : 30;
    const account = await playOverLoss(context, { seconds, settings: SETTINGS });
    const { findings, values } = judgeResidual(account, RESIDUAL_MAX);
    const { repairedP95Ms } = addedDelays(account);
    const wholeMs = longestGapMs(account.framesReadyAtMs);
    const real = await watchOverLoss(context, seconds);
    const frozen: Finding = finding(
      'longest freeze at a real decoder',
      `≤ ${FREEZE_MS_MAX} ms`,
      `${ms(real.freezeMs)}, ${real.frames} frames in ${seconds} s`,
      real.freezeMs <= FREEZE_MS_MAX,
    );
    const notes = [
      note('longest time between two whole frames, packet by packet', ms(wholeMs)),
      note('added delay p95 of repaired packets', ms(repairedP95Ms)),
    ];
    return {
      findings: [...findings, frozen, ...notes],
      values: {
        ...values,
        freezeMs: real.freezeMs,
        framesShown: real.frames,
        wholeFrameGapMs: wholeMs,
        repairedP95Ms,
      },
    };
  },
};

/** One real client watches another over the same path. */
async function watchOverLoss({ seed, progress }: CaseContext, seconds: number) {
  const network = await LinkNetwork.start({ bridges: 2, seed, settings: SETTINGS, hasFocus: true, progress });
  try {
    const people = network.startPeople();
    await people.call('join', { identity: 'ada', url: network.joinUrl(0) });
    await people.call('join', { identity: 'bob', url: network.joinUrl(1) });
    await people.call('publish', { identity: 'ada' });
    const shown = async () => (await people.call('experience', { identity: 'bob', from: 'ada' })).shownAtMs;
    await until('bob sees ada', FIRST_FRAME_MS_MAX, async () => (await shown()).length > 0);
    await pause(SETTLE_MS);
    const fromMs = wallMs();
    progress(`a real client watches for ${seconds} s`);
    await pause(seconds * 1_000);
    const toMs = wallMs();
    const times = (await shown()).filter(atMs => atMs >= fromMs);
    return { freezeMs: longestGapMs([fromMs, ...times, toMs]), frames: times.length };
  } finally {
    await network.close();
  }
}
