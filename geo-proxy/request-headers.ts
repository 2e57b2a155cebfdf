/**
 * The headers a focus sees. Tokens, cookies, WebSocket keys and whatever else pass as they came; what says who the client is, and where, is
 * written by us alone.
 */

/** Names in lower case, as node:http gives them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface ClientFacts {
  readonly region: string;
  readonly regionHeader: string;
  /** The other end of the connection. */
  readonly peer: string;
  /** True when `peer` is one of our own proxies, whose X-Forwarded-* are believed and continued. */
  readonly isPeerTrusted: boolean;
  readonly isUpgrade: boolean;
}

/** Those of one hop (RFC 9110 section 7.6.1), and Forwarded (RFC 7239), which nobody here reads and anybody can forge. */
const NOT_PASSED_ON = new Set([
  'connection',
  'forwarded',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A new object; the request's own headers stay as they are. */
export function requestHeaders(received: Headers, facts: ClientFacts): Record<string, string | string[]> {
  const headers = withoutHopByHop(received);
  const chain = facts.isPeerTrusted ? joined(received['x-forwarded-for']) : undefined;
  headers['x-forwarded-for'] = chain === undefined ? facts.peer : `${chain}, ${facts.peer}`;
  const proto = facts.isPeerTrusted ? joined(received['x-forwarded-proto']) : undefined;
  headers['x-forwarded-proto'] = proto ?? 'http';
  const host = facts.isPeerTrusted ? joined(received['x-forwarded-host']) : undefined;
  headers['x-forwarded-host'] = host ?? joined(received['host']) ?? '';
  headers[facts.regionHeader] = facts.region;
  if (facts.isUpgrade) {
    headers['connection'] = 'Upgrade';
    headers['upgrade'] = 'websocket';
  } else if (received['transfer-encoding'] !== undefined) {
    // A body of unknown length stays one: without this node would frame it by what it guesses.
    headers['transfer-encoding'] = 'chunked';
  }
  return headers;
}

/** Headers of an answer without those of its hop: the connection to the client is framed anew. */
export function withoutHopByHop(received: Headers): Record<string, string | string[]> {
  const named = (joined(received['connection']) ?? '').split(',').map(name => name.trim().toLowerCase());
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(received)) {
    if (value !== undefined && !NOT_PASSED_ON.has(name) && !named.includes(name)) headers[name] = value;
  }
  return headers;
}

function joined(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value.join(', ') : value;
  return text === '' ? undefined : text;
}
