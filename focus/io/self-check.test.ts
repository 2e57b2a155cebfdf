/** A focus asks itself at the URL that it tells the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { FocusStatus } from '../api/focus-routes.ts';
import { eventually } from './focus.fixture.ts';
import { type FocusInNetwork, SECRET, withNetwork } from './network.fixture.ts';
import { createPeerMetrics } from './peer-metrics.ts';
import { checkSelf } from './self-check.ts';

interface Line {
  readonly problem?: string;
  readonly remedy?: string;
}

/** As `focus` would, at `url`; what it logs. */
function check({ focusId }: FocusInNetwork, bootId: string, url: string) {
  const warned: Line[] = [];
  const told: Line[] = [];
  const log = { warn: (line: Line) => warned.push(line), info: (line: Line) => told.push(line) } as unknown as Logger;
  const metrics = createPeerMetrics(new Registry());
  const timing = { delayMs: 0, repeatMs: 5 };
  const end = checkSelf({ focusId, bootId, url, secret: SECRET, metrics, log, nowMs: Date.now, ...timing });
  return { warned, told, end };
}

async function statusOf({ url }: FocusInNetwork): Promise<FocusStatus> {
  const authorization = `Bearer ${await signServiceToken(SECRET, 'test')}`;
  const answer = await fetch(new URL('/v1/focuses', url), { headers: { authorization } });
  return ((await answer.json()) as { focuses: FocusStatus[] }).focuses[0]!;
}

test('where nobody answers it warns with the remedy, until it is reached there', () =>
  withNetwork(['one'], async (_network, one) => {
    const { bootId, url } = await statusOf(one);
    one.way.cut();
    const { warned, told, end } = check(one, bootId, url);
    await eventually(() => warned.length >= 2);
    assert.match(warned[0]!.problem!, /^focus one: it cannot be reached$/);
    assert.match(warned[0]!.remedy!, /^set peers\.advertise_url to where the other focuses reach this one/);
    one.way.mend();
    await eventually(() => told.length === 1);
    end();
  }));

test('another focus there, or another process of its name, is named', () =>
  withNetwork(['one', 'two'], async (_network, one, two) => {
    const { bootId } = await statusOf(one);
    const other = check(one, bootId, two.url);
    const twin = check(one, 'another-boot', one.url);
    const right = check(one, bootId, one.url);
    await eventually(() => other.warned.length > 0 && twin.warned.length > 0);
    assert.match(other.warned[0]!.problem!, /at its URL is focus two: peers\.advertise_url is wrong$/);
    assert.equal(twin.warned[0]!.problem, 'another process answers there by the name one');
    assert.deepEqual(right.warned, []);
    for (const { end } of [other, twin, right]) end();
  }));
