import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientOrigin, clientRegion } from './region.ts';

const origin = (changes: Partial<ClientOrigin>): ClientOrigin => ({
  tokenRegion: undefined,
  headerRegion: undefined,
  isFromTrustedProxy: false,
  lookUp: () => undefined,
  ...changes,
});

test('the order is token, header, look-up, own region', () => {
  const all: Partial<ClientOrigin> = {
    tokenRegion: 'a',
    headerRegion: 'b',
    isFromTrustedProxy: true,
    lookUp: () => 'c',
  };
  const matched = (changes: Partial<ClientOrigin>) => {
    const { region, rule } = clientRegion(origin({ ...all, ...changes }), 'd');
    return `${region} by ${rule}`;
  };
  assert.equal(matched({}), 'a by token');
  assert.equal(matched({ tokenRegion: undefined }), 'b by header');
  assert.equal(matched({ tokenRegion: undefined, isFromTrustedProxy: false }), 'c by geoip');
  assert.equal(
    matched({ tokenRegion: undefined, headerRegion: undefined, lookUp: () => undefined }),
    'd by own-region',
  );
});

test('an address is not looked up when the answer is known without', () => {
  const lookUp = () => assert.fail('looked up');
  assert.equal(clientRegion(origin({ tokenRegion: 'a', lookUp }), 'd').region, 'a');
});

test('an ignored header is said to be, whichever rule decides', () => {
  assert.equal(clientRegion(origin({ tokenRegion: 'a', headerRegion: 'b' }), 'd').isHeaderIgnored, true);
  assert.equal(clientRegion(origin({ headerRegion: 'b', isFromTrustedProxy: true }), 'd').isHeaderIgnored, false);
});

test('a name that is none is passed over for the next rule', () => {
  assert.deepEqual(clientRegion(origin({ tokenRegion: 'Not A Region', lookUp: () => 'c' }), 'd').rule, 'geoip');
});
