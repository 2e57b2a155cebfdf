import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Asset, loadAssets } from './assets.ts';
import { registerDevelopmentToken } from './dev-token.ts';

export interface WebOptions {
  /** Offers the region picker and `POST /v1/dev/token`. */
  readonly development: boolean;
  /** Names for the region picker; what geo-proxy knows goes before it. */
  readonly regions: readonly string[];
  /** API key to secret: the first one signs development tokens. Not used otherwise. */
  readonly keys: Readonly<Record<string, string>>;
}

/**
 * Serves the meeting page at `/`, its modules under `/app/`, livekit-client under `/vendor/`. Everything is read, stripped of types and
 * compressed once, here; a request never touches the file system, so no path can leave the folder.
 */
export async function registerWeb(app: FastifyInstance, options: WebOptions): Promise<void> {
  const { assets, contentSecurityPolicy } = await loadAssets(options);
  for (const [url, asset] of assets) {
    app.get(url, { schema: { hide: true } }, (request, reply) => answer(request, reply, asset, contentSecurityPolicy));
  }
  if (options.development) registerDevelopmentToken(app, options.keys);
}

function answer(request: FastifyRequest, reply: FastifyReply, asset: Asset, contentSecurityPolicy: string) {
  reply.headers({
    etag: asset.etag,
    'cache-control': asset.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  if (asset.type.startsWith('text/html')) {
    reply.headers({
      'content-security-policy': contentSecurityPolicy,
      'permissions-policy': 'camera=(self), microphone=(self), display-capture=(self)',
      'cross-origin-opener-policy': 'same-origin',
    });
  }
  if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
  reply.type(asset.type);
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(asset.body);
  return reply.header('content-encoding', 'gzip').send(asset.gzip);
}
