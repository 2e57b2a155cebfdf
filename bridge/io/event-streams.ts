import type { ServerResponse } from 'node:http';
import type { BridgeEvent } from '../../protocol/control/events.ts';

/** A focus that does not read for this long's worth of events is cut off; it reconnects and is whole again. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;

/** The open event streams, one per listening focus. Each event is encoded once. */
export class EventStreams {
  readonly #streams = new Set<ServerResponse>();

  get size(): number {
    return this.#streams.size;
  }

  /** Starts a stream with the events that bring its focus up to date. */
  open(response: ServerResponse, opening: readonly BridgeEvent[]): void {
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    response.on('error', () => this.#streams.delete(response));
    response.write(opening.map(event => `${JSON.stringify(event)}\n`).join(''));
  }

  emit(event: BridgeEvent): void {
    if (this.#streams.size === 0) return;
    const line = `${JSON.stringify(event)}\n`;
    for (const response of this.#streams) {
      if (response.writableLength > BACKLOG_BYTES_MAX) response.destroy();
      else response.write(line);
    }
  }

  close(): void {
    for (const response of this.#streams) response.end();
    this.#streams.clear();
  }
}
