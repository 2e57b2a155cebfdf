import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COUNTRY_COORDINATES } from './countries.ts';
import { readLocation } from './location.ts';

test('the layouts of the usual databases are understood', () => {
  const maxmind = { country: { iso_code: 'DE' }, location: { latitude: 52.5, longitude: 13.4, accuracy_radius: 20 } };
  assert.deepEqual(readLocation(maxmind), { country: 'DE', point: { lat: 52.5, lon: 13.4 }, precision: 'city' });
  const flat = { country_code: 'US', latitude: '37.4', longitude: '-122.1', city: 'Mountain View' };
  assert.deepEqual(readLocation(flat), { country: 'US', point: { lat: 37.4, lon: -122.1 }, precision: 'city' });
  const [lat, lon] = COUNTRY_COORDINATES['SG']!;
  const countryOnly = { country: 'SG', point: { lat, lon }, precision: 'country' };
  assert.deepEqual(readLocation({ country_code: 'SG' }), countryOnly);
  assert.deepEqual(readLocation({ country: 'SG' }), countryOnly);
  assert.deepEqual(readLocation({ registered_country: { iso_code: 'SG' } }), countryOnly);
});

test('a record without a usable place is no location', () => {
  const records = [
    null,
    7,
    'DE',
    [],
    {},
    { country: 'ZZ' },
    { latitude: 91, longitude: 0 },
    { latitude: '', longitude: '' },
  ];
  for (const record of records) assert.equal(readLocation(record), undefined, JSON.stringify(record));
});

test('no record makes it throw, and every answer is on earth', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (country, latitude, longitude) => {
      for (const record of [
        country,
        { country, latitude, longitude },
        { country, location: { latitude, longitude } },
      ]) {
        const location = readLocation(record);
        if (location === undefined) continue;
        assert.ok(Math.abs(location.point.lat) <= 90 && Math.abs(location.point.lon) <= 180);
      }
    }),
  );
});

test('every country of the table is on earth, and no code is missing a coordinate', () => {
  const rows = Object.entries(COUNTRY_COORDINATES);
  assert.equal(rows.length, 248);
  for (const [code, row] of rows) {
    assert.match(code, /^[A-Z]{2}$/);
    assert.ok(row !== undefined && Math.abs(row[0]) <= 90 && Math.abs(row[1]) <= 180, code);
  }
});
