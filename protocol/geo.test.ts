import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distanceKm, nearestRegions } from './geo.ts';

const FRANKFURT = { lat: 50.1109, lon: 8.6821 };
const VIRGINIA = { lat: 39.0438, lon: -77.4874 };
const SINGAPORE = { lat: 1.3521, lon: 103.8198 };
const point = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lon: fc.double({ min: -180, max: 180, noNaN: true }),
});

test('known distances are right within half a percent', () => {
  const known = [
    [FRANKFURT, VIRGINIA, 6_560],
    [FRANKFURT, SINGAPORE, 10_260],
    [{ lat: 0, lon: 0 }, { lat: 0, lon: 180 }, 20_015],
    [{ lat: 0, lon: 179.5 }, { lat: 0, lon: -179.5 }, 111.2],
  ] as const;
  for (const [a, b, km] of known)
    assert.ok(Math.abs(distanceKm(a, b) - km) < km * 0.005, `${distanceKm(a, b)} for ${km}`);
});

test('a distance is symmetric, never negative, never more than half way round, and zero to itself', () => {
  fc.assert(
    fc.property(point, point, (a, b) => {
      const km = distanceKm(a, b);
      assert.ok(km >= 0 && km <= 20_015.2);
      assert.ok(Math.abs(km - distanceKm(b, a)) < 1e-6);
      assert.equal(distanceKm(a, a), 0);
    }),
  );
});

test('regions come nearest first, those without coordinates last and in their order', () => {
  const regions = [{ name: 'x' }, { name: 'ap', ...SINGAPORE }, { name: 'y' }, { name: 'us', ...VIRGINIA }];
  const ranked = nearestRegions(FRANKFURT, regions);
  assert.deepEqual(
    ranked.map(({ region }) => region.name),
    ['us', 'ap', 'x', 'y'],
  );
  assert.equal(ranked[2]!.distanceKm, Number.POSITIVE_INFINITY);
});
