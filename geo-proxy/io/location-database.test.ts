import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LocationDatabase, packagedDatabasePath } from './location-database.ts';

const PACKAGED = packagedDatabasePath();
/** The same data for IPv4 only: a database that answers differently. */
const IPV4_ONLY = PACKAGED.replace('country.mmdb', 'country-ipv4.mmdb');

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-geoip-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Replaces a file as update tools do: a new one is moved over it. */
async function replace(path: string, source: string): Promise<void> {
  await copyFile(source, `${path}.new`);
  await rename(`${path}.new`, path);
}

test('the packaged database knows well-known addresses of each continent, in both families', async () => {
  const database = await LocationDatabase.open(PACKAGED);
  const countries: readonly [address: string, country: string][] = [
    ['193.99.144.80', 'DE'],
    ['8.8.8.8', 'US'],
    ['2001:4860:4860::8888', 'US'],
    ['165.21.83.88', 'SG'],
    ['2a02:2e0:3fe:1001::1', 'DE'],
  ];
  for (const [address, country] of countries) assert.equal(database.lookup(address)?.country, country, address);
});

test('an unknown address, or none at all, is no location and no error', async () => {
  const database = await LocationDatabase.open(PACKAGED);
  for (const address of ['127.0.0.1', '10.1.2.3', 'fe80::1', '', 'not an address']) {
    assert.equal(database.lookup(address), undefined, address);
  }
});

test('a replaced file takes over; the same file is not loaded again', () =>
  inFolder(async folder => {
    const path = join(folder, 'geo.mmdb');
    await copyFile(IPV4_ONLY, path);
    const database = await LocationDatabase.open(path);
    assert.notEqual(database.lookup('2a02:2e0:3fe:1001::1')?.country, 'DE');
    assert.equal(await database.checkForUpdate(), 'unchanged');
    await replace(path, PACKAGED);
    assert.equal(await database.checkForUpdate(), 'reloaded');
    assert.equal(database.lookup('2a02:2e0:3fe:1001::1')?.country, 'DE');
    assert.equal(await database.checkForUpdate(), 'unchanged');
  }));

test('a broken or missing file leaves the one in use, is reported once, and a mended one is taken', () =>
  inFolder(async folder => {
    const path = join(folder, 'geo.mmdb');
    await copyFile(PACKAGED, path);
    const database = await LocationDatabase.open(path);
    const breakages = [
      () => writeFile(path, 'no database'),
      () => rm(path),
      () => copyFile(PACKAGED, path).then(() => truncate(path, 1_000_000)),
    ];
    for (const breakIt of breakages) {
      await breakIt();
      assert.equal(await database.checkForUpdate(), 'broken');
      assert.equal(await database.checkForUpdate(), 'unchanged');
      assert.equal(database.lookup('8.8.8.8')?.country, 'US');
    }
    await replace(path, PACKAGED);
    assert.equal(await database.checkForUpdate(), 'reloaded');
  }));

test('a file that is no database is refused by name at the start', () =>
  inFolder(async folder => {
    const path = join(folder, 'text.mmdb');
    await writeFile(path, 'hello');
    await assert.rejects(LocationDatabase.open(path), /GeoIP database .*text\.mmdb cannot be used/);
    await assert.rejects(LocationDatabase.open(join(folder, 'none.mmdb')), /none\.mmdb cannot be used/);
  }));
