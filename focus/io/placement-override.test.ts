import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withFocus } from './focus.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

interface Placed {
  readonly placement: { readonly rule: string; readonly policy: { readonly kind: string } };
}

test('a room created with a placement of its own is placed so, other rooms as the configuration says, and bad ones are refused', async () => {
  await withFocus({ 'placement.kind': 'last-used' }, async ({ focus }) => {
    const admin = { roomCreate: true, roomList: true, roomAdmin: true };
    const call = async (path: string, body?: object) => {
      const headers = {
        authorization: `Bearer ${await accessToken({ video: admin })}`,
        'content-type': 'application/json',
      };
      const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
      return fetch(new URL(path, focus.url), init);
    };
    const create = (name: string, placement: object) =>
      call('/twirp/livekit.RoomService/CreateRoom', { name, metadata: JSON.stringify({ causeway: { placement } }) });
    assert.equal((await create('own', { kind: 'single' })).status, 200);
    const refused = await create('wrong', { kind: 'near' });
    assert.equal(refused.status, 400);
    assert.match(
      ((await refused.json()) as { msg: string }).msg,
      /placement\.kind .* is "near"; allowed: region, single/,
    );

    const placedIn = async (room: string) => {
      const token = await accessToken({ identity: room, video: { roomJoin: true, room } });
      const client = await SignalClient.open(focus.url, token);
      await client.next('join');
      const { placement } = (await (await call(`/v1/placements/${room}`)).json()) as Placed;
      return [placement.policy.kind, placement.rule];
    };
    assert.deepEqual(await placedIn('own'), ['single', 'in-region']);
    assert.deepEqual(await placedIn('other'), ['last-used', 'fullest-in-region']);
  });
});

test('an operator overrides a room by the API: before its metadata, for joins from then on, until it is taken back', async () => {
  await withFocus({}, async ({ focus }) => {
    const call = async (
      method: string,
      path: string,
      body?: unknown,
      video: Record<string, unknown> = { roomCreate: true, roomList: true },
    ) => {
      const headers = {
        authorization: `Bearer ${await accessToken({ video })}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const answer = await fetch(new URL(path, focus.url), {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const path = '/v1/rooms/own/placement';
    assert.equal((await call('PUT', path, { kind: 'single' })).status, 404, 'no such room yet');
    const metadata = JSON.stringify({ causeway: { placement: { kind: 'last-used', sort_by: 'cpu' } } });
    await call('POST', '/twirp/livekit.RoomService/CreateRoom', { name: 'own', metadata });
    const before = await call('GET', path);
    assert.deepEqual(
      [before.body.policy, before.body.policyFrom],
      [{ kind: 'last-used', sort_by: 'cpu', algorithm: 'lowest' }, 'override by metadata'],
    );

    const put = await call('PUT', path, { kind: 'latency' });
    assert.deepEqual(
      [put.status, put.body.policy, put.body.policyFrom, put.body.byApi],
      [200, { kind: 'latency', sort_by: 'cpu', algorithm: 'lowest' }, 'override by API', { kind: 'latency' }],
    );
    const token = await accessToken({ identity: 'ann', video: { roomJoin: true, room: 'own' } });
    await (await SignalClient.open(focus.url, token)).next('join');
    const explained = await call('GET', '/v1/placements/ann');
    const placement = explained.body.placement as Record<string, unknown>;
    assert.deepEqual([placement.rule, placement.policyFrom], ['shortest-between-people', 'override by API']);
    assert.ok((placement.roundTrips as readonly { rttMs: number }[])[0]!.rttMs > 0);

    const refusals: readonly [body: unknown, message: RegExp][] = [
      [{ kind: 'near' }, /kind is "near"; allowed: region, single/],
      [{ kinds: 'single' }, /has "kinds"; allowed: kind, sort_by, algorithm/],
      [{}, /says nothing; allowed/],
      [{ kind: 'http' }, /allowed: with placement\.http\.url configured/],
    ];
    for (const [body, message] of refusals) {
      const refused = await call('PUT', path, body);
      assert.equal(refused.status, 400);
      assert.match((refused.body.error as { message: string }).message, message);
    }
    for (const video of [{ roomList: true }, { roomAdmin: true, room: 'other' }, { roomJoin: true, room: 'own' }]) {
      assert.equal((await call('PUT', path, { kind: 'single' }, video)).status, 401, JSON.stringify(video));
    }
    assert.equal((await call('PUT', path, { kind: 'split' }, { roomAdmin: true, room: 'own' })).status, 200);

    const back = await call('DELETE', path);
    assert.deepEqual([back.body.policyFrom, back.body.byApi], ['override by metadata', null]);
  });
});
