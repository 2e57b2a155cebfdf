/** A client that has to start anew with its fresh token, on a focus with two bridges. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { RoomServiceClient } from 'livekit-server-sdk';
import { FakeBridge } from './fake-bridge.fixture.ts';
import { CONTROL_SECRET, eventually, focusOfSuite } from './focus.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

const VIDEO = { roomJoin: true, room: 'talk' };

describe('a reconnect with the fresh token', () => {
  // Whoever comes goes where fewest are: not where it was, unless something else says so.
  const world = focusOfSuite({ 'placement.kind': 'split' });
  const other = new FakeBridge('us-1', 'us', CONTROL_SECRET);
  before(() => other.start());
  beforeEach(() => {
    for (const bridge of [world.bridge, other]) bridge.state = 'running';
  });
  after(() => other.close());

  /** Both bridges report first: on a slow machine what they said is too old before long. */
  async function join(token: string) {
    await Promise.all([world.bridge, other].map(bridge => bridge.register(world.focus.url)));
    const client = await SignalClient.open(world.focus.url, token);
    const { participant } = await client.next('join');
    const { bridgeId, rule, region, sticky } = await why(participant!.sid);
    return { client, fresh: await client.next('refreshToken'), placed: [bridgeId, rule], region, sticky };
  }

  async function why(sid: string) {
    const token = await accessToken({ identity: '', video: { roomList: true } });
    const response = await fetch(`${world.focus.url}/v1/placements/${sid}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { placement } = (await response.json()) as { placement: Record<string, unknown> };
    return placement;
  }

  async function gone(...clients: SignalClient[]) {
    for (const client of clients) client.close();
    await world.assertNothingLeft();
    assert.equal(other.endpoints.size, 0);
  }

  test('lands on the same bridge in the same region, and the placement says that it is sticky', async () => {
    const ann = await join(await accessToken({ identity: 'ann', claims: { causeway: { region: 'us' } } }));
    const bridgeId = ann.placed[0];
    assert.deepEqual([ann.placed[1], ann.region, ann.sticky], ['fewest-of-conference', 'us', undefined]);
    const bob = await join(await accessToken({ identity: 'bob' }));
    const carol = await join(await accessToken({ identity: 'carol' }));
    assert.deepEqual([bob.placed[0] === bridgeId, carol.placed[0]], [false, bridgeId]);
    bob.client.close();
    await eventually(() => world.focus.host.room('talk')?.participants.has('bob') === false);
    // The rule alone would send her to the other one, where nobody is.
    const again = await join(ann.fresh);
    assert.deepEqual([again.placed, again.region, again.sticky], [[bridgeId, 'sticky-bridge'], 'us', { bridgeId }]);
    await gone(carol.client, again.client);
  });

  test('lands elsewhere when that bridge drains, and says why', async () => {
    const ann = await join(await accessToken({ identity: 'ann', claims: { causeway: { region: 'us' } } }));
    const draining = ann.placed[0] === 'us-1' ? other : world.bridge;
    draining.state = 'draining';
    const again = await join(ann.fresh);
    assert.notEqual(again.placed[0], ann.placed[0]);
    assert.deepEqual(
      [again.placed[1], again.sticky],
      ['fewest-of-conference', { bridgeId: ann.placed[0], ignored: 'draining' }],
    );
    draining.state = 'running';
    await gone(again.client);
  });

  test('an application may say the region in the tokens that it signs, and no bridge', async () => {
    for (const bridge of ['us-1', 'eu-1']) {
      const claims = { causeway: { region: 'us', bridge, seal: 'AAAA' } };
      const { client, region, placed, sticky } = await join(await accessToken({ identity: 'ann', claims }));
      assert.deepEqual([region, placed[1]], ['us', 'fewest-of-conference']);
      assert.deepEqual(sticky, { bridgeId: bridge, ignored: 'not-sealed' });
      await gone(client);
    }
  });

  test('a token for another room keeps the region and leaves the bridge to the rules', async () => {
    const api = new RoomServiceClient(world.focus.url, 'devkey', 'secret');
    const ann = await join(
      await accessToken({ identity: 'ann', video: VIDEO, claims: { causeway: { region: 'us' } } }),
    );
    assert.equal((decodeJwt(ann.fresh)['causeway'] as { bridge: string }).bridge, ann.placed[0]);
    await api.moveParticipant('talk', 'ann', 'elsewhere');
    assert.deepEqual(decodeJwt(await ann.client.next('refreshToken'))['causeway'], { region: 'us' });
    await gone(ann.client);
  });
});
