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
