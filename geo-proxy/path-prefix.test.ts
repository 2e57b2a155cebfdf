import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitRegionPrefix } from './path-prefix.ts';

const SPLIT: readonly [target: string, region: string, path: string][] = [
  ['/region/us/rtc/v1?join_request=a%2Fb==&x=1', 'us', '/rtc/v1?join_request=a%2Fb==&x=1'],
  ['/region/us/rtc/v1/validate', 'us', '/rtc/v1/validate'],
  ['/region/us', 'us', '/'],
  ['/region/us/', 'us', '/'],
  ['/region/us?room=a', 'us', '/?room=a'],
  ['/region/us//evil.example/', 'us', '//evil.example/'],
  ['/region//rtc', '', '/rtc'],
  ['/region/a%2Fb/rtc', 'a%2Fb', '/rtc'],
  ['/region/us/region/eu/rtc', 'us', '/region/eu/rtc'],
];

test('a prefixed path is the region and the rest, byte for byte', () => {
  for (const [target, region, path] of SPLIT) assert.deepEqual(splitRegionPrefix(target), { region, path }, target);
});

test('paths that only look like it have no prefix', () => {
  for (const target of ['/', '/region', '/region?x=1', '/regions/us', '/rtc/region/us', '/REGION/us']) {
    assert.equal(splitRegionPrefix(target), undefined, target);
  }
});
