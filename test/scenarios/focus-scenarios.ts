/** What happens to a focus: killed, frozen. Media never notices, and clients resume at another by their own schedule. */
import assert from 'node:assert/strict';
import { eventually } from '../e2e/eventually.ts';
import type { Attendee } from './attendee.ts';
import type { DeploymentPlan } from './deployment.ts';
import { longestGap } from './gaps.ts';
import type { Outcome, Scenario, Stage } from './scenario.ts';

/** Sockets that are silent are given up early, so that a run with a frozen focus is short; SDKs are told these. */
const PLAN: DeploymentPlan = {
  focuses: 2,
  bridges: [
    { bridgeId: 'eu-1', region: 'eu' },
    { bridgeId: 'us-1', region: 'us' },
  ],
  focus: { signal: { ping_interval: 1, ping_timeout: 3 } },
};

/** An SDK tries at once, and then every few seconds; the focus keeps a place for 15 s. */
const RESUMED_MS_MAX = 15_000;
/** As long as pictures are watched after everything is as it was. */
const FRAMES_AFTER = 30;

type Place = 'home' | 'entry';
const FOCUS: Readonly<Record<Place, number>> = { home: 0, entry: 1 };

/** Ada and Bob are at the focus that is the room's home, Cleo at another. */
async function gather({ join }: Stage): Promise<readonly [ada: Attendee, bob: Attendee, cleo: Attendee]> {
  const ada = await join('ada', { region: 'eu', favourite: FOCUS.home });
  const bob = await join('bob', { region: 'us', favourite: FOCUS.home });
  const cleo = await join('cleo', { region: 'us', favourite: FOCUS.entry });
  await Promise.all([ada.sees('bob'), ada.sees('cleo'), bob.sees('ada'), cleo.sees('ada'), cleo.sees('bob')]);
  return [ada, bob, cleo];
}

function lose(place: Place, fault: 'kill' | 'freeze') {
  return async (stage: Stage): Promise<Outcome> => {
    const { deployment, join } = stage;
    const everybody = await gather(stage);
    const [ada, bob, cleo] = everybody;
    const before = await stage.whoIsThere();
    for (const one of everybody) one.forget();
    const lost = deployment.focuses[FOCUS[place]]!;
    const other = place === 'home' ? FOCUS.entry : FOCUS.home;

    const lostAtMs = performance.now();
    if (fault === 'kill') await lost.kill();
    else lost.freeze();
    const affected = place === 'home' ? [ada, bob] : [cleo];
    const resumedMs = await Promise.all(
      affected.map(async one => {
        await eventually(
          `${one.identity} has resumed`,
          RESUMED_MS_MAX + 5_000,
          () => one.has('reconnected'),
          () => one.noticed,
        );
        return one.noticed.find(({ what }) => what === 'reconnected')!.atMs - lostAtMs;
      }),
    );
    assert.ok(Math.max(...resumedMs) < RESUMED_MS_MAX, `resumed after ${resumedMs.map(Math.round)} ms`);

    // Whoever is in the room hears of what happens in it, and it is led from the focus that is left.
    const dora = await join('dora', { region: 'eu', favourite: other });
    const pairs = [
      [ada, bob],
      [bob, ada],
      [cleo, ada],
      [ada, cleo],
    ] as const;
    await Promise.all([
      dora.sees('ada'),
      dora.sees('cleo'),
      ...everybody.map(one => one.sees('dora')),
      ...pairs.map(([viewer, publisher]) => viewer.sees(publisher.identity, FRAMES_AFTER)),
    ]);
    const afterwards = await stage.whoIsThere(other);
    assert.deepEqual(
      afterwards.filter(({ identity }) => identity !== 'dora'),
      before,
      'identities, SIDs and tracks',
    );
    if (fault === 'freeze') {
      lost.thaw();
      await eventually(
        'the focus is ready again',
        RESUMED_MS_MAX,
        async () => (await deployment.health('/readyz', FOCUS[place])) === 200,
      );
      await Promise.all(pairs.map(([viewer, publisher]) => viewer.sees(publisher.identity, FRAMES_AFTER)));
      // By now what it believed has met what is.
      await ada.sendNext();
      await eventually('cleo hears ada', RESUMED_MS_MAX, () => cleo.sequences.has('ada'));
    }
    for (const one of everybody) assert.deepEqual(one.goings, ['dora came'], `what ${one.identity} noticed`);
    const figuresMs = pairs.map(([viewer, publisher]) => {
      const gap = longestGap(viewer.framesOf(publisher.identity), lostAtMs)!;
      return gap.toMs - gap.fromMs;
    });
    return { figuresMs, also: { resumedMs: Math.max(...resumedMs) } };
  };
}

const UNBROKEN: Pick<Scenario, 'figure' | 'aimMs' | 'testMsMax' | 'plan'> = {
  figure: 'longest time without a decoded frame, ms',
  aimMs: 500,
  testMsMax: 1_500,
  plan: PLAN,
};

export const FOCUS_SCENARIOS: readonly Scenario[] = [
  {
    name: 'focus-killed',
    claim: "a room's home killed: media unbroken, everybody resumes at another focus, which leads the room on",
    ...UNBROKEN,
    run: lose('home', 'kill'),
  },
  {
    name: 'focus-frozen',
    claim: "a room's home frozen: as when it is killed; and when it thaws it takes nothing back",
    ...UNBROKEN,
    run: lose('home', 'freeze'),
  },
  {
    name: 'entry-focus-killed',
    claim: 'the focus of a client killed, while the room lives at another: media unbroken, the client resumes there',
    ...UNBROKEN,
    run: lose('entry', 'kill'),
  },
];
