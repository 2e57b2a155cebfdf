/**
 * What stands before several focuses, as an operator's load balancer does: asks each how it is, and gives every connection to one that can take it.
 * One port for each region and each favourite, so that a test says where a client comes from and which focus it meets first.
 */
import { TcpPath } from './tcp-path.ts';

/** How often each focus is asked, and how long it may take to answer. */
const PROBE_INTERVAL_MS = 200;
const PROBE_MS_MAX = 1_000;

/** Best first: a focus that is alive and not ready (the store is away) is better than none; so is one of which nothing is known yet. */
type Health = 'ready' | 'alive' | 'dead';
const ORDER: readonly Health[] = ['ready', 'alive'];

export class LoadBalancer {
  readonly #ports: readonly number[];
  readonly #health: Health[];
  readonly #paths = new Map<string, TcpPath>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  /** `ports` of the focuses on loopback. */
  constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#health = ports.map(() => 'alive');
    this.#timer = setInterval(() => ports.forEach((port, index) => void this.#probe(port, index)), PROBE_INTERVAL_MS);
  }

  /** Where a client of `region` connects to; the focus at place `favourite` comes first while it can take anybody. */
  async url(region: string, favourite: number): Promise<string> {
    const key = `${region}/${favourite}`;
    const path =
      this.#paths.get(key) ??
      (await TcpPath.open({ targets: () => this.#targets(favourite), header: `x-region: ${region}` }));
    this.#paths.set(key, path);
    return `ws://${path.address}`;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const path of this.#paths.values()) path.close();
  }

  #targets(favourite: number): number[] {
    const places = this.#ports.map((_, index) => (favourite + index) % this.#ports.length);
    return ORDER.flatMap(health => places.filter(place => this.#health[place] === health)).map(
      place => this.#ports[place]!,
    );
  }

  async #probe(port: number, index: number): Promise<void> {
    const health = await healthOf(`http://127.0.0.1:${port}`);
    if (!this.#isClosed) this.#health[index] = health;
  }
}

async function healthOf(url: string): Promise<Health> {
  try {
    const signal = AbortSignal.timeout(PROBE_MS_MAX);
    const [alive, ready] = await Promise.all([
      fetch(`${url}/healthz`, { signal }),
      // Readiness asks the store, which may take as long as this probe.
      fetch(`${url}/readyz`, { signal }).then(
        answer => answer.ok,
        () => false,
      ),
    ]);
    await alive.body?.cancel();
    return alive.ok ? (ready ? 'ready' : 'alive') : 'dead';
  } catch {
    return 'dead';
  }
}
