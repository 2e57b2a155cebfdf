import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import { AccessToken, TrackSource } from 'livekit-server-sdk';
import { FocusError } from '../errors.ts';
import { refreshAccessToken, TOKEN_LEEWAY_SECONDS, tokenOf, verifyAccessToken } from './access-token.ts';
import { secretKeys } from './token-keys.ts';

const KEYS = secretKeys({ devkey: 'secret', other: 'another secret' });
const NOW_MS = Date.UTC(2030, 0, 1);
const NOW = NOW_MS / 1000;

async function sign(claims: Record<string, unknown>, algorithm = 'HS256', secret = 'secret'): Promise<string> {
  const all = { iss: 'devkey', exp: NOW + 60, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: algorithm }).sign(new TextEncoder().encode(secret));
}

async function refusal(token: string, nowMs = NOW_MS): Promise<FocusError> {
  const error = await verifyAccessToken(KEYS, token, nowMs).then(
    () => assert.fail('accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof FocusError);
  assert.equal(error.status, 401);
  for (const part of token.split('.'))
    assert.ok(part.length < 8 || !error.message.includes(part), 'the token is echoed');
  return error;
}

describe("a token of LiveKit's SDK", () => {
  test('gives identity, name, metadata, attributes and grants', async () => {
    const token = new AccessToken('devkey', 'secret', {
      identity: 'ann',
      name: 'Ann',
      metadata: 'm',
      attributes: { a: '1' },
      ttl: 60,
    });
    token.kind = 'agent';
    token.addGrant({
      roomJoin: true,
      room: 'talk',
      canPublishSources: [TrackSource.MICROPHONE, TrackSource.SCREEN_SHARE],
      hidden: true,
    });
    const verified = await verifyAccessToken(KEYS, await token.toJwt(), Date.now());
    assert.deepEqual(
      [verified.apiKey, verified.identity, verified.name, verified.metadata, verified.attributes, verified.kind],
      ['devkey', 'ann', 'Ann', 'm', { a: '1' }, 'agent'],
    );
    const { roomJoin, room, canPublishSources, hidden, roomAdmin } = verified.video!;
    assert.deepEqual([roomJoin, room, hidden, roomAdmin], [true, 'talk', true, false]);
    assert.deepEqual(canPublishSources, ['microphone', 'screen_share']);
  });

  test('without explicit permissions may publish, subscribe and send data, but not change its metadata', async () => {
    const token = new AccessToken('devkey', 'secret', { identity: 'ann' });
    token.addGrant({ roomJoin: true, room: 'talk' });
    const { video } = await verifyAccessToken(KEYS, await token.toJwt(), Date.now());
    const { canPublish, canSubscribe, canPublishData, canUpdateOwnMetadata } = video!;
    assert.deepEqual([canPublish, canSubscribe, canPublishData, canUpdateOwnMetadata], [true, true, true, false]);
  });

  test('that may not publish may not send data either, unless it says so', async () => {
    const silent = await verifyAccessToken(KEYS, await sign({ video: { canPublish: false } }), NOW_MS);
    assert.equal(silent.video!.canPublishData, false);
    const chatty = await verifyAccessToken(
      KEYS,
      await sign({ video: { canPublish: false, canPublishData: true } }),
      NOW_MS,
    );
    assert.equal(chatty.video!.canPublishData, true);
  });

  test('without a video claim allows nothing', async () => {
    assert.equal((await verifyAccessToken(KEYS, await sign({ sub: 'ann' }), NOW_MS)).video, null);
  });
});

describe('a token is refused', () => {
  test('when it has expired, by more than the leeway, and the message says so', async () => {
    const token = await sign({ exp: NOW });
    await verifyAccessToken(KEYS, token, NOW_MS + (TOKEN_LEEWAY_SECONDS - 1) * 1000);
    const error = await refusal(token, NOW_MS + (TOKEN_LEEWAY_SECONDS + 1) * 1000);
    assert.equal(error.message, 'invalid authorization token: token is expired');
  });

  test('when it is not valid yet', async () => {
    const token = await sign({ nbf: NOW + 120, exp: NOW + 600 });
    assert.equal((await refusal(token)).code, 'invalid-token');
  });

  test('when it never expires', async () => {
    assert.equal((await refusal(await sign({ exp: undefined }))).code, 'invalid-token');
  });

  test('when it is signed with another secret', async () => {
    assert.equal((await refusal(await sign({}, 'HS256', 'wrong'))).code, 'invalid-token');
    assert.equal((await refusal(await sign({ iss: 'other' }))).code, 'invalid-token');
  });

  test('when its algorithm is not HS256, even with the right secret, or none', async () => {
    const long = 's'.repeat(64);
    const keys = secretKeys({ devkey: long });
    for (const algorithm of ['HS384', 'HS512']) {
      const token = await sign({}, algorithm, long);
      await assert.rejects(verifyAccessToken(keys, token, NOW_MS), { code: 'invalid-token' });
    }
    const unsigned = new UnsecuredJWT({ iss: 'devkey', exp: NOW + 60 }).encode();
    assert.equal((await refusal(unsigned)).code, 'invalid-token');
  });

  test('when nobody knows its key, or the key is a name that every object has', async () => {
    for (const iss of ['nokey', 'constructor', '__proto__', undefined]) {
      assert.equal((await refusal(await sign({ iss }))).code, 'unknown-api-key');
    }
  });

  test('when it is no token', async () => {
    for (const token of ['', 'x', 'a.b.c', '...', `${await sign({})}x`])
      assert.equal((await refusal(token)).code, 'invalid-token');
  });

  test('when its claims have the wrong shape', async () => {
    const wrong = [{ video: 'all' }, { video: { roomJoin: 'yes' } }, { attributes: { a: 1 } }, { name: 7 }];
    for (const claims of wrong) assert.equal((await refusal(await sign(claims))).code, 'invalid-token');
  });
});

describe('where the token of a request is', () => {
  test('in the Authorization header, before the query', () => {
    assert.equal(tokenOf('Bearer abc', 'def'), 'abc');
    assert.equal(tokenOf(undefined, 'def'), 'def');
    assert.equal(tokenOf('', 'def'), 'def');
  });

  test('nowhere is refused as LiveKit refuses it', () => {
    assert.throws(() => tokenOf('Basic abc', 'def'), { code: 'missing-authorization', status: 401 });
    assert.throws(() => tokenOf(undefined, undefined), { code: 'permission-denied', message: 'permissions denied' });
    assert.throws(() => tokenOf(undefined, ''), { code: 'permission-denied' });
  });
});

describe('a refreshed token', () => {
  test('has the same claims, a new lifetime and the sticky region', async () => {
    const first = await verifyAccessToken(
      KEYS,
      await sign({ sub: 'ann', video: { roomJoin: true, room: 'talk' } }),
      NOW_MS,
    );
    assert.equal(first.region, undefined);
    const laterMs = NOW_MS + 30_000;
    const refreshed = await refreshAccessToken(
      KEYS,
      first,
      { region: 'us', bridgeId: null, secret: 's' },
      { name: 'New' },
      laterMs,
      600,
    );
    const second = await verifyAccessToken(KEYS, refreshed, laterMs);
    assert.deepEqual(
      [second.identity, second.name, second.region, second.expiresAtMs],
      ['ann', 'New', 'us', laterMs + 600_000],
    );
    assert.deepEqual(second.video, first.video);
  });

  test('is not made for a key that is gone', async () => {
    const first = await verifyAccessToken(KEYS, await sign({ sub: 'ann' }), NOW_MS);
    await assert.rejects(
      refreshAccessToken(secretKeys({}), first, { region: 'us', bridgeId: null, secret: 's' }, {}, NOW_MS, 600),
      { code: 'unknown-api-key' },
    );
  });
});
