import { Chance } from '../soak/chance.ts';
import type { PathSettings } from '../wan/path-settings.ts';

/** What a seed makes of a world before anything happens in it. */
export interface WorldSettings {
  readonly seed: number;
  readonly bridges: number;
  readonly conferences: number;
  /** Most participants at one time. */
  readonly participants: number;
  /** For how long things happen; then all paths are mended, everything has to come right, and everybody leaves. */
  readonly eventfulMs: number;
  /** Mean time between two steps. */
  readonly stepMs: number;
  /** Of each pair, both ways. */
  readonly paths: readonly (readonly Partial<PathSettings>[])[];
  /** Protected by AES-128-GCM, as in production. */
  readonly isSealed: boolean;
  readonly sendsRuns: boolean;
  readonly rekeyAgeMs: number;
}

/** One world in so many uses the real cipher: it costs more than all the rest. */
const SEALED_EVERY = 16;

export function worldSettings(seed: number): WorldSettings {
  const chance = new Chance(seed ^ 0x5eed);
  const bridges = 2 + Math.floor(chance.fraction() ** 2 * 4);
  return {
    seed,
    bridges,
    conferences: chance.is(0.6) ? 1 : 2 + chance.below(2),
    participants: 3 + Math.floor(chance.fraction() ** 2 * 5),
    eventfulMs: 4_000 + chance.below(7_000),
    stepMs: 200 + chance.below(600),
    paths: pathsBetween(bridges, chance),
    isSealed: seed % SEALED_EVERY === 0,
    sendsRuns: chance.is(0.3),
    rekeyAgeMs: chance.is(0.3) ? 1_500 + chance.below(4_000) : 3_600_000,
  };
}

/** What a path is like while nobody disturbs it: near or far, calm or not; it loses nothing. */
function pathsBetween(bridges: number, chance: Chance): Partial<PathSettings>[][] {
  const paths: Partial<PathSettings>[][] = Array.from({ length: bridges }, () => []);
  for (let a = 0; a < bridges; a++) {
    for (let b = 0; b < a; b++) {
      const settings = {
        delayMs: 1 + Math.floor(chance.fraction() ** 2 * 150),
        jitterMs: chance.is(0.3) ? chance.below(8) : 0,
      };
      paths[a][b] = settings;
      paths[b][a] = settings;
    }
  }
  return paths;
}
