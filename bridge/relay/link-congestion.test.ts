import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { FRAME_PROBE, FRAME_REPORT } from '../../protocol/octo/header.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { RepairBudget } from './repair-budget.ts';
import { SimulatedPair } from './simulated-pair.ts';

const CONFERENCE = 1 as ConferenceId;
const ALICE = 2 as EndpointId;
const CAMERA = 1 as SourceId;

function connected(seed: number, path = {}): SimulatedPair {
  const pair = new SimulatedPair(seed, path);
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 5_000);
  pair.run(500);
  return pair;
}

/** From a to b, 2.4 Mbit/s. */
function stream(pair: SimulatedPair, durationMs: number): void {
  const bytes = Buffer.alloc(1_000, 0x80);
  pair.run(durationMs, () => {
    const { link } = pair.a;
    if (link === undefined) return;
    for (let packet = 0; packet < 3; packet++) {
      pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, bytes, 0, bytes.length);
    }
  });
}

function typeOf(bytes: Buffer): number {
  return bytes[0] & 0x0f;
}

test('who sends media is told twenty times a second what came of it, and who only receives is told nothing', () => {
  const pair = connected(1);
  stream(pair, 10_000);
  const [sender] = pair.a.relay.snapshot();
  const [receiver] = pair.b.relay.snapshot();
  assert.ok(sender.reportsIn >= 190 && sender.reportsIn <= 201, `${sender.reportsIn}`);
  assert.deepEqual([sender.reportsOut, receiver.reportsIn], [0, 0]);
  assert.ok(Math.abs(sender.deliveredBps / 2.49e6 - 1) < 0.03, `${sender.deliveredBps}`);
  assert.ok(Math.abs(sender.sentBps / 2.49e6 - 1) < 0.03, `${sender.sentBps}`);
  assert.deepEqual([sender.sendBudgetBps, sender.demandBps, sender.budgetChanges], [null, 0, []]);
});

test('an idle link sends no report', () => {
  const pair = connected(2);
  const types: number[] = [];
  pair.filter = bytes => types.push(typeOf(bytes)) > 0;
  pair.run(10_000);
  assert.ok(types.length > 100);
  assert.ok(!types.includes(FRAME_REPORT) && !types.includes(FRAME_PROBE));
});

test('jitter is known at both ends', () => {
  const pair = connected(3, { jitterMs: 8 });
  stream(pair, 5_000);
  const [{ jitterOutMs }] = pair.a.relay.snapshot();
  const [{ jitterInMs }] = pair.b.relay.snapshot();
  assert.ok(jitterInMs > 0.3 && jitterInMs < 6, `${jitterInMs}`);
  assert.ok(Math.abs(jitterOutMs - jitterInMs) < 1.5, `${jitterOutMs} and ${jitterInMs}`);
});

test('reports go on under new keys, and a peer that restarts is measured anew', () => {
  const pair = connected(4);
  stream(pair, 2_000);
  pair.b.restart();
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.b.link?.state === 'up' && pair.a.link?.state === 'up', 10_000);
  const before = pair.a.link?.counters.reportsIn ?? 0;
  stream(pair, 5_000);
  const [sender] = pair.a.relay.snapshot();
  assert.ok(sender.reportsIn - before > 80, `${sender.reportsIn - before}`);
  assert.equal(sender.sendBudgetBps, null);
  assert.ok(Math.abs(sender.deliveredBps / 2.49e6 - 1) < 0.05, `${sender.deliveredBps}`);
});

test('while a link has a budget, repeats keep to a quarter of it, whatever is sent', () => {
  const spentIn = (budgetBps: number) => {
    const budget = new RepairBudget(0);
    budget.setSendBudget(budgetBps);
    let spent = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
      budget.handleSent(1_000_000);
      while (budget.spend(nowMs, 1_000, false)) spent += 1_000;
    }
    return spent;
  };
  const limited = spentIn(800_000);
  assert.ok(limited <= 250_000 + 6_250 && limited > 240_000, `${limited} bytes in ten seconds`);
  assert.ok(spentIn(Number.POSITIVE_INFINITY) > 100 * limited);
});
