import type { LinkCase } from '../link-case.ts';
import { judgeLoss, playOverLoss } from './loss.ts';

const RESIDUAL_MAX = 0.001;

export const RANDOM_LOSS: LinkCase = {
  name: 'random-loss',
  summary: '2 % random loss, 200 ms RTT, 2.5 Mbit/s video and audio for 60 s',
  async run(context) {
    const settings = { delayMs: 100, lossShare: 0.02 };
    return judgeLoss(await playOverLoss(context, { seconds: context.quick ? 10 : 60, settings }), RESIDUAL_MAX);
  },
};
