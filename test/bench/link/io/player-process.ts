/** The process that plays endpoints on several bridges and keeps account of every packet. */
import { Generator, type LoadResult } from '../../forward/generator.ts';
import { serve, tellProgress } from '../../forward/io/child.ts';
import type { BridgeAddress } from '../../forward/stage.ts';
import { type Ledger, LedgerKeeper } from '../packet-ledger.ts';
import { PLANS, type PlanName } from '../plans.ts';

export interface PlayRequest {
  readonly plan: PlanName;
  readonly seconds: number;
  readonly speed?: number;
}

const ledger = new LedgerKeeper(performance.timeOrigin);
const generator = await Generator.open(tellProgress, ledger);

const handlers = {
  /** Connects all endpoints of a plan; they watch what the plan says as soon as it is played. */
  connect: async ({ plan, bridges }: { plan: PlanName; bridges: readonly BridgeAddress[] }) => {
    await generator.connect(plan, PLANS[plan], bridges);
    await generator.stage(plan).subscribe((_, { isEnabled }) => isEnabled);
  },

  /** Plays a plan's media for a time. The ledger has what was sent and received since the last call. */
  play: async ({ plan, seconds, speed = 1 }: PlayRequest): Promise<LoadResult & { readonly ledger: Ledger }> => {
    // Every packet is looked at: the observer sees to that.
    const result = await generator.load({
      ...{ stage: plan, seconds, speed, expectedPps: 0, spins: false },
      firstWaitMs: FIRST_WAIT_MS,
      asksKeyFrames: true,
    });
    return { ...result, ledger: ledger.take() };
  },
};

/** Streams begin at once, and yet not all in one millisecond. */
const FIRST_WAIT_MS = 100;

export type PlayerHandlers = typeof handlers;

serve(handlers, () => generator.close());
