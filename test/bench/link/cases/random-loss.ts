import { finding, type LinkCase, ms } from '../link-case.ts';
import { addedDelays, judgeResidual, playOverLoss } from './loss.ts';

const SETTINGS = { delayMs: 100, lossShare: 0.02 };
const RESIDUAL_MAX = 0.001;
/** Asking back takes a round trip; forward error correction repairs without. */
const NACK_DELAY_MS_MAX = 1.1 * 2 * SETTINGS.delayMs;
const FEC_DELAY_MS_MAX = 20;

export const RANDOM_LOSS: LinkCase = {
  name: 'random-loss',
  summary: '2 % random loss, 200 ms RTT, 2.5 Mbit/s video and audio for 60 s',
  async run(context) {
    const account = await playOverLoss(context, { seconds: context.quick ? 8 : 60, settings: SETTINGS });
    const { findings, values } = judgeResidual(account, RESIDUAL_MAX);
    const { p95Ms, repairedP95Ms, repaired } = addedDelays(account);
    const aim = `≤ ${ms(NACK_DELAY_MS_MAX)} (1.1 RTT, NACK) or ≤ ${ms(FEC_DELAY_MS_MAX)} (FEC)`;
    return {
      findings: [
        ...findings,
        finding('added delay p95', aim, ms(p95Ms), p95Ms <= NACK_DELAY_MS_MAX),
        finding(
          'the same of repaired packets alone',
          aim,
          `${ms(repairedP95Ms)} of ${repaired} packets`,
          repairedP95Ms <= NACK_DELAY_MS_MAX,
        ),
      ],
      values: { ...values, addedP95Ms: p95Ms, repairedP95Ms, repairedPackets: repaired },
    };
  },
};
