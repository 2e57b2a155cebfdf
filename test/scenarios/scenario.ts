/** One row of "failure and change", as a run on real processes: used by the tests (once, with room for a loaded machine) and by `npm run bench -- failover`. */
import { setTimeout as delay } from 'node:timers/promises';
import { Attendee, type JoinOptions } from './attendee.ts';
import { Deployment, type DeploymentPlan } from './deployment.ts';

export interface Scenario {
  /** For --only and the table. */
  readonly name: string;
  /** The claim that a run asserts; the title of its test. */
  readonly claim: string;
  /** What `figureMs` is. */
  readonly figure: string;
  /** What the figure is to be, at the 95th percentile, on a machine that has nothing else to do. */
  readonly aimMs: number;
  /** What tests let pass: they share the machine. */
  readonly testMsMax: number;
  readonly plan: DeploymentPlan;
  /** Throws an AssertionError for a claim that does not hold. Everything that it joins or starts is ended for it. */
  run(stage: Stage): Promise<Outcome>;
}

export interface Outcome {
  /** One for each that was affected. */
  readonly figuresMs: readonly number[];
  /** Further figures by name, for people: units are in the names. */
  readonly also?: Readonly<Record<string, number>>;
}

/** What a run has to work with. */
export interface Stage {
  readonly deployment: Deployment;
  /** Of this run alone. */
  readonly room: string;
  /** Joins and stays until the run is over. */
  join(identity: string, options: JoinOptions): Promise<Attendee>;
  /** Everybody in the room by identity, with what must stay the same: as a focus answers the server API. */
  whoIsThere(focus?: number): Promise<readonly Somebody[]>;
}

export interface Somebody {
  readonly identity: string;
  readonly sid: string;
  readonly trackSids: readonly string[];
}

export interface RunResult extends Outcome {
  readonly worstMs: number;
}

let rooms = 0;
const LEAVE_MS_MAX = 5_000;

/** Runs it once on a deployment of its own. What goes wrong is thrown with the ends of all logs, and the logs are kept. */
export async function runScenario(scenario: Pick<Scenario, 'plan' | 'run'>): Promise<RunResult> {
  const deployment = await Deployment.start(scenario.plan);
  let hasFailed = true;
  try {
    const result = await runOn(deployment, scenario);
    hasFailed = false;
    return result;
  } finally {
    await deployment.close({ areLogsKept: hasFailed });
  }
}

/** Runs it on a deployment that its plan fits, which is left with nobody in it, and as the scenario left it. */
export async function runOn(deployment: Deployment, { run }: Pick<Scenario, 'run'>): Promise<RunResult> {
  const attendees: Attendee[] = [];
  const stage: Stage = {
    deployment,
    room: `scenario-${++rooms}`,
    async join(identity, options) {
      const attendee = await Attendee.join(deployment, stage.room, identity, { index: attendees.length, ...options });
      attendees.push(attendee);
      return attendee;
    },
    async whoIsThere(focus = 0) {
      const listed = await deployment.api(focus).listParticipants(stage.room);
      const everybody = listed.map(({ identity, sid, tracks }) => ({
        identity,
        sid,
        trackSids: tracks.map(track => track.sid).sort(),
      }));
      return everybody.sort((a, b) => (a.identity < b.identity ? -1 : 1));
    },
  };
  try {
    const outcome = await run(stage);
    return { ...outcome, worstMs: Math.max(...outcome.figuresMs) };
  } catch (error) {
    // Before anything is ended: what follows is the harness's own doing.
    const problem = error instanceof Error ? error.message : String(error);
    throw new Error(`${problem}\nlogs: ${deployment.folder}\n${deployment.logTails()}`, { cause: error });
  } finally {
    // Whoever is still looking for a focus does not hear that it is over.
    await Promise.race([Promise.allSettled(attendees.map(attendee => attendee.leave())), delay(LEAVE_MS_MAX)]);
  }
}
