import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Location } from './location.ts';
import { chooseRegion, type ServedRegion } from './region-choice.ts';

const EU = { name: 'eu', focus: 'http://eu', lat: 50.1, lon: 8.7 };
const US = { name: 'us', focus: 'http://us', lat: 39, lon: -77.5 };
const AP = { name: 'ap', focus: 'http://ap', lat: 1.35, lon: 103.8 };
const REGIONS: readonly ServedRegion[] = [EU, US, AP];
const NOWHERE = { prefixRegion: undefined, isPrivateAddress: false, location: undefined };

function at(lat: number, lon: number): Location {
  return { country: null, point: { lat, lon }, precision: 'city' };
}

test('a located client gets the nearest region, and the others by distance behind it', () => {
  const choice = chooseRegion({ ...NOWHERE, location: at(35.7, 139.7) }, REGIONS, 'eu');
  assert.equal(choice.rule, 'nearest');
  assert.deepEqual(
    choice.ranking.map(entry => entry.region),
    ['ap', 'eu', 'us'],
  );
  assert.ok(
    Math.abs(choice.ranking[0]!.distanceKm! - 5320) < 60,
    `Tokyo to Singapore: ${choice.ranking[0]!.distanceKm} km`,
  );
});

test('the path prefix goes before the place, and the ranking is then seen from the named region', () => {
  const choice = chooseRegion({ ...NOWHERE, prefixRegion: 'us', location: at(1, 104) }, REGIONS, 'eu');
  assert.equal(choice.rule, 'path-prefix');
  assert.deepEqual(
    choice.ranking.map(entry => entry.region),
    ['us', 'eu', 'ap'],
  );
  assert.equal(choice.ranking[0]?.distanceKm, 0);
});

test('a private address gets the default region, whatever a database says of it', () => {
  const choice = chooseRegion({ ...NOWHERE, isPrivateAddress: true, location: at(1, 104) }, REGIONS, 'us');
  assert.deepEqual([choice.region, choice.rule], ['us', 'private-address']);
});

test('an address that no database knows gets the default region', () => {
  const choice = chooseRegion(NOWHERE, REGIONS, 'ap');
  assert.deepEqual([choice.region, choice.rule], ['ap', 'not-located']);
});

test('a region without coordinates is never the nearest, and stays in the ranking as the last', () => {
  const lab = { name: 'lab', focus: 'http://lab' };
  const choice = chooseRegion({ ...NOWHERE, location: at(48, 11) }, [lab, US, EU], 'lab');
  assert.deepEqual(
    choice.ranking.map(entry => [entry.region, entry.distanceKm === null]),
    [
      ['eu', false],
      ['us', false],
      ['lab', true],
    ],
  );
  assert.equal(chooseRegion({ ...NOWHERE, location: at(48, 11) }, [lab], 'lab').rule, 'not-located');
});

test('the ranking always holds every region once, the chosen one first', () => {
  const location = fc.option(
    fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
    }),
    { nil: undefined },
  );
  const prefixRegion = fc.constantFrom('eu', 'us', 'ap', undefined);
  fc.assert(
    fc.property(location, prefixRegion, fc.boolean(), (point, prefix, isPrivateAddress) => {
      const located = point === undefined ? undefined : at(point.lat, point.lon);
      const choice = chooseRegion({ prefixRegion: prefix, isPrivateAddress, location: located }, REGIONS, 'eu');
      assert.equal(choice.ranking[0]?.region, choice.region);
      assert.deepEqual(choice.ranking.map(entry => entry.region).sort(), ['ap', 'eu', 'us']);
    }),
  );
});
