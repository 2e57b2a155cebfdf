/** What happens to a bridge and should hardly be noticed in a meeting: killed, frozen, cut off. Its people go to another bridge and stay who they are. */
import assert from 'node:assert/strict';
import { eventually } from '../e2e/eventually.ts';
import type { Attendee } from './attendee.ts';
import type { Deployment, DeploymentPlan } from './deployment.ts';
import { longestGap, outageMs } from './gaps.ts';
import type { Outcome, Scenario, Stage } from './scenario.ts';

const LOST = 'eu-1';
const OTHER = 'us-1';
/** One bridge in each region, so that it is known who is on which, and where those of the lost one go. */
const PLAN: DeploymentPlan = {
  focuses: 2,
  bridges: [
    { bridgeId: LOST, region: 'eu' },
    { bridgeId: OTHER, region: 'us' },
  ],
};

/** Pictures are 67 ms apart: a longer pause than this is an interruption. A bridge that is killed costs some 350 ms on a quiet machine. */
const INTERRUPTION_MS_MIN = 200;
/** For those whose bridge was not lost, among themselves. */
const UNBROKEN_MS_MAX = 1_500;
/** After that nothing would come any more. */
const BACK_MS_MAX = 30_000;
/** A bridge that returns says so at once, and reports every 2 s. */
const RETURN_MS_MAX = 15_000;

interface Fault {
  strike(deployment: Deployment): unknown;
  /** Undefined: the bridge does not return. */
  readonly undo?: (deployment: Deployment) => unknown;
}

const KILLED: Fault = { strike: ({ bridges }) => bridges.get(LOST)!.kill() };
const FROZEN: Fault = {
  strike: ({ bridges }) => bridges.get(LOST)!.freeze(),
  undo: ({ bridges }) => bridges.get(LOST)!.thaw(),
};
const CUT_OFF: Fault = { strike: ({ island }) => island!.cut(), undo: ({ island }) => island!.mend() };

/** Ada and Cleo are on the bridge that is lost, Bob and Dora on the other. */
async function gather(stage: Stage): Promise<Readonly<Record<'ada' | 'bob' | 'cleo' | 'dora', Attendee>>> {
  const { join, deployment, room } = stage;
  const ada = await join('ada', { region: 'eu' });
  const bob = await join('bob', { region: 'us' });
  const cleo = await join('cleo', { region: 'eu', publishes: false });
  const dora = await join('dora', { region: 'us', publishes: false });
  await Promise.all([ada.sees('bob'), bob.sees('ada'), cleo.sees('ada'), cleo.sees('bob'), dora.sees('bob')]);
  assert.equal(await deployment.bridgeOf(room, 'ada'), LOST);
  assert.equal(await deployment.bridgeOf(room, 'bob'), OTHER);
  return { ada, bob, cleo, dora };
}

function lose({ strike, undo }: Fault) {
  return async (stage: Stage): Promise<Outcome> => {
    const { deployment, room, join } = stage;
    const people = await gather(stage);
    const { ada, bob, cleo, dora } = people;
    const everybody = Object.values(people);
    const before = await stage.whoIsThere();
    // What a bridge has acknowledged and not passed on yet dies with it: the messages before the fault have arrived.
    await assertMessages(ada, bob);
    for (const one of everybody) one.forget();

    const lostAtMs = performance.now();
    void strike(deployment);
    const watched = [
      [ada, bob],
      [bob, ada],
      [cleo, ada],
      [cleo, bob],
      [dora, ada],
    ] as const;
    // Frames that were under way end nothing: an interruption has to show first.
    const outages = () =>
      watched.map(([viewer, publisher]) =>
        outageMs(viewer.framesOf(publisher.identity), lostAtMs, INTERRUPTION_MS_MIN),
      );
    await eventually(
      'everybody sees again whom they saw before',
      BACK_MS_MAX,
      () => outages().every(ms => ms > 0 && Number.isFinite(ms)),
      () => ({ outages: outages(), noticed: everybody.map(({ identity, noticed }) => [identity, noticed]) }),
    );
    await Promise.all(watched.map(([viewer, publisher]) => viewer.sees(publisher.identity, 15)));
    const figuresMs = outages();

    assert.deepEqual(await stage.whoIsThere(), before, 'identities, SIDs and tracks');
    assertUnnoticed(everybody);
    const stillMs = longestGap(dora.framesOf('bob'), lostAtMs)!;
    assert.ok(stillMs.toMs - stillMs.fromMs < UNBROKEN_MS_MAX, 'those on the other bridge see each other all the time');
    for (const identity of ['ada', 'cleo']) {
      assert.equal(await deployment.bridgeOf(room, identity), OTHER, `${identity} is on the other bridge`);
    }
    await assertMessages(ada, bob);
    if (undo !== undefined) {
      await undo(deployment);
      const eve = await comesBack(stage, () => join('eve', { region: 'eu' }));
      await Promise.all([eve.sees('ada'), eve.sees('bob'), ada.sees('eve'), bob.sees('eve'), bob.sees('ada', 15)]);
      assert.equal(await deployment.bridgeOf(room, 'eve'), LOST, 'the bridge that is back is used again');
      for (const one of everybody) assert.deepEqual(one.goings, ['eve came'], one.identity);
    }
    return { figuresMs };
  };
}

/** Nobody was seen to leave, and nobody lost a track, a subscription or the sight of another. */
function assertUnnoticed(everybody: readonly Attendee[]): void {
  for (const one of everybody) {
    assert.deepEqual(one.goings, [], `what ${one.identity} noticed`);
    const others = everybody.map(({ identity }) => identity).filter(identity => identity !== one.identity);
    assert.deepEqual(one.client.others(), others.toSorted());
  }
}

/** Reliable messages go both ways, and none is missing or doubled. */
async function assertMessages(...two: readonly [Attendee, Attendee]): Promise<void> {
  for (const [from, to] of [two, two.toReversed()] as readonly (readonly [Attendee, Attendee])[]) {
    const last = await from.sendNext();
    await eventually(
      `${to.identity} hears ${from.identity}`,
      BACK_MS_MAX,
      () => to.sequences.get(from.identity)?.at(-1) === last,
      () => to.sequences.get(from.identity),
    );
    assert.deepEqual(
      to.sequences.get(from.identity),
      Array.from({ length: last + 1 }, (_, index) => index),
    );
  }
}

/** Whoever joins once the bridge counts as usable again. */
async function comesBack({ deployment }: Stage, join: () => Promise<Attendee>): Promise<Attendee> {
  await eventually('the bridge is used again', RETURN_MS_MAX, async () => {
    const { bridges } = await deployment.ask<{ bridges: { bridgeId: string; state: string }[] }>('/v1/bridges');
    return bridges.some(({ bridgeId, state }) => bridgeId === LOST && state === 'running');
  });
  return join();
}

const BACK: Pick<Scenario, 'figure' | 'aimMs' | 'testMsMax'> = {
  figure: 'from the fault to the first decoded frame after it, ms',
  aimMs: 2_000,
  testMsMax: 6_000,
};

export const BRIDGE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'bridge-killed',
    claim: 'a bridge killed: media back, identity, tracks and subscriptions kept, nobody seen to leave',
    ...BACK,
    plan: PLAN,
    run: lose(KILLED),
  },
  {
    name: 'bridge-frozen',
    claim: 'a bridge frozen: as when it is killed; and when it thaws it does no harm and is used again',
    ...BACK,
    plan: PLAN,
    run: lose(FROZEN),
  },
  {
    name: 'bridge-cut-off',
    claim:
      'a bridge cut off from everybody: as when it is killed; and when it is back it does no harm and is used again',
    ...BACK,
    plan: { ...PLAN, cuttable: LOST },
    run: lose(CUT_OFF),
  },
];
