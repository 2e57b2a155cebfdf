/** What an operator does to a network on purpose: bridges and focuses are emptied under a running meeting, by the command line, the API or a signal. */
import assert from 'node:assert/strict';
import { eventually } from '../e2e/eventually.ts';
import type { Attendee } from './attendee.ts';
import { causeway } from './cli.ts';
import type { Deployment, DeploymentPlan } from './deployment.ts';
import { longestGap } from './gaps.ts';
import type { Outcome, Scenario, Stage } from './scenario.ts';

const EMPTIED = 'eu-1';
const OTHER = 'us-1';
const PLAN: DeploymentPlan = {
  focuses: 2,
  // The load balancer of the harness asks every 200 ms.
  focus: { peers: { drain_notice_ms: 1_000 } },
  bridges: [
    { bridgeId: EMPTIED, region: 'eu' },
    { bridgeId: OTHER, region: 'us' },
  ],
};
const REGION_PLAN: DeploymentPlan = { ...PLAN, bridges: [...PLAN.bridges, { bridgeId: 'eu-2', region: 'eu' }] };
/** A drain that has not come to its end by then never will: deadlines below are shorter. */
const DRAINED_MS_MAX = 40_000;
/** Reports come every 2 s; what an operator sets is known at once. */
const KNOWN_MS_MAX = 10_000;

/** Ada is in the region that is emptied, Bob in the other; Cleo watches from the first. */
async function gather({ join }: Stage): Promise<readonly [ada: Attendee, bob: Attendee, cleo: Attendee]> {
  const ada = await join('ada', { region: 'eu' });
  const bob = await join('bob', { region: 'us' });
  const cleo = await join('cleo', { region: 'eu', publishes: false });
  await Promise.all([ada.sees('bob'), bob.sees('ada'), cleo.sees('ada'), cleo.sees('bob')]);
  return [ada, bob, cleo];
}

function gapsSince(
  sinceMs: number,
  pairs: readonly (readonly [viewer: Attendee, publisher: Attendee])[],
): readonly number[] {
  return pairs.map(([viewer, publisher]) => {
    const gap = longestGap(viewer.framesOf(publisher.identity), sinceMs)!;
    return gap.toMs - gap.fromMs;
  });
}

/** A meeting goes on, unnoticed, while `empty` takes everybody off the bridge; then `after` may look around. */
function emptyBridge(
  empty: (deployment: Deployment) => unknown,
  after: (stage: Stage, everybody: readonly Attendee[]) => Promise<void>,
) {
  return async (stage: Stage): Promise<Outcome> => {
    const { deployment, room } = stage;
    const everybody = await gather(stage);
    const [ada, bob, cleo] = everybody;
    const before = await stage.whoIsThere();
    for (const one of everybody) one.forget();
    const startedAtMs = performance.now();
    await empty(deployment);
    const emptiedMs = await eventually(
      'nobody is on the bridge',
      DRAINED_MS_MAX,
      async () => {
        const where = await Promise.all(['ada', 'cleo'].map(identity => deployment.bridgeOf(room, identity)));
        return where.every(bridge => bridge === OTHER);
      },
      () => everybody.map(({ identity, noticed }) => ({ identity, noticed })),
    );
    const pairs = [
      [ada, bob],
      [bob, ada],
      [cleo, ada],
    ] as const;
    await Promise.all(pairs.map(([viewer, publisher]) => viewer.sees(publisher.identity, 30)));
    assert.deepEqual(await stage.whoIsThere(), before, 'identities, SIDs and tracks');
    for (const one of everybody) assert.deepEqual(one.goings, [], `what ${one.identity} noticed`);
    const figuresMs = gapsSince(startedAtMs, pairs);
    await after(stage, everybody);
    return { figuresMs, also: { emptiedMs } };
  };
}

async function assertEndsByItself({ deployment }: Stage): Promise<void> {
  const bridge = deployment.bridges.get(EMPTIED)!;
  await eventually('the process ends when it is empty', DRAINED_MS_MAX, () => !bridge.isRunning);
  assert.equal(bridge.exitCode, 0);
}

/** `what` was drained by the command line: nobody new goes there, until that is undone. */
function assertUndone(...what: readonly string[]) {
  return async ({ deployment, join, room }: Stage, [ada]: readonly Attendee[]): Promise<void> => {
    const during = await join('during', { region: 'eu' });
    await during.sees('ada');
    assert.equal(await deployment.bridgeOf(room, 'during'), OTHER, 'nobody is placed on a bridge that drains');
    await eventually('all bridges run again', KNOWN_MS_MAX, async () => {
      // An order is for bridges that are heard at that moment: whoever misses one gives it again.
      await causeway(deployment, 'drain', ...what, '--undo').catch(() => {});
      const { bridges } = await deployment.ask<{ bridges: { state: string }[] }>('/v1/bridges');
      return bridges.every(({ state }) => state === 'running');
    });
    const late = await join('late', { region: 'eu' });
    await Promise.all([late.sees('ada'), ada!.sees('late')]);
    const bridge = await deployment.bridgeOf(room, 'late');
    assert.ok(bridge !== OTHER && bridge !== undefined, 'undone: it is placed there again');
  };
}

/** SIGTERM to the room's home: everybody goes on at another focus, and the process ends by itself. */
async function drainFocus(stage: Stage): Promise<Outcome> {
  const { deployment, join } = stage;
  const everybody = await gather(stage);
  const [ada, bob, cleo] = everybody;
  const before = await stage.whoIsThere();
  for (const one of everybody) one.forget();
  const [home] = deployment.focuses;
  const startedAtMs = performance.now();
  home!.signal('SIGTERM');
  const endedMs = await eventually(
    'the process ends by itself',
    DRAINED_MS_MAX,
    () => !home!.isRunning,
    () => everybody.map(({ identity, noticed }) => ({ identity, noticed })),
  );
  assert.equal(home!.exitCode, 0);
  const dora = await join('dora', { region: 'us', favourite: 1 });
  const pairs = [
    [ada, bob],
    [bob, ada],
    [cleo, ada],
  ] as const;
  await Promise.all([
    dora.sees('ada'),
    ada.sees('dora'),
    ...pairs.map(([viewer, publisher]) => viewer.sees(publisher.identity, 30)),
  ]);
  const afterwards = await stage.whoIsThere(1);
  assert.deepEqual(
    afterwards.filter(({ identity }) => identity !== 'dora'),
    before,
    'identities, SIDs and tracks',
  );
  for (const one of everybody) assert.deepEqual(one.goings, ['dora came'], `what ${one.identity} noticed`);
  return { figuresMs: gapsSince(startedAtMs, pairs), also: { endedMs } };
}

const MOVED: Pick<Scenario, 'figure' | 'aimMs' | 'testMsMax' | 'plan'> = {
  figure: 'longest time without a decoded frame, ms',
  aimMs: 2_000,
  testMsMax: 6_000,
  plan: PLAN,
};

export const DRAIN_SCENARIOS: readonly Scenario[] = [
  {
    name: 'bridge-drained',
    claim:
      'a bridge drained by the command line: everybody moved unnoticed, nobody new on it; undone, it is used again',
    ...MOVED,
    run: emptyBridge(deployment => causeway(deployment, 'drain', EMPTIED), assertUndone(EMPTIED)),
  },
  {
    name: 'bridge-drained-by-signal',
    claim: 'a bridge told to end by SIGTERM: everybody moved unnoticed, and the process ends by itself',
    ...MOVED,
    run: emptyBridge(({ bridges }) => bridges.get(EMPTIED)!.signal('SIGTERM'), assertEndsByItself),
  },
  {
    name: 'focus-drained',
    claim:
      "a room's home told to end by SIGTERM: media unbroken, everybody resumes at another focus, the process ends by itself",
    ...MOVED,
    aimMs: 500,
    testMsMax: 1_500,
    run: drainFocus,
  },
  {
    name: 'region-drained',
    claim: 'a region drained by the command line: everybody moved to another unnoticed; undone, it is used again',
    ...MOVED,
    plan: REGION_PLAN,
    run: emptyBridge(deployment => causeway(deployment, 'drain', '--region', 'eu'), assertUndone('--region', 'eu')),
  },
];
