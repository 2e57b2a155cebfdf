/** prom-client's metrics for numbers that are kept elsewhere: nothing is counted twice, all is read when somebody scrapes. */
import { Counter, Gauge, type Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

/** Reads all series of one metric: calls `put` once for each. */
export type ReadSeries = (put: (labels: Labels, value: number) => void) => void;

/** Declares metrics on one registry, each name behind one prefix. */
export class MetricFamilies {
  readonly #registry: Registry;
  readonly #prefix: string;

  constructor(registry: Registry, prefix: string) {
    this.#registry = registry;
    this.#prefix = prefix;
  }

  /** A level: it goes up and down. */
  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, [], put => put({}, read()));
  }

  /** The same for several series; one that `read` leaves out is gone. */
  gauges(name: string, help: string, labelNames: string[], read: ReadSeries): void {
    new Gauge({
      name: `${this.#prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, value) => this.set(labels, value));
      },
    });
  }

  /** A total that only grows, or starts again at 0. `name` comes without its `_total`. */
  counter(name: string, help: string, read: () => number): void {
    this.counters(name, help, [], put => put({}, read()));
  }

  /** The same for several series; one that `read` leaves out is gone. */
  counters(name: string, help: string, labelNames: string[], read: ReadSeries): void {
    new Counter({
      name: `${this.#prefix}${name}_total`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, value) => this.inc(labels, value));
      },
    });
  }
}
