/** What changes under a running meeting without a fault: the version of its bridges, and where a client comes back to after it had to join anew. */
import assert from 'node:assert/strict';
import { eventually } from '../e2e/eventually.ts';
import type { Attendee } from './attendee.ts';
import { causeway } from './cli.ts';
import type { Deployment, DeploymentPlan } from './deployment.ts';
import { longestGap } from './gaps.ts';
import type { Outcome, Scenario, Stage } from './scenario.ts';

const OLD = 'eu-1';
const NEW = 'us-1';
const UPGRADE: DeploymentPlan = {
  focuses: 2,
  bridges: [
    { bridgeId: OLD, region: 'eu' },
    { bridgeId: NEW, region: 'us', version: '99.0.0' },
  ],
};
const STICKY: DeploymentPlan = {
  focuses: 2,
  bridges: [
    { bridgeId: 'eu-1', region: 'eu' },
    { bridgeId: 'eu-2', region: 'eu' },
    { bridgeId: 'us-1', region: 'us' },
  ],
};
/** Shorter deadlines than this are what drains have. */
const DONE_MS_MAX = 40_000;
/** An SDK resumes, is refused, and joins anew. */
const REJOINED_MS_MAX = 20_000;

/** A conference stays on one version while it can; then its people are moved to the other one by one, and both versions carry it meanwhile. */
async function upgrade({ deployment, join, room, whoIsThere }: Stage): Promise<Outcome> {
  const ada = await join('ada', { region: 'eu' });
  const bob = await join('bob', { region: 'us' });
  const cleo = await join('cleo', { region: 'eu', publishes: false });
  const everybody = [ada, bob, cleo];
  await Promise.all([ada.sees('bob'), bob.sees('ada'), cleo.sees('ada')]);
  for (const { identity } of everybody) {
    assert.equal(await deployment.bridgeOf(room, identity), OLD, `${identity}: the other version is avoided`);
  }
  const { candidates } = await placementOf(deployment, 'bob', 0);
  assert.equal(candidates.find(({ bridgeId }) => bridgeId === NEW)?.rejectedBy, 'other-version');
  const before = await whoIsThere();
  for (const one of everybody) one.forget();

  const startedAtMs = performance.now();
  await causeway(deployment, 'move', 'bob', '--to', NEW);
  await isOn(deployment, room, 'bob', NEW);
  assert.equal(await deployment.bridgeOf(room, 'ada'), OLD, 'two versions in one conference');
  const pairs = [
    [ada, bob],
    [bob, ada],
    [cleo, ada],
    [cleo, bob],
  ] as const;
  const seeEachOther = () => Promise.all(pairs.map(([viewer, { identity }]) => viewer.sees(identity, 30)));
  await seeEachOther();
  await causeway(deployment, 'drain', OLD);
  for (const identity of ['ada', 'cleo']) await isOn(deployment, room, identity, NEW);
  await seeEachOther();
  assert.deepEqual(await whoIsThere(), before, 'identities, SIDs and tracks');
  for (const one of everybody) assert.deepEqual(one.goings, [], `what ${one.identity} noticed`);
  return { figuresMs: pairs.map(([viewer, { identity }]) => gapMs(viewer, identity, startedAtMs)) };
}

/** Twice a client has to join anew, since what is known of its room is lost with a focus: it comes back to region and bridge, and not to a bridge that drains. */
async function comeBack(stage: Stage): Promise<Outcome> {
  const { deployment, join, room } = stage;
  const bob = await join('bob', { region: 'us', favourite: 0 });
  const ada = await join('ada', { region: 'eu', favourite: 0 });
  await Promise.all([ada.sees('bob'), bob.sees('ada')]);
  const first = await deployment.bridgeOf(room, 'ada');
  assert.ok(first === 'eu-1' || first === 'eu-2');
  const other = first === 'eu-1' ? 'eu-2' : 'eu-1';
  // By its address it is somewhere else from here on.
  deployment.roam('eu', 'us');

  const figuresMs = [await loseRoom(stage, 0, [ada, bob])];
  const again = await placementOf(deployment, 'ada', 1);
  assert.deepEqual([again.bridgeId, again.region, again.rule], [first, 'eu', 'sticky-bridge']);

  deployment.focuses[0]!.start();
  await deployment.isWhole();
  await causeway(deployment, 'drain', first, '--wait');
  figuresMs.push(await loseRoom(stage, 1, [ada, bob]));
  const elsewhere = await placementOf(deployment, 'ada', 0);
  assert.deepEqual([elsewhere.bridgeId, elsewhere.region], [other, 'eu'], 'in its region, not on what drains');
  return { figuresMs };
}

/** Kills the focus, and takes from the store all that the other could restore the room from. Answers ms until those two see each other again, having joined anew. */
async function loseRoom(
  { deployment, whoIsThere }: Stage,
  focus: number,
  two: readonly [Attendee, Attendee],
): Promise<number> {
  const sids = (await whoIsThere(focus)).map(({ sid }) => sid);
  const lostAtMs = performance.now();
  await deployment.focuses[focus]!.kill();
  const { master } = deployment.store;
  const keys = ((await master.command('KEYS', '*')) as string[]).filter(key => /:(conf|snap|rooms|owner)\b/.test(key));
  await master.command('DEL', ...keys);
  await eventually(
    'both have joined anew',
    REJOINED_MS_MAX,
    async () => {
      const there = await whoIsThere(1 - focus).catch(() => []);
      return there.length === two.length && !there.some(({ sid }) => sids.includes(sid));
    },
    () => two.map(({ identity, noticed }) => ({ identity, noticed })),
  );
  const [one, other] = two;
  await Promise.all([one.sees(other.identity), other.sees(one.identity)]);
  return performance.now() - lostAtMs;
}

async function placementOf(deployment: Deployment, identity: string, focus: number): Promise<Explanation['placement']> {
  return (await deployment.ask<Explanation>(`/v1/placements/${identity}`, { focus })).placement;
}

async function isOn(deployment: Deployment, room: string, identity: string, bridgeId: string): Promise<void> {
  await eventually(`${identity} is on ${bridgeId}`, DONE_MS_MAX, async () => {
    return (await deployment.bridgeOf(room, identity)) === bridgeId;
  });
}

function gapMs(viewer: Attendee, publisher: string, sinceMs: number): number {
  const gap = longestGap(viewer.framesOf(publisher), sinceMs);
  assert.ok(gap !== undefined, `${viewer.identity} has no frame of ${publisher} since then`);
  return gap.toMs - gap.fromMs;
}

interface Explanation {
  readonly placement: {
    readonly bridgeId: string;
    readonly region: string;
    readonly rule: string;
    readonly candidates: readonly { readonly bridgeId: string; readonly rejectedBy?: string }[];
  };
}

export const CHANGE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'bridge-versions',
    claim:
      'bridges of two versions: a conference stays on one while it can, works on both, and is moved to the other unnoticed',
    figure: 'longest time without a decoded frame, ms',
    aimMs: 2_000,
    testMsMax: 6_000,
    plan: UPGRADE,
    run: upgrade,
  },
  {
    name: 'sticky-region',
    claim: 'a client that has to join anew comes back to its region and bridge, and not to a bridge that drains',
    figure: 'from the loss of its room to the fifth frame in the new one, ms',
    aimMs: 5_000,
    testMsMax: 15_000,
    plan: STICKY,
    run: comeBack,
  },
];
