/** The files of the meeting page as they are served: modules without types, everything with its compressed form and its tag. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
  /** The URL changes with the content: browsers may keep it for good. */
  readonly isImmutable: boolean;
}

export interface Assets {
  readonly assets: ReadonlyMap<string, Asset>;
  readonly contentSecurityPolicy: string;
}

const SDK_URL = '/vendor/livekit-client.esm.mjs';
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  ts: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
};

/** Every URL of the page with what is behind it. Reads about 1.5 MB, most of it livekit-client. */
export async function loadAssets(page: { development: boolean; regions: readonly string[] }): Promise<Assets> {
  const assets = new Map<string, Asset>();
  for (const name of await files('page/', '.ts')) {
    // Types become spaces, so that lines and columns in the browser's console are those of the source.
    const source = stripTypeScriptTypes(await readFile(local(`page/${name}`), 'utf8'));
    assets.set(`/app/${name}`, await createAsset('ts', Buffer.from(source), false));
  }
  for (const name of await files('public/', '.css', '.svg')) {
    const extension = name.slice(name.lastIndexOf('.') + 1);
    assets.set(`/app/${name}`, await createAsset(extension, await readFile(local(`public/${name}`)), false));
  }
  const sdk = await createAsset('mjs', await readFile(sdkPath()), true);
  assets.set(SDK_URL, sdk);
  const html = (await readFile(local('public/index.html'), 'utf8'))
    .replace(SDK_URL, `${SDK_URL}?v=${sdk.etag.slice(1, -1)}`)
    .replace('{{development}}', String(page.development))
    .replace('{{regions}}', page.regions.join(' '));
  assets.set('/', await createAsset('html', Buffer.from(html), false));
  return { assets, contentSecurityPolicy: policy(html) };
}

/** Only our own scripts and styles run, nobody frames the page, and connections go back to where it came from. */
function policy(html: string): string {
  // Import maps can only stand in the page itself, where a script needs its hash.
  const importMap = /<script type="importmap">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
  const importMapHash = createHash('sha256').update(importMap).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${importMapHash}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "media-src 'self' blob: mediastream:",
    // Not every browser counts WebSockets of the same origin as 'self'.
    "connect-src 'self' ws: wss:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function createAsset(extension: string, body: Buffer, isImmutable: boolean): Promise<Asset> {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[extension]!, body, gzip: await promisify(gzip)(body), etag, isImmutable };
}

async function files(folder: string, ...endings: string[]): Promise<string[]> {
  const names = await readdir(local(folder));
  return names.filter(name => endings.some(ending => name.endsWith(ending)) && !name.endsWith('.test.ts'));
}

function local(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** The build for browsers that npm installed, in one file without imports. */
function sdkPath(): string {
  return fileURLToPath(import.meta.resolve('livekit-client'));
}
