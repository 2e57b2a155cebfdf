/** What happens to the store and must not happen to a meeting: away, failed over, moved, slow, emptied. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../e2e/eventually.ts';
import type { Attendee } from './attendee.ts';
import type { Deployment, DeploymentPlan } from './deployment.ts';
import { longestGap } from './gaps.ts';
import type { Outcome, Scenario, Stage } from './scenario.ts';
import { moveSlot } from './shared-store.ts';

/** Media goes on: what counts as unbroken, with room for a picture that comes late. 15 pictures a second are 67 ms apart. */
const UNBROKEN_MS = 500;
/** The same on a machine that does other things too. */
const UNBROKEN_TEST_MS_MAX = 1_500;
/** A readiness probe asks the store for a second, and ours is asked again and again until it says so. */
const NOTICED_MS_MAX = 20_000;
/** From the store's return: connected again within a second, upkeep each second, with room. */
const RECONCILED_MS_MAX = 30_000;

/** It comes back with nothing at any time. */
const KILLED_MS = 6_000;

const BRIDGES = [
  { bridgeId: 'eu-1', region: 'eu' },
  { bridgeId: 'us-1', region: 'us' },
] as const;
const PLAN: DeploymentPlan = { focuses: 2, bridges: BRIDGES, focus: { signal: { joins_per_second: 1_000 } } };

const UNBROKEN: Pick<Scenario, 'figure' | 'aimMs' | 'testMsMax'> = {
  figure: 'longest time without a decoded frame, ms',
  aimMs: UNBROKEN_MS,
  testMsMax: UNBROKEN_TEST_MS_MAX,
};

/** Two people in two regions, each seeing the other, through one focus, which knows their room. */
async function pair({ join }: Stage): Promise<readonly [ada: Attendee, bob: Attendee]> {
  const ada = await join('ada', { region: 'eu' });
  const bob = await join('bob', { region: 'us' });
  await Promise.all([ada.sees('bob'), bob.sees('ada')]);
  return [ada, bob];
}

/** The figure of a run: how long pictures stood still since `sinceMs`, for each; and that nobody noticed anything else. */
function unbroken(attendees: readonly (readonly [viewer: Attendee, publisher: Attendee])[], sinceMs: number): number[] {
  return attendees.map(([viewer, publisher]) => {
    const gap = longestGap(viewer.framesOf(publisher.identity), sinceMs);
    assert.ok(gap !== undefined, `${viewer.identity} has no frame of ${publisher.identity} since the fault`);
    return gap.toMs - gap.fromMs;
  });
}

async function becomesUnready(deployment: Deployment): Promise<void> {
  for (const index of deployment.focuses.keys()) {
    await eventually(
      'readiness falls',
      NOTICED_MS_MAX,
      async () => (await deployment.health('/readyz', index)) === 503,
    );
    assert.equal(await deployment.health('/healthz', index), 200, 'liveness stays');
  }
}

async function becomesReady(deployment: Deployment): Promise<number> {
  const startedAtMs = performance.now();
  for (const index of deployment.focuses.keys()) {
    await eventually(
      'readiness returns',
      RECONCILED_MS_MAX,
      async () => (await deployment.health('/readyz', index)) === 200,
    );
  }
  return performance.now() - startedAtMs;
}

/** What the store has of a room, as a focus that is not its home would read it. */
async function storedIdentities({ store }: Deployment, master = store.master): Promise<string> {
  const keys = (await master.command('KEYS', '*')) as string[];
  const dumps = await Promise.all(
    keys.map(async key => {
      const type = String(await master.command('TYPE', key));
      return type === 'hash' ? String(await master.command('HGETALL', key)) : key;
    }),
  );
  return dumps.join('\n');
}

/** Away for `awayMs`, then back, with what it had (`cut`: nobody reaches it) or with nothing (`killed`). */
function storeAway(kind: 'cut' | 'killed', awayMs: number) {
  return async (stage: Stage): Promise<Outcome> => {
    const { deployment, join } = stage;
    const { store } = deployment;
    const [ada, bob] = await pair(stage);
    ada.forget();
    bob.forget();
    const awayAtMs = performance.now();
    if (kind === 'cut') store.path!.cut();
    else await store.master.kill();
    await becomesUnready(deployment);
    const joinedAtMs = performance.now();
    const cleo = await join('cleo', { region: 'eu' });
    const joinMs = performance.now() - joinedAtMs;
    await Promise.all([cleo.sees('ada'), cleo.sees('bob'), ada.sees('cleo'), bob.sees('cleo')]);
    await delay(Math.max(0, awayAtMs + awayMs - performance.now()));
    assert.equal(await deployment.health('/healthz'), 200, 'liveness stays');
    if (kind === 'cut') store.path!.mend();
    else await store.master.restart();
    const readyMs = await becomesReady(deployment);
    const reconciledMs = await eventually('the store has everybody', RECONCILED_MS_MAX, async () => {
      const stored = await storedIdentities(deployment);
      return ['ada', 'bob', 'cleo'].every(identity => stored.includes(identity));
    });
    const dora = await join('dora', { region: 'us', favourite: 1 });
    await Promise.all([dora.sees('ada'), ada.sees('dora')]);
    assert.deepEqual(ada.goings, ['cleo came', 'dora came']);
    assert.deepEqual(bob.goings, ['cleo came', 'dora came']);
    assert.ok(!ada.has('reconnecting') && !bob.has('reconnecting'), 'nobody had to reconnect');
    const figuresMs = unbroken(
      [
        [ada, bob],
        [bob, ada],
      ],
      awayAtMs,
    );
    return { figuresMs, also: { joinWithoutStoreMs: joinMs, readyAgainMs: readyMs, reconciledMs } };
  };
}

/** Everything there goes on while `fault` happens to the store; afterwards people join through each focus. */
function through(fault: (stage: Stage) => Promise<Record<string, number>>) {
  return async (stage: Stage): Promise<Outcome> => {
    const [ada, bob] = await pair(stage);
    ada.forget();
    bob.forget();
    const startedAtMs = performance.now();
    const also = await fault(stage);
    await becomesReady(stage.deployment);
    const cleo = await stage.join('late', { region: 'us' });
    await Promise.all([cleo.sees('ada'), bob.sees('late')]);
    assert.ok(!ada.has('reconnecting') && !bob.has('reconnecting'), 'nobody had to reconnect');
    for (const { goings } of [ada, bob]) {
      assert.deepEqual(
        goings.filter(what => what !== 'late came' && !what.endsWith('during came')),
        [],
      );
    }
    return {
      figuresMs: unbroken(
        [
          [ada, bob],
          [bob, ada],
        ],
        startedAtMs,
      ),
      also,
    };
  };
}

/** `awayMs`: how long the store stays away in the scenarios of that; 7 minutes are for the benchmark. */
export function storeScenarios(awayMs: number): readonly Scenario[] {
  return [
    {
      name: 'store-away',
      claim:
        'the store cut off and back: media unbroken, joins to a known room go on, readiness falls, liveness does not, state reconciles',
      ...UNBROKEN,
      plan: PLAN,
      run: storeAway('cut', awayMs),
    },
    {
      name: 'store-killed',
      claim: 'the store killed and back empty: as when it is cut off',
      ...UNBROKEN,
      plan: PLAN,
      run: storeAway('killed', Math.min(awayMs, KILLED_MS)),
    },
    {
      name: 'store-slow',
      claim: 'a store that takes 1 s for an answer: media unbroken, and people still get in',
      ...UNBROKEN,
      plan: PLAN,
      run: through(async ({ deployment, join }) => {
        const path = deployment.store.path!;
        path.delayMs = 500;
        const joinedAtMs = performance.now();
        const during = await join('during', { region: 'eu' });
        const joinWithSlowStoreMs = performance.now() - joinedAtMs;
        await during.sees('ada');
        path.delayMs = 0;
        return { joinWithSlowStoreMs };
      }),
    },
    {
      name: 'store-emptied',
      claim: 'a store emptied under a running meeting: media unbroken, and everything is put back',
      ...UNBROKEN,
      plan: PLAN,
      run: through(async ({ deployment }) => {
        await deployment.store.master.command('FLUSHALL');
        const restoredMs = await eventually('the store has everybody again', RECONCILED_MS_MAX, async () => {
          const stored = await storedIdentities(deployment);
          return stored.includes('ada') && stored.includes('bob');
        });
        return { restoredMs };
      }),
    },
    {
      name: 'store-failover',
      claim: 'the master of the store killed behind Sentinels: media unbroken, and joins go on with the new master',
      ...UNBROKEN,
      plan: { ...PLAN, store: 'sentinel' },
      run: through(async ({ deployment }) => {
        const killedAtMs = performance.now();
        await deployment.store.master.kill();
        await eventually('readiness falls', NOTICED_MS_MAX, async () => (await deployment.health('/readyz')) === 503);
        await becomesReady(deployment);
        return { failedOverMs: performance.now() - killedAtMs };
      }),
    },
    {
      name: 'store-slot-moved',
      claim: 'the slot of a cluster moved while people join: media unbroken, no join refused',
      ...UNBROKEN,
      plan: { ...PLAN, store: 'cluster' },
      run: through(async ({ deployment, join }) => {
        const startedAtMs = performance.now();
        const moved = moveSlot(deployment.store.servers, 500);
        const during = await join('during', { region: 'us' });
        await moved;
        const slotMovedMs = performance.now() - startedAtMs;
        await during.sees('ada');
        return { slotMovedMs };
      }),
    },
  ];
}
