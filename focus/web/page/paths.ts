/** The round trips to everybody, as the focus puts them together from what the bridges measure. */
import type { Access } from './access.ts';
import type { RoundTrip } from './tile.ts';

/** By identity. */
export type Paths = ReadonlyMap<string, RoundTrip>;

export interface PathsPoll {
  close(): void;
}

/** Bridges report every 2 s: asking more often shows nothing new. */
const INTERVAL_MS = 2_000;

/** Asks now and then every 2 s. An answer that does not come leaves the page as it is: the meeting goes on without figures. */
export function pollPaths(access: Access, token: () => string, show: (paths: Paths) => void): PathsPoll {
  const closed = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function round(): Promise<void> {
    try {
      const response = await fetch(`${access.httpUrl}/v1/rooms/${encodeURIComponent(access.room)}/paths`, {
        headers: { authorization: `Bearer ${token()}` },
        signal: AbortSignal.any([closed.signal, AbortSignal.timeout(INTERVAL_MS)]),
      });
      if (response.ok) show(readPaths(await response.json()));
    } catch {
      // Away for a moment, or closed: the next round knows.
    }
    if (!closed.signal.aborted) timer = setTimeout(() => void round(), INTERVAL_MS);
  }

  void round();
  return {
    close() {
      closed.abort();
      clearTimeout(timer);
    },
  };
}

/** The answer `{ participants: [{ identity, rttMs: { own, link, theirs, total } }] }`. What is not as expected is left out. */
export function readPaths(answer: unknown): Paths {
  const paths = new Map<string, RoundTrip>();
  const participants = isMapping(answer) && Array.isArray(answer['participants']) ? answer['participants'] : [];
  for (const participant of participants) {
    if (!isMapping(participant) || typeof participant['identity'] !== 'string') continue;
    const rttMs = participant['rttMs'];
    if (!isMapping(rttMs)) continue;
    const hop = (name: string) => (typeof rttMs[name] === 'number' ? rttMs[name] : null);
    paths.set(participant['identity'], {
      own: hop('own'),
      link: hop('link'),
      theirs: hop('theirs'),
      total: hop('total'),
    });
  }
  return paths;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
