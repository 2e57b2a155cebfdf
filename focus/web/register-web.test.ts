import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { jwtVerify } from 'jose';
import { registerWeb } from './register-web.ts';

const KEYS = { devkey: 'secret' };

async function page(development: boolean): Promise<FastifyInstance> {
  const app = fastify();
  await registerWeb(app, { development, regions: ['eu', 'us'], keys: KEYS });
  return app;
}

test('the page and every module and style it asks for are served, without types', async () => {
  const app = await page(true);
  const html = await app.inject('/');
  assert.match(html.headers['content-type'] as string, /^text\/html/);
  const waiting = [...html.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(match => match[1]!);
  const seen = new Set<string>();
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (seen.has(url)) continue;
    seen.add(url);
    const asset = await app.inject(url);
    assert.equal(asset.statusCode, 200, url);
    if (!url.endsWith('.ts')) continue;
    assert.match(asset.headers['content-type'] as string, /^text\/javascript/, url);
    for (const match of asset.body.matchAll(/from '\.\/([^']+)'/g)) waiting.push(`/app/${match[1]}`);
    assert.doesNotMatch(asset.body, /\binterface \w+ \{/, `${url} has its types removed`);
  }
  assert.ok(seen.has('/app/main.ts') && seen.has('/app/tile.ts') && seen.has('/app/base.css'), [...seen].join(' '));
});

test('livekit-client is served under a URL that changes with it, to be kept for good', async () => {
  const app = await page(true);
  const { body } = await app.inject('/');
  const url = /"livekit-client": "([^"]+)"/.exec(body)?.[1] ?? '';
  assert.match(url, /^\/vendor\/livekit-client\.esm\.mjs\?v=\S+$/);
  const sdk = await app.inject(url);
  assert.match(sdk.headers['cache-control'] as string, /immutable/);
  assert.ok(/\bexport\s*\{/.test(sdk.body), 'a module');
});

test('only scripts of the page itself may run: no inline ones but the import map, no frames', async () => {
  const { body, headers } = await (await page(true)).inject('/');
  const policy = headers['content-security-policy'] as string;
  const importMap = /<script type="importmap">(.*?)<\/script>/s.exec(body)?.[1] ?? '';
  const hash = createHash('sha256').update(importMap).digest('base64');
  assert.ok(policy.includes(`script-src 'self' 'sha256-${hash}';`), policy);
  assert.ok(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
  assert.doesNotMatch(policy, /unsafe/);
});

test('a browser that has a file already is told so, one that takes gzip gets it', async () => {
  const app = await page(true);
  const first = await app.inject({ url: '/app/main.ts', headers: { 'accept-encoding': 'gzip, br' } });
  assert.equal(first.headers['content-encoding'], 'gzip');
  assert.equal(gunzipSync(first.rawPayload).toString(), (await app.inject('/app/main.ts')).body);
  const again = await app.inject({
    url: '/app/main.ts',
    headers: { 'if-none-match': first.headers['etag'] as string },
  });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
});

test('tests, and whatever else lies in the folder, are not served', async () => {
  const app = await page(true);
  for (const url of ['/app/grid-layout.test.ts', '/app/../register-web.ts', '/app/..%2fassets.ts', '/app/']) {
    assert.equal((await app.inject(url)).statusCode, 404, url);
  }
});

test('in development whoever asks gets a token for one room, with an identity of their own', async () => {
  const app = await page(true);
  const ask = () =>
    app.inject({
      method: 'POST',
      url: '/v1/dev/token',
      headers: { host: 'localhost:8080' },
      payload: { room: 'a b', name: 'Zoë Ada' },
    });
  const { token, identity, url } = (await ask()).json();
  assert.match(identity, /^zoe-ada-[0-9a-f]{6}$/);
  assert.equal(url, 'ws://localhost:8080');
  const { payload } = await jwtVerify(token, new TextEncoder().encode(KEYS.devkey), {
    algorithms: ['HS256'],
    issuer: 'devkey',
  });
  assert.deepEqual([payload.sub, payload['name']], [identity, 'Zoë Ada']);
  const video = payload['video'] as Record<string, unknown>;
  assert.deepEqual([video['room'], video['roomJoin'], video['roomAdmin']], ['a b', true, undefined]);
  assert.notEqual((await ask()).json().identity, identity);
});

test('a token request without a room, or with more than it needs, is refused', async () => {
  const app = await page(true);
  for (const payload of [{ name: 'a' }, { room: ' ', name: 'a' }, { room: 'a', name: 'x'.repeat(65) }, {}]) {
    assert.equal(
      (await app.inject({ method: 'POST', url: '/v1/dev/token', payload })).statusCode,
      400,
      JSON.stringify(payload),
    );
  }
});

test('production hands out no tokens and tells the page so', async () => {
  const app = await page(false);
  const answer = await app.inject({ method: 'POST', url: '/v1/dev/token', payload: { room: 'a', name: 'a' } });
  assert.equal(answer.statusCode, 404);
  assert.match((await app.inject('/')).body, /data-development="false"/);
});
