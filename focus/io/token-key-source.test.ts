import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { refreshAccessToken, verifyAccessToken } from '../api/access-token.ts';
import { secretKeys } from '../api/token-keys.ts';
import { eventually, withFocus } from './focus.fixture.ts';
import { accessToken } from './signal-client.fixture.ts';
import { createTokenKeySource } from './token-key-source.ts';

const NOW_MS = Date.UTC(2030, 0, 1);
const ISSUER = 'https://id.example';
const log = pino({ level: 'silent' });
const settings = { keys: { devkey: 'secret' }, key_file: '', key_file_interval_ms: 5, jwks: [], development: true };

let folder: string;
let server: Server;
let jwks: { keys: JWK[] } | null = null;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-keys-'));
  server = createServer((_request, response) => {
    if (jwks === null) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(jwks));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

function open(overrides: Partial<Parameters<typeof createTokenKeySource>[0]['config']>) {
  return createTokenKeySource({ config: { ...settings, ...overrides }, registry: new Registry(), log });
}

async function pair(alg: string, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

interface Signing {
  readonly alg: string;
  readonly kid: string;
  readonly key: CryptoKey | Uint8Array;
  readonly claims?: Readonly<Record<string, unknown>>;
}

function sign({ alg, kid, key, claims }: Signing): Promise<string> {
  const all = {
    iss: ISSUER,
    aud: 'causeway',
    sub: 'ann',
    exp: NOW_MS / 1000 + 60,
    video: { roomJoin: true },
    ...claims,
  };
  return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(key);
}

test('tokens of an issuer are verified with its JWKS: RS256 and ES256, its audience and expiry', async () => {
  const [rsa, ec] = [await pair('RS256', 'rsa'), await pair('ES256', 'ec')];
  jwks = { keys: [rsa.jwk, ec.jwk] };
  const keys = await open({ jwks: [{ issuer: ISSUER, url, audience: 'causeway' }] });
  for (const [alg, kid, { privateKey: key }] of [['RS256', 'rsa', rsa] as const, ['ES256', 'ec', ec] as const]) {
    const token = await verifyAccessToken(keys, await sign({ alg, kid, key }), NOW_MS);
    assert.deepEqual([token.identity, token.apiKey, token.video?.roomJoin], ['ann', ISSUER, true]);
    for (const claims of [{ aud: 'another' }, { exp: NOW_MS / 1000 - 61 }, { exp: undefined }]) {
      const refused = verifyAccessToken(keys, await sign({ alg, kid, key, claims }), NOW_MS);
      await assert.rejects(refused, { code: 'invalid-token' }, JSON.stringify(claims));
    }
  }
  const stranger = await pair('ES256', 'ec');
  const forged = await sign({ alg: 'ES256', kid: 'ec', key: stranger.privateKey });
  await assert.rejects(verifyAccessToken(keys, forged, NOW_MS), { code: 'invalid-token' });
  keys.close();
});

test('a token of an issuer is not accepted with a secret, nor with its public key for one', async () => {
  const rsa = await pair('RS256', 'rsa');
  jwks = { keys: [rsa.jwk] };
  const keys = await open({ jwks: [{ issuer: ISSUER, url }] });
  for (const secret of ['secret', JSON.stringify(rsa.jwk), rsa.jwk.n!]) {
    const token = await sign({ alg: 'HS256', kid: 'rsa', key: new TextEncoder().encode(secret) });
    await assert.rejects(verifyAccessToken(keys, token, NOW_MS), { code: 'invalid-token' });
  }
  keys.close();
});

test('while the keys of an issuer cannot be fetched its tokens are refused with 503, and others are not', async () => {
  const ec = await pair('ES256', 'ec');
  const token = await sign({ alg: 'ES256', kid: 'ec', key: ec.privateKey });
  const keys = await open({ jwks: [{ issuer: ISSUER, url }] });
  jwks = null;
  await assert.rejects(verifyAccessToken(keys, token, NOW_MS), { code: 'issuer-unavailable', status: 503 });
  await verifyAccessToken(keys, await accessToken(), Date.now());
  jwks = { keys: [ec.jwk] };
  assert.equal((await verifyAccessToken(keys, token, NOW_MS)).identity, 'ann');
  keys.close();
});

test("a token of an issuer is refreshed with the focus's own key", async () => {
  const ec = await pair('ES256', 'ec');
  jwks = { keys: [ec.jwk] };
  const keys = await open({ jwks: [{ issuer: ISSUER, url }] });
  const first = await verifyAccessToken(keys, await sign({ alg: 'ES256', kid: 'ec', key: ec.privateKey }), NOW_MS);
  const refreshed = await refreshAccessToken(
    keys,
    first,
    { region: 'eu', bridgeId: null, secret: 's' },
    {},
    NOW_MS,
    600,
  );
  const second = await verifyAccessToken(secretKeys({ devkey: 'secret' }), refreshed, NOW_MS);
  assert.deepEqual([second.apiKey, second.identity, second.region], ['devkey', 'ann', 'eu']);
  keys.close();
});

test('keys come and go with the key file, while the focus runs', async () => {
  const file = join(folder, 'rotating.yaml');
  const write = (text: string) => writeFile(file, text, { mode: 0o600 });
  await write('old: old secret');
  await withFocus({ key_file: file, key_file_interval_ms: 100 }, async ({ focus }) => {
    const validate = async (key: string, secret: string) => {
      const authorization = `Bearer ${await accessToken({ key, secret, video: { roomList: true } })}`;
      const response = await fetch(`${focus.url}/v1/rooms`, { headers: { authorization } });
      return response.status;
    };
    assert.equal(await validate('old', 'old secret'), 200);
    assert.equal(await validate('new', 'new secret'), 401);
    await write('old: old secret\nnew: new secret');
    await eventually(async () => (await validate('new', 'new secret')) === 200);
    assert.equal(await validate('old', 'old secret'), 200);
    await write('new: new secret');
    await eventually(async () => (await validate('old', 'old secret')) === 401);
    assert.equal(await validate('devkey', 'secret'), 200);
  });
});

test('a key file that cannot be used later leaves the keys as they are, and is counted', async () => {
  const file = join(folder, 'broken.yaml');
  await writeFile(file, 'a: one', { mode: 0o600 });
  const registry = new Registry();
  const keys = await createTokenKeySource({ config: { ...settings, key_file: file }, registry, log });
  const refused = async () => Number(/reads_total\{result="refused"\} (\d+)/.exec(await registry.metrics())?.[1] ?? 0);
  await writeFile(file, '- not keys');
  await eventually(async () => (await refused()) > 0);
  assert.equal(keys.secret('a'), 'one');
  await rm(file);
  const before = await refused();
  await eventually(async () => (await refused()) > before + 1);
  assert.equal(keys.secret('a'), 'one');
  await writeFile(file, 'a: two', { mode: 0o600 });
  await eventually(() => keys.secret('a') === 'two');
  keys.close();
});

test('a key file that is not there, or that everybody may read, keeps the focus from starting', async () => {
  await assert.rejects(
    open({ key_file: join(folder, 'none.yaml') }),
    /^Error: key_file .*none.yaml cannot be used: ENOENT/,
  );
  const file = join(folder, 'public.yaml');
  await writeFile(file, 'a: one');
  await chmod(file, 0o644);
  await assert.rejects(open({ key_file: file }), /chmod o-rwx/);
});
