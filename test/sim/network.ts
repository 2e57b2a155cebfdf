import { PathModel } from '../wan/path-model.ts';
import type { PathSettings } from '../wan/path-settings.ts';
import type { Agenda } from './agenda.ts';

/** IP and UDP around each datagram. */
const WIRE_OVERHEAD_BYTES = 28;

export interface NetworkHost {
  receive(from: number, bytes: Buffer): void;
}

/** Looks at a datagram as it leaves `from`, lost on its way or not. */
export type Tap = (from: number, to: number, bytes: Buffer) => void;

/** The internet between the bridges: one path model per directed pair. */
export class Network {
  datagrams = 0;
  tap: Tap = () => {};
  readonly hosts: NetworkHost[] = [];
  readonly #agenda: Agenda;
  readonly #paths: PathModel[][];

  constructor(agenda: Agenda, hosts: number, seedOf: () => number) {
    this.#agenda = agenda;
    this.#paths = Array.from({ length: hosts }, () => Array.from({ length: hosts }, () => new PathModel(seedOf())));
  }

  path(from: number, to: number): PathModel {
    return this.#paths[from][to];
  }

  /** Sets both directions. */
  change(a: number, b: number, settings: Partial<PathSettings>): void {
    this.#paths[a][b].change(settings);
    this.#paths[b][a].change(settings);
  }

  /** Takes a copy. */
  send(from: number, to: number, bytes: Buffer, offset: number, length: number): void {
    this.datagrams++;
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    this.tap(from, to, copy);
    const outcome = this.#paths[from][to].offer(this.#agenda.nowMs, length + WIRE_OVERHEAD_BYTES);
    if (outcome.kind === 'dropped') return;
    for (const atMs of outcome.leavesAtMs) this.#agenda.at(atMs, () => this.hosts[to].receive(from, copy));
  }
}
