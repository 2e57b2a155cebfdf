import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { packagedDatabasePath } from './io/location-database.ts';
import { ask, withNetwork } from './testing/test-network.ts';

const BEHIND_A_PROXY = { trusted_proxies: ['127.0.0.1', '10.0.0.0/8'] };
const SINGAPORE = '165.21.83.88';
const CALIFORNIA = '8.8.8.8';

interface Refused {
  error: { code: string; message: string };
}

test('a client goes to the focus of the region nearest to its address', () =>
  withNetwork(BEHIND_A_PROXY, async ({ proxy }) => {
    for (const [address, region] of [
      [SINGAPORE, 'ap'],
      [CALIFORNIA, 'us'],
      ['193.99.144.80', 'eu'],
    ] as const) {
      const seen = await ask(`${proxy.url}/x`, { headers: { 'x-forwarded-for': address } });
      assert.deepEqual([seen.focus, seen.headers['x-region']], [region, region]);
    }
  }));

test('the address that counts is the rightmost one that is not a proxy of ours', () =>
  withNetwork(BEHIND_A_PROXY, async ({ proxy }) => {
    const chain = `${CALIFORNIA}, ${SINGAPORE}, 10.2.3.4`;
    const seen = await ask(`${proxy.url}/x`, { headers: { 'x-forwarded-for': chain } });
    assert.equal(seen.headers['x-region'], 'ap');
    assert.equal(seen.headers['x-forwarded-for'], `${chain}, 127.0.0.1`);
  }));

test('a forged region header and a forged address change nothing', () =>
  withNetwork({ trusted_proxies: [] }, async ({ proxy }) => {
    const headers = { 'x-region': 'ap', 'x-forwarded-for': SINGAPORE };
    const seen = await ask(`${proxy.url}/x`, { headers });
    assert.deepEqual(
      [seen.focus, seen.headers['x-region'], seen.headers['x-forwarded-for']],
      ['eu', 'eu', '127.0.0.1'],
    );
  }));

test('path, query, token, method and body arrive as they were sent', () =>
  withNetwork({}, async ({ proxy }) => {
    const url = '/twirp/livekit.RoomService/ListRooms?a=%2F&b=%20c==';
    const headers = { authorization: 'Bearer token', 'content-type': 'text/plain' };
    const seen = await ask(`${proxy.url}${url}`, { method: 'POST', headers, body: 'x'.repeat(300_000) });
    assert.deepEqual([seen.method, seen.url, seen.headers['authorization']], ['POST', url, 'Bearer token']);
    assert.equal(seen.body.length, 300_000);
  }));

test('in development a path prefix stands in for geography and does not reach the focus', () =>
  withNetwork({ development: true }, async ({ proxy }) => {
    const seen = await ask(`${proxy.url}/region/us/rtc/v1/validate?x=1`);
    assert.deepEqual([seen.focus, seen.headers['x-region'], seen.url], ['us', 'us', '/rtc/v1/validate?x=1']);
  }));

test('an unknown region in the prefix is refused with what is allowed', () =>
  withNetwork({ development: true }, async ({ proxy }) => {
    const response = await fetch(`${proxy.url}/region/mars/rtc/v1`);
    const { error } = (await response.json()) as Refused;
    assert.deepEqual([response.status, error.code], [404, 'unknown-region']);
    assert.match(error.message, /allowed: eu, us, ap/);
  }));

test('production refuses the prefix', () =>
  withNetwork({ development: false }, async ({ proxy }) => {
    const response = await fetch(`${proxy.url}/region/us/rtc/v1`);
    const { error } = (await response.json()) as Refused;
    assert.deepEqual([response.status, error.code], [404, 'prefix-refused']);
  }));

test('when a focus is down its clients go to the next nearest and keep their region', () =>
  withNetwork({ development: true }, async ({ proxy, focuses }) => {
    await focuses.get('us')!.close();
    const seen = await ask(`${proxy.url}/region/us/x`, { method: 'POST', body: 'whole' });
    assert.deepEqual([seen.focus, seen.headers['x-region'], seen.body], ['eu', 'us', 'whole']);
  }));

test('with no focus left the answer is a 502 with a code', () =>
  withNetwork({}, async ({ proxy, focuses }) => {
    for (const focus of focuses.values()) await focus.close();
    const response = await fetch(`${proxy.url}/x`);
    assert.equal(response.status, 502);
    assert.equal(((await response.json()) as Refused).error.code, 'focus-unreachable');
  }));

test('a focus that took the request and says nothing is a 504, and nobody else is asked', () =>
  withNetwork({ 'upstream.response_timeout_ms': 150 }, async ({ proxy }) => {
    const response = await fetch(`${proxy.url}/silent`);
    assert.equal(response.status, 504);
    assert.equal(((await response.json()) as Refused).error.code, 'focus-timeout');
  }));

test('GET /region explains the answer', () =>
  withNetwork(BEHIND_A_PROXY, async ({ proxy, focuses }) => {
    const answer = await ask<Record<string, unknown>>(`${proxy.url}/region`, {
      headers: { 'x-forwarded-for': SINGAPORE },
    });
    assert.deepEqual(
      [answer['address'], answer['region'], answer['source'], answer['country']],
      [SINGAPORE, 'ap', 'nearest', 'SG'],
    );
    const ranking = answer['ranking'] as { region: string; focus: string; distanceKm: number; healthy: boolean }[];
    assert.deepEqual(
      ranking.map(entry => entry.region),
      ['ap', 'eu', 'us'],
    );
    assert.equal(ranking[0]?.focus, focuses.get('ap')!.origin);
    assert.ok(ranking[0]!.distanceKm < 50 && ranking[0]!.healthy);
  }));

test('GET /region says that a loopback address gets the default region', () =>
  withNetwork({ default_region: 'us' }, async ({ proxy }) => {
    const answer = await ask<Record<string, unknown>>(`${proxy.url}/region`);
    assert.deepEqual([answer['region'], answer['source'], answer['coordinates']], ['us', 'private-address', null]);
  }));

test('a changed database is used without a restart, a broken one is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-geoip-'));
  const path = join(folder, 'geo.mmdb');
  await copyFile(packagedDatabasePath().replace('country.mmdb', 'country-ipv6.mmdb'), path);
  await withNetwork({ ...BEHIND_A_PROXY, 'geoip.database': path }, async ({ proxy }) => {
    const regionOf = async () =>
      (
        await ask<{ region: string; source: string }>(`${proxy.url}/region`, {
          headers: { 'x-forwarded-for': SINGAPORE },
        })
      ).source;
    assert.equal(await regionOf(), 'not-located');
    await copyFile(packagedDatabasePath(), `${path}.new`);
    await rename(`${path}.new`, path);
    await proxy.checkDatabase();
    assert.equal(await regionOf(), 'nearest');
    await writeFile(path, 'broken');
    await proxy.checkDatabase();
    assert.equal(await regionOf(), 'nearest');
    const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
    assert.match(metrics, /database_reloads_total\{result="reloaded"\} 1/);
    assert.match(metrics, /database_reloads_total\{result="broken"\} 1/);
  }).finally(() => rm(folder, { recursive: true }));
});

test('metrics count requests by region and rule, and are not for the public', () =>
  withNetwork(BEHIND_A_PROXY, async ({ proxy }) => {
    await ask(`${proxy.url}/x`, { headers: { 'x-forwarded-for': SINGAPORE } });
    const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
    assert.match(metrics, /requests_total\{region="ap",rule="nearest",kind="http"\} 1/);
    const refused = await fetch(`${proxy.url}/metrics`, { headers: { 'x-forwarded-for': SINGAPORE } });
    assert.equal(refused.status, 403);
  }));

test('liveness is our own and does not depend on a focus', () =>
  withNetwork({}, async ({ proxy, focuses }) => {
    for (const focus of focuses.values()) await focus.close();
    assert.equal((await fetch(`${proxy.url}/healthz`)).status, 200);
  }));

test('a request target that is no path is refused', () =>
  withNetwork({}, async ({ proxy }) => {
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    socket.end('GET http://evil.example/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1\.1 400 .*bad-request/s);
  }));
