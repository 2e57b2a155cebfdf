/** What the page starts from: its URL, what the server wrote into it, and what was typed last time. */

export interface Settings {
  /** Served by a focus in development mode: tokens are free, and a region can be picked. */
  readonly isDevelopment: boolean;
  /** Region names the focus knows. */
  readonly regions: readonly string[];
  readonly name: string;
  readonly room: string;
  /** Empty: what the client's address says. */
  readonly region: string;
  readonly token: string;
  readonly wantsCamera: boolean;
  readonly wantsMicrophone: boolean;
  /** `join=1`: into the room without stopping in the lobby. */
  readonly joinsAtOnce: boolean;
}

const NAME_KEY = 'causeway.name';
const ROOM_KEY = 'causeway.room';
const TOKEN_KEY = 'causeway.token';

/** `?room=…&name=…&region=…&token=…&join=1&camera=0&microphone=0`; what is missing comes from the last visit. */
export function readSettings(): Settings {
  const query = new URLSearchParams(location.search);
  const page = document.documentElement.dataset;
  return {
    isDevelopment: page['development'] === 'true',
    regions: (page['regions'] ?? '').split(' ').filter(name => name !== ''),
    name: query.get('name') ?? recall(NAME_KEY),
    room: query.get('room') ?? recall(ROOM_KEY),
    region: query.get('region') ?? '',
    token: takeToken(query),
    wantsCamera: query.get('camera') !== '0',
    wantsMicrophone: query.get('microphone') !== '0',
    joinsAtOnce: query.get('join') === '1',
  };
}

/** A token does not stay in the address bar, where a shared screen shows it. A reload of this tab still has it. */
function takeToken(query: URLSearchParams): string {
  const token = query.get('token');
  try {
    if (token === null) return sessionStorage.getItem(TOKEN_KEY) ?? '';
    sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // Storage may be switched off; then a reload needs the link again.
  }
  query.delete('token');
  history.replaceState(null, '', `${location.pathname}${query.size > 0 ? `?${query}` : ''}`);
  return token ?? '';
}

/** Keeps name and room for the next visit. Never the token. */
export function rememberSettings(name: string, room: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
    localStorage.setItem(ROOM_KEY, room);
  } catch {
    // Storage may be switched off; then they are typed again.
  }
}

function recall(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}
