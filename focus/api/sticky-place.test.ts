import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import type { BridgeId } from '../../protocol/ids.ts';
import { stickyClaims, stickyOf } from './sticky-place.ts';

const SECRET = 'a-control-secret-of-32-characters-or-more';
const CLAIMS = { iss: 'devkey', sub: 'ann', exp: 1_900_000_000, video: { room: 'talk', roomJoin: true } };
const PLACE = { region: 'eu', bridgeId: 'eu-1' as BridgeId, secret: SECRET };
const causeway = stickyClaims(CLAIMS, PLACE);
const isSealed = (claims: JWTPayload, secret = SECRET) => stickyOf(claims, secret)?.isSealed;

test('a bridge that a focus has put into a token is known again by every focus with the secret', () => {
  assert.deepEqual(stickyOf({ ...CLAIMS, causeway }, SECRET), { bridgeId: 'eu-1', isSealed: true });
  assert.equal(isSealed({ ...CLAIMS, causeway }, 'another secret'), false);
});

test('a seal is good in its own token only', () => {
  const others = [
    { ...CLAIMS, iss: 'other' },
    { ...CLAIMS, sub: 'bob' },
    { ...CLAIMS, exp: CLAIMS.exp + 1 },
    { ...CLAIMS, video: { room: 'other' } },
    { ...CLAIMS, causeway: { ...causeway, bridge: 'eu-2' } },
  ];
  for (const claims of others) assert.equal(isSealed({ causeway, ...claims }), false, JSON.stringify(claims));
  // What the holder may do there changes with every refresh.
  assert.equal(isSealed({ ...CLAIMS, causeway, video: { room: 'talk', canPublish: false } }), true);
});

test('whoever signs tokens without a seal, or with half of one, names no bridge', () => {
  for (const seal of [undefined, '', 'AAAA', causeway['seal'].slice(2)]) {
    assert.equal(isSealed({ ...CLAIMS, causeway: { region: 'eu', bridge: 'eu-1', seal } }), false);
  }
  assert.equal(stickyOf({ ...CLAIMS, causeway: { region: 'eu' } }, SECRET), null);
  assert.equal(stickyOf(CLAIMS, SECRET), null);
});

test('a token for another conference keeps the region alone', () => {
  assert.deepEqual(stickyClaims(CLAIMS, { ...PLACE, bridgeId: null }), { region: 'eu' });
});
