import http, { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AddressList } from '../../protocol/address-list.ts';
import { clientAddress, plainAddress } from '../../protocol/client-address.ts';
import type { GeoProxyConfig } from '../config.ts';
import type { Location } from '../location.ts';
import { splitRegionPrefix } from '../path-prefix.ts';
import { PRIVATE_ADDRESSES } from '../private-addresses.ts';
import { chooseRegion, type RegionChoice, type ServedRegion } from '../region-choice.ts';
import { type PassingOn, passOn } from './pass-on.ts';
import { answerJson, refuse } from './refuse.ts';

/** URLs of `/rtc/v1` carry a compressed join request with an SDP offer: more than node's 16 kB for a client with many tracks. */
const HEADER_BYTES_MAX = 65_536;

export interface ProxyContext {
  readonly config: GeoProxyConfig;
  readonly regions: readonly ServedRegion[];
  readonly defaultRegion: string;
  readonly trustedProxies: AddressList;
  readonly lookup: (address: string) => Location | undefined;
  readonly passing: PassingOn;
}

/** The server of one bind address, not listening yet. */
export function createProxyServer(context: ProxyContext): http.Server {
  const options = {
    maxHeaderSize: HEADER_BYTES_MAX,
    // Anything else that asks for an upgrade (curl's h2c) is an ordinary request.
    shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket',
  };
  const server = http.createServer(options, (request, response) => void handle(context, request, response, undefined));
  server.maxConnections = context.config.limits.connections;
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // A refused upgrade is answered like any request, and then the connection is done with.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    socket.on('error', () => socket.destroy());
    void handle(context, request, response, head);
  });
  return server;
}

async function handle(
  context: ProxyContext,
  request: IncomingMessage,
  response: ServerResponse,
  head: Buffer | undefined,
): Promise<void> {
  const { config, passing } = context;
  const { metrics } = passing;
  const target = request.url ?? '/';
  if (!/^\/[\x21-\x7e]*$/.test(target)) {
    return refuse(response, { code: 'bad-request', message: 'the request target is not a path in ASCII' }, metrics);
  }
  const prefixed = splitRegionPrefix(target);
  if (prefixed !== undefined && !config.development) {
    const message = 'the path prefix /region/NAME is for development; here the region follows from the address';
    return refuse(response, { code: 'prefix-refused', message }, metrics);
  }
  const names = context.regions.map(region => region.name);
  if (prefixed !== undefined && !names.includes(prefixed.region)) {
    return refuse(
      response,
      { code: 'unknown-region', message: `no such region; allowed: ${names.join(', ')}` },
      metrics,
    );
  }
  const path = prefixed?.path ?? target;
  const peer = plainAddress(request.socket.remoteAddress ?? '');
  const isPeerTrusted = context.trustedProxies.includes(peer);
  const forwardedFor = request.headers['x-forwarded-for']?.toString();
  const isTrusted = (address: string) => context.trustedProxies.includes(address);
  const address = clientAddress(peer, forwardedFor, isTrusted);
  const isPrivateAddress = PRIVATE_ADDRESSES.includes(address);
  const location = isPrivateAddress ? undefined : context.lookup(address);
  const question = { prefixRegion: prefixed?.region, isPrivateAddress, location };
  const choice = chooseRegion(question, context.regions, context.defaultRegion);
  switch (head === undefined ? path.split('?', 1)[0] : undefined) {
    case '/healthz':
      return answerJson(response, 200, { status: 'ok' });
    case '/metrics':
      return answerMetrics(context, response, isPrivateAddress && forwardedFor === undefined);
    case '/region':
      return answerJson(response, 200, explain(context, address, location, choice));
    default:
      await passOn({ request, response, path, peer, isPeerTrusted, choice, head }, passing);
  }
}

/** Only for a scraper that reaches us directly from a private address: this is the public port. */
async function answerMetrics(context: ProxyContext, response: ServerResponse, isLocal: boolean): Promise<void> {
  const { metrics } = context.passing;
  if (!isLocal) {
    const message = 'metrics are for private addresses that no proxy stands before';
    return refuse(response, { code: 'metrics-private', message }, metrics);
  }
  const text = await metrics.registry.metrics();
  response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text);
}

function explain(context: ProxyContext, address: string, location: Location | undefined, choice: RegionChoice) {
  const { health, now } = context.passing;
  return {
    address,
    region: choice.region,
    source: choice.rule,
    explanation: choice.explanation,
    country: location?.country ?? null,
    coordinates: location === undefined ? null : { ...location.point, precision: location.precision },
    ranking: choice.ranking.map(entry => ({ ...entry, healthy: health.isHealthy(now(), entry.focus) })),
    development: context.config.development,
  };
}
