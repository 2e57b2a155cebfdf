/** The process of the load generator. */
import { CASES, REHEARSAL } from '../cases.ts';
import { Generator, type LoadOptions } from '../generator.ts';
import type { BridgeAddress } from '../stage.ts';
import { serve, tellProgress } from './child.ts';

const generator = await Generator.open(tellProgress);

const handlers = {
  /** How it moves datagrams, and what latencies are measured with. */
  describe: () => ({ kind: generator.socket.kind, clock: generator.socket.clock }),

  /** Connects a case's endpoints, without subscriptions. */
  connect: ({ stage, caseName, bridges }: { stage: string; caseName: string; bridges: readonly BridgeAddress[] }) => {
    const found = [...CASES, REHEARSAL].find(({ name }) => name === caseName);
    if (found === undefined) throw new Error(`no case "${caseName}"`);
    return generator.connect(stage, found, bridges);
  },

  /** Puts all subscriptions; of the endpoints in `without`, none is enabled. */
  subscribe: ({ stage, without }: { stage: string; without: readonly number[] }) =>
    generator.stage(stage).subscribe((endpoint, { isEnabled }) => isEnabled && !without.includes(endpoint)),

  leave: ({ stage }: { stage: string }) => generator.leave(stage),

  load: (options: LoadOptions) => generator.load(options),

  /** Where the floor sends to: `count` endpoints of this generator's socket. Opens them where that is needed. */
  sinks: async ({ count }: { count: number }) => {
    const sinks: { address: string; port: number }[] = [];
    for (let index = 0; index < count; index++) {
      const place = SINKS_FIRST + index;
      await generator.socket.open(place);
      sinks.push(generator.socket.addressOf(place));
    }
    return sinks;
  },

  /** Datagrams that were nobody's: what came of the floor. */
  strays: () => generator.strays,
};

/** Behind all endpoints that a run may have. */
const SINKS_FIRST = 60_000;

export type GeneratorHandlers = typeof handlers;

serve(handlers, () => generator.close());
