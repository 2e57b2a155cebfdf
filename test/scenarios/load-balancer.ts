/**
 * What stands before several focuses, as an operator's load balancer does: asks each how it is, and gives every connection to one that can take it.
 * One port for each region and each favourite, so that a test says where a client comes from and which focus it meets first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { TcpPath } from './tcp-path.ts';

/** Pause between two questions to a focus, and how long it may take to answer. */
const PROBE_PAUSE_MS = 200;
const PROBE_MS_MAX = 1_000;
/** So many bad answers in a row count: one may be a busy machine. A good one counts at once. */
const FALL_AFTER = 2;

/** Best first: a focus that is alive and not ready (the store is away) is better than none. */
const ORDER = ['ready', 'alive', 'dead'] as const;
type Health = (typeof ORDER)[number];

interface Target {
  readonly port: number;
  health: Health;
  /** Answers in a row that were worse than `health`. */
  worse: number;
}

export class LoadBalancer {
  readonly #targets: readonly Target[];
  readonly #paths = new Map<string, TcpPath>();
  #isClosed = false;

  /** `ports` of the focuses on loopback, all of them taken for ready until they say otherwise. */
  constructor(ports: readonly number[]) {
    this.#targets = ports.map(port => ({ port, health: 'ready', worse: 0 }));
    for (const target of this.#targets) void this.#watch(target);
  }

  /** Where a client of `region` connects to; the focus at place `favourite` comes first while it can take anybody. */
  async url(region: string, favourite: number): Promise<string> {
    const key = `${region}/${favourite}`;
    const known = this.#paths.get(key);
    const targets = () => this.#portsFor(favourite);
    const path = known ?? (await TcpPath.open({ targets, header: regionHeader(region) }));
    this.#paths.set(key, path);
    return `ws://${path.address}`;
  }

  /** Whoever was told to come this way from `region` is seen in `to` from now on: they have gone there. */
  roam(region: string, favourite: number, to: string): void {
    this.#paths.get(`${region}/${favourite}`)!.header = regionHeader(to);
  }

  close(): void {
    this.#isClosed = true;
    for (const path of this.#paths.values()) path.close();
  }

  #portsFor(favourite: number): number[] {
    const count = this.#targets.length;
    const inTurn = this.#targets.map((_, index) => this.#targets[(favourite + index) % count]!);
    return ORDER.flatMap(health => inTurn.filter(target => target.health === health)).map(({ port }) => port);
  }

  async #watch(target: Target): Promise<void> {
    while (!this.#isClosed) {
      const health = await healthOf(`http://127.0.0.1:${target.port}`);
      const isWorse = ORDER.indexOf(health) > ORDER.indexOf(target.health);
      target.worse = isWorse ? target.worse + 1 : 0;
      if (!isWorse || target.worse >= FALL_AFTER) {
        target.health = health;
        // Whoever waits for a frozen focus would wait long: HAProxy's `on-marked-down shutdown-sessions`.
        if (health === 'dead') for (const path of this.#paths.values()) path.reset(target.port);
      }
      await delay(PROBE_PAUSE_MS, undefined, { ref: false });
    }
  }
}

function regionHeader(region: string): string {
  return `x-region: ${region}`;
}

async function healthOf(url: string): Promise<Health> {
  const [isAlive, isReady] = await Promise.all(['/healthz', '/readyz'].map(path => isWell(`${url}${path}`)));
  if (!isAlive) return 'dead';
  return isReady ? 'ready' : 'alive';
}

async function isWell(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
