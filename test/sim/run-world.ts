import { join, playStep } from './steps.ts';
import { Violation, World } from './world.ts';
import { type WorldSettings, worldSettings } from './world-settings.ts';

const FLOWS_EVERY_MS = 100;
const BOOKS_EVERY_MS = 1_000;
/** After the last step everything is mended, and has this long to come right: longer than any bound of flow-rules.ts on a clean path. */
const SETTLE_MS = 4_000;
/** And until no send budget is left. */
const UNLIMITED_MS = 20_000;
/** A bridge goes on saying good-bye for two seconds (protocol/octo/README.md section 4.5). */
const FAREWELL_MS = 3_500;

export interface WorldReport {
  readonly seed: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly frames: number;
  readonly datagrams: number;
  readonly messages: number;
  readonly flowsChecked: number;
  /** What happened, oldest first. */
  readonly steps: readonly string[];
  /** Undefined: every invariant held. */
  readonly failure: WorldFailure | undefined;
}

export interface WorldFailure {
  readonly problem: string;
  /** What had happened by then. */
  readonly steps: readonly string[];
}

/** Lives through one world. The same seed is the same world. */
export function runWorld(seed: number, settings: WorldSettings = worldSettings(seed)): WorldReport {
  const world = new World(settings);
  let failure: WorldFailure | undefined;
  try {
    live(world);
  } catch (error) {
    const problem = error instanceof Violation ? error.message : String((error as Error).stack ?? error);
    const at = `${(world.agenda.nowMs / 1000).toFixed(3)} s`;
    failure = { problem: `${at}: ${problem}`, steps: world.trace };
  }
  return {
    seed,
    simulatedMs: world.agenda.nowMs,
    events: world.agenda.events,
    frames: world.watch.frames,
    datagrams: world.network.datagrams,
    messages: world.ledger.delivered,
    flowsChecked: world.flowsChecked,
    steps: world.trace,
    failure,
  };
}

function live(world: World): void {
  const { agenda, settings, chance } = world;
  const { eventfulMs, stepMs } = settings;
  world.log(`${settings.bridges} bridges, ${settings.conferences} conferences`);
  every(world, FLOWS_EVERY_MS, () => world.checkFlows());
  every(world, BOOKS_EVERY_MS, () => world.checkBooks());
  const first = 2 + chance.below(settings.participants - 1);
  for (let count = 0; count < first; count++) {
    agenda.after(chance.below(600), () => world.log(`join: ${join(world) ?? 'nobody'}`));
  }
  const next = () => {
    const delayMs = -Math.log(1 - chance.fraction()) * stepMs;
    agenda.after(delayMs, () => {
      if (agenda.nowMs >= eventfulMs) return;
      world.log(playStep(world));
      next();
    });
  };
  agenda.after(600, next);
  agenda.runUntil(eventfulMs);
  runUntilUp(world);
  world.log('everything is mended');
  for (const from of world.bridges) {
    for (const to of world.bridges) if (from !== to) world.mendPath(from, to);
  }
  agenda.runUntil(agenda.nowMs + SETTLE_MS);
  runUntilUnlimited(world);
  world.checkSettled();
  world.log('everybody leaves');
  for (const participant of world.present) world.leave(participant);
  agenda.runUntil(agenda.nowMs + FAREWELL_MS);
  world.checkEmpty();
}

/** Cuts heal and bridges come back by themselves: after the last of them nothing happens any more. */
function runUntilUp(world: World): void {
  world.agenda.runUntil(world.agenda.nowMs + 100);
  while (world.bridges.some(({ process }) => process === undefined)) {
    world.agenda.runUntil(world.agenda.nowMs + 100);
  }
}

/** What nothing limits any more is soon used again: a send budget finds that out by itself. */
function runUntilUnlimited(world: World): void {
  const { agenda } = world;
  const sinceMs = agenda.nowMs;
  if (!world.noteBudgets()) return;
  while (world.noteBudgets()) {
    if (agenda.nowMs - sinceMs > UNLIMITED_MS)
      world.fail(`a link has a budget ${UNLIMITED_MS + SETTLE_MS} ms after everything was mended`);
    agenda.runUntil(agenda.nowMs + 500);
  }
  agenda.runUntil(agenda.nowMs + SETTLE_MS);
}

function every(world: World, periodMs: number, action: () => void): void {
  const again = () => {
    action();
    world.agenda.after(periodMs, again);
  };
  world.agenda.after(periodMs, again);
}
