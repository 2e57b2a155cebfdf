import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readFocusConfig } from '../config.ts';
import { createFocusMetrics } from '../metrics.ts';
import { cityDatabase } from './mmdb.fixture.ts';
import { createRegionFinder, type RequestOrigin } from './region-finder.ts';

let folder: string;
let database: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-focus-'));
  database = join(folder, 'city.mmdb');
  // 203.0.0.0/8 in Singapore.
  await writeFile(database, cityDatabase(203, 1.35, 103.8));
});
after(() => rm(folder, { recursive: true }));

async function finder(changes: Record<string, unknown> = {}) {
  const metrics = createFocusMetrics();
  const config = readFocusConfig({
    env: {},
    flags: {
      development: true,
      region: 'home',
      regions: [
        { name: 'eu', lat: 50.1, lon: 8.7 },
        { name: 'ap', lat: 1.35, lon: 103.8 },
      ],
      'geoip.database': database,
      ...changes,
    },
  });
  const found = await createRegionFinder(config, metrics);
  const find = (origin: Partial<RequestOrigin>) => {
    const { region, rule } = found.find({ peerAddress: '127.0.0.1', headers: {}, tokenRegion: undefined, ...origin });
    return [region, rule];
  };
  return { find, metrics };
}

test('the region in the token wins over the header of a trusted proxy', async () => {
  const { find } = await finder();
  assert.deepEqual(find({ tokenRegion: 'us', headers: { 'x-region': 'eu' } }), ['us', 'token']);
});

test('the header of a trusted proxy is believed, also from loopback of either family', async () => {
  const { find } = await finder();
  for (const peerAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.deepEqual(find({ peerAddress, headers: { 'x-region': 'eu' } }), ['eu', 'header']);
  }
});

test('the header of anybody else is ignored and counted', async () => {
  const { find, metrics } = await finder();
  assert.deepEqual(find({ peerAddress: '198.51.100.1', headers: { 'x-region': 'eu' } }), ['home', 'own-region']);
  const text = await metrics.registry.metrics();
  assert.match(text, /causeway_focus_region_headers_ignored_total 1/);
  assert.match(text, /causeway_focus_client_regions_total\{rule="own-region"\} 1/);
});

test('without a header the address is looked up: its own, or the one a trusted proxy forwards', async () => {
  const { find } = await finder();
  assert.deepEqual(find({ peerAddress: '203.0.113.9' }), ['ap', 'geoip']);
  assert.deepEqual(find({ headers: { 'x-forwarded-for': '203.0.113.9' } }), ['ap', 'geoip']);
  assert.deepEqual(find({ peerAddress: '198.51.100.1', headers: { 'x-forwarded-for': '203.0.113.9' } }), [
    'home',
    'own-region',
  ]);
});

test('an address that the database does not know, or cannot, is in the own region', async () => {
  const { find } = await finder();
  for (const peerAddress of ['198.51.100.1', '2001:db8::1', '', 'not an address']) {
    assert.deepEqual(find({ peerAddress }), ['home', 'own-region'], peerAddress);
  }
});

test('a header that is no region name is as good as none', async () => {
  const { find } = await finder();
  for (const name of ['', 'EU', 'e u', 'x'.repeat(33), '../eu']) {
    assert.deepEqual(find({ headers: { 'x-region': name } }), ['home', 'own-region'], name);
  }
});

test('the header has the configured name', async () => {
  const { find } = await finder({ region_header: 'x-geo' });
  assert.deepEqual(find({ headers: { 'x-region': 'eu', 'x-geo': 'us' } }), ['us', 'header']);
});

test('a database that cannot be read is named at the start', async () => {
  await assert.rejects(
    finder({ 'geoip.database': join(folder, 'missing.mmdb') }),
    /geoip\.database .*missing\.mmdb cannot be read/,
  );
});
