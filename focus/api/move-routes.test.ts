import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { CONTROL_SECRET, fakeRooms, type RunningApi, startApi, token } from './api.fixture.ts';
import type { MoveAnswer, MoveOrder } from './move-routes.ts';

describe('POST /v1/participants/:participant/move', () => {
  let api: RunningApi;
  let operator: string;
  let answer: MoveAnswer;
  let orders: MoveOrder[];

  beforeEach(async () => {
    orders = [];
    operator = `Bearer ${await signServiceToken(CONTROL_SECRET, 'an operator')}`;
    api = await startApi(fakeRooms({}).rooms, undefined, {
      answer: order => {
        orders.push(order);
        return answer;
      },
    });
  });
  afterEach(() => api.app.close());

  async function move(participant: string, body: unknown, authorization: string | undefined = operator) {
    const response = await fetch(`${api.url}/v1/participants/${encodeURIComponent(participant)}/move`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  test('answers where from and where to when the move is over', async () => {
    const outcome = { kind: 'moved', from: 'b1' as BridgeId, to: 'b2' as BridgeId, tookMs: 321 } as const;
    answer = { kind: 'ordered', room: 'talk', identity: 'ann', outcome };
    const { status, body } = await move('an/n', { bridgeId: 'b2', room: 'talk' });
    assert.deepEqual(orders, [{ participant: 'an/n', room: 'talk', to: 'b2' as BridgeId }]);
    assert.equal(status, 200);
    assert.deepEqual(body, { room: 'talk', identity: 'ann', outcome: 'moved', from: 'b1', to: 'b2', tookMs: 321 });
  });

  test('says why somebody was not moved, and leaves the choice to placement when no bridge is named', async () => {
    answer = {
      kind: 'ordered',
      room: 'talk',
      identity: 'ann',
      outcome: { kind: 'not-moved', reason: 'moved-just-now' },
    };
    const { status, body } = await move('ann', {});
    assert.deepEqual(orders, [{ participant: 'ann', room: undefined, to: null }]);
    assert.equal(status, 200);
    assert.deepEqual(body, { room: 'talk', identity: 'ann', outcome: 'moved-just-now' });
  });

  test('is 404 for nobody, and 400 with the rooms for an identity that is in several', async () => {
    answer = { kind: 'not-found' };
    const nobody = await move('ann', {});
    assert.deepEqual([nobody.status, nobody.body.error.code], [404, 'participant-not-found']);
    answer = { kind: 'ambiguous', rooms: ['talk', 'other'] };
    const several = await move('ann', {});
    assert.deepEqual([several.status, several.body.error.code], [400, 'invalid-request']);
    assert.match(several.body.error.message, /talk, other/);
  });

  test('refuses what it does not know, and whoever is no operator, before anything is ordered', async () => {
    answer = { kind: 'not-found' };
    const wrong = await move('ann', { bridge: 'b2' });
    assert.equal(wrong.status, 400);
    assert.match(wrong.body.error.message, /"bridge": allowed are bridgeId, room/);
    for (const body of [{ room: 5 }, [], 'b2']) assert.equal((await move('ann', body)).status, 400);
    assert.equal((await move('ann', { bridgeId: 'not a name' })).status, 400);
    const ofRoom = `Bearer ${await token({ roomAdmin: true, room: 'talk' })}`;
    for (const authorization of ['', 'Bearer nonsense', ofRoom]) {
      const { status } = await move('ann', {}, authorization);
      assert.ok(status === 401 || status === 403, `${status} for "${authorization}"`);
    }
    assert.deepEqual(orders, []);
  });
});
