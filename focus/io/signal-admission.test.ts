import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { WrappedJoinRequest, WrappedJoinRequest_Compression } from '@livekit/protocol';
import { JOIN_REQUEST_CHARACTERS_MAX } from '../signal/join-request.ts';
import { type FocusUnderTest, startFocusUnderTest, withFocus } from './focus.fixture.ts';
import { accessToken, joinParameter, SignalClient, signalUrl, type TokenOptions } from './signal-client.fixture.ts';
import { refusal, UPGRADE } from './upgrade.fixture.ts';

let world: FocusUnderTest;
before(async () => {
  world = await startFocusUnderTest();
});
after(() => world.close());

async function validate(options: TokenOptions, join = {}, path = '/rtc/v1/validate', url = world.focus.url) {
  const response = await fetch(signalUrl(url, await accessToken(options), join, path));
  return { status: response.status, text: await response.text() };
}

const refusals: readonly [what: string, token: TokenOptions, status: number, reason: RegExp][] = [
  ['a token signed with another secret', { secret: 'not the secret' }, 401, /^invalid authorization token$/],
  ['a token of an unknown key', { key: 'nobody' }, 401, /^invalid API key$/],
  ['an expired token', { lifetimeSeconds: -120 }, 401, /^invalid authorization token: token is expired$/],
  ['a token without expiry', { lifetimeSeconds: null }, 401, /^invalid authorization token$/],
  ['a token without the grant to join', { video: { room: 'talk' } }, 401, /^permissions denied$/],
  ['a token without a room', { video: { roomJoin: true } }, 400, /^no room name$/],
  ['a token without an identity', { identity: '' }, 400, /^identity cannot be empty$/],
  ['an identity of 257 characters', { identity: 'x'.repeat(257) }, 400, /^participant identity length exceeds limits$/],
];
for (const [what, options, status, reason] of refusals) {
  test(`${what} is refused with ${status} before the upgrade, and by validate with the reason`, async () => {
    const token = await accessToken(options);
    const upgrade = await refusal(signalUrl(world.focus.url, token));
    for (const answer of [upgrade, await validate(options)]) {
      assert.equal(answer.status, status);
      assert.match(answer.text, reason);
      assert.equal(answer.text.includes(token), false);
    }
    await world.assertNothingLeft();
  });
}

test('a good token is valid, in the query or in the header; none at all is refused', async () => {
  assert.deepEqual(await validate({}), { status: 200, text: 'success' });
  const url = new URL('/rtc/v1/validate', world.focus.url);
  url.searchParams.set('join_request', joinParameter());
  assert.equal((await fetch(url)).status, 401);
  const headers = { authorization: `Bearer ${await accessToken()}` };
  const response = await fetch(url, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
});

test('a join request that cannot be read is refused with 400, by the upgrade and by validate, and leaves nothing', async () => {
  for (const parameter of ['', '!!!', 'AAAA', 'EgUBAgMEBQ==']) {
    assert.deepEqual(await refusalsOf(parameter), [400, 400], parameter);
  }
  await world.assertNothingLeft();
});

test('a join request over the limit, packed or not, is refused before it is read, and leaves nothing', async () => {
  // What the HTTP server takes is as large as what a join request may be, so it is the one that says no.
  assert.deepEqual(await refusalsOf('A'.repeat(JOIN_REQUEST_CHARACTERS_MAX + 1)), [431, 431]);
  const bomb = new WrappedJoinRequest({
    joinRequest: gzipSync(Buffer.alloc(64 << 20)),
    compression: WrappedJoinRequest_Compression.GZIP,
  });
  assert.deepEqual(await refusalsOf(Buffer.from(bomb.toBinary()).toString('base64url')), [400, 400]);
  await world.assertNothingLeft();
});

/** The status of the upgrade and that of validate. */
async function refusalsOf(joinRequest: string): Promise<number[]> {
  const statuses: number[] = [];
  for (const [path, headers] of [
    ['/rtc/v1', UPGRADE],
    ['/rtc/v1/validate', {}],
  ] as const) {
    const url = signalUrl(world.focus.url, await accessToken(), {}, path);
    url.searchParams.set('join_request', joinRequest);
    statuses.push((await refusal(url, headers)).status);
  }
  return statuses;
}

test('metadata that a client brings itself takes the grant to update it', async () => {
  assert.equal((await validate({}, { metadata: 'mine' })).status, 401);
  const video = { roomJoin: true, room: 'talk', canUpdateOwnMetadata: true };
  assert.equal((await validate({ video }, { metadata: 'mine' })).status, 200);
});

test('without auto-create an unknown room is 404 with the words SDKs look for, on the older path too', async () => {
  await withFocus({ 'room.auto_create': false }, async ({ focus: { url }, assertNothingLeft }) => {
    for (const path of ['/rtc/v1/validate', '/rtc/validate']) {
      const answer = await validate({}, {}, path, url);
      assert.deepEqual(answer, { status: 404, text: 'requested room does not exist' });
    }
    const upgrade = await refusal(signalUrl(url, await accessToken()));
    assert.deepEqual(upgrade, { status: 404, text: 'requested room does not exist' });
    await assertNothingLeft();
    const video = { roomJoin: true, room: 'talk', roomCreate: true };
    const client = await SignalClient.open(url, await accessToken({ video }));
    assert.equal((await client.next('join')).room?.name, 'talk');
    client.close();
    await assertNothingLeft();
  });
});

test('the path of two PeerConnections admits with its parameters, without a join request, and refuses alike', async () => {
  for (const path of ['/rtc/validate', '/rtc']) {
    const url = new URL(path, world.focus.url);
    url.searchParams.set('access_token', await accessToken());
    const answer = await fetch(url);
    assert.equal(answer.status, path === '/rtc' ? 426 : 200);
    assert.equal(answer.headers.get('access-control-allow-origin'), path === '/rtc' ? null : '*');
  }
  const expired = await validate({ lifetimeSeconds: -100 }, {}, '/rtc/validate');
  assert.deepEqual(expired, await validate({ lifetimeSeconds: -100 }));
  assert.equal(expired.status, 401);
});

test('a plain GET of the signalling path asks for a WebSocket', async () => {
  assert.equal((await fetch(signalUrl(world.focus.url, await accessToken()))).status, 426);
});

test('joins over the limit are refused with 429, and leave nothing', async () => {
  await withFocus({ 'signal.joins_per_second': 1 }, async ({ focus: { url }, assertNothingLeft }) => {
    const first = await SignalClient.join(url, 'first');
    const refused = await refusal(signalUrl(url, await accessToken({ identity: 'second' })));
    assert.deepEqual(refused, { status: 429, text: 'too many joins, try again: signal.joins_per_second is 1' });
    first.close();
    await assertNothingLeft();
  });
});
