/** How the page gets into a room: a token, and where to go with it. */

export interface Access {
  readonly token: string;
  /** What livekit-client connects to. */
  readonly serverUrl: string;
  /** The same place for HTTP requests: no slash at the end. */
  readonly httpUrl: string;
  readonly room: string;
  readonly name: string;
}

/** What geo-proxy answers at `/region`, as far as the page needs it. */
export interface RegionAnswer {
  readonly region: string;
  readonly explanation: string;
  readonly regions: readonly string[];
}

/** A token of development mode. Throws an Error whose message is fit to be shown. */
export async function requestAccess(room: string, name: string, region: string): Promise<Access> {
  const response = await fetch('/v1/dev/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ room, name }),
  }).catch(() => {
    throw new Error('The server cannot be reached. Is it still running?');
  });
  if (!response.ok) throw new Error(`The server gave no token (${response.status} ${response.statusText}).`);
  const { token } = (await response.json()) as { token: string };
  return { token, room, name, ...urlsOf(region) };
}

/** Access with a token that somebody handed out. Throws an Error fit to be shown when it is no such token, or too old. */
export function accessFromToken(token: string, region: string): Access {
  const { room, name } = readToken(token);
  return { token, room, name, ...urlsOf(region) };
}

/** Room and name in a token. Its signature is the server's to check; here a broken paste is told apart from a good one. */
export function readToken(token: string): { room: string; name: string } {
  let claims: { name?: unknown; sub?: unknown; exp?: unknown; video?: { room?: unknown; roomJoin?: unknown } };
  try {
    const payload = token.trim().split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), byte => byte.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error('This is not an access token. It has three parts with dots between them, without spaces.');
  }
  if (typeof claims.exp === 'number' && claims.exp * 1000 < Date.now()) {
    throw new Error('This token has expired. Ask for a new one.');
  }
  if (typeof claims.video?.room !== 'string' || claims.video.roomJoin !== true) {
    throw new Error('This token does not let anybody into a room.');
  }
  const name = [claims.name, claims.sub].find(value => typeof value === 'string' && value !== '');
  return { room: claims.video.room, name: typeof name === 'string' ? name : 'you' };
}

/** Undefined when there is no geo-proxy in front: then there is no choice of regions either. */
export async function askRegion(): Promise<RegionAnswer | undefined> {
  try {
    const response = await fetch('/region');
    if (!response.ok) return undefined;
    const answer = (await response.json()) as { region: string; explanation: string; ranking: { region: string }[] };
    const regions = answer.ranking.map(entry => entry.region);
    return { region: answer.region, explanation: answer.explanation, regions };
  } catch {
    return undefined;
  }
}

/** In development a path prefix stands in for geography; geo-proxy takes it off again. */
function urlsOf(region: string): { serverUrl: string; httpUrl: string } {
  const httpUrl = `${location.origin}${region === '' ? '' : `/region/${encodeURIComponent(region)}`}`;
  return { httpUrl, serverUrl: httpUrl.replace(/^http/, 'ws') };
}
