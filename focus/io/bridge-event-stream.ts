/** Follows the event stream of one bridge, and opens it again whenever it ends. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { DecodeError } from '../../protocol/errors.ts';
import { readBridgeEvent } from '../conference/read-bridge-event.ts';

export interface BridgeEventStreamOptions {
  readonly open: () => Promise<IncomingMessage>;
  readonly onEvent: (event: BridgeEvent) => void;
  /** A line was not understood and left out. */
  readonly onMalformed: (reason: string) => void;
  readonly onOpen: () => void;
  /** It has ended, or could not be opened; it is tried again. */
  readonly onClosed: () => void;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
}

export interface BridgeEventStream {
  /** Has the bridge say again how everything stands: it does so when a stream begins. It is not told as closed meanwhile. */
  reopen(): void;
  close(): void;
}

/** Of one line, in characters: a quality report of a thousand endpoints has a fifth of that. */
const LINE_CHARACTERS_MAX = 1 << 20;

export function followBridgeEvents(options: BridgeEventStreamOptions): BridgeEventStream {
  const closing = new AbortController();
  let current: IncomingMessage | undefined;
  let isReopening = false;

  async function run(): Promise<void> {
    let delayMs = options.retryDelayMsMin;
    while (!closing.signal.aborted) {
      current = await options.open().catch(() => undefined);
      if (current !== undefined) {
        delayMs = options.retryDelayMsMin;
        options.onOpen();
        await follow(readLines(current));
        current.destroy();
        current = undefined;
      }
      if (closing.signal.aborted) return;
      if (isReopening) {
        isReopening = false;
        continue;
      }
      options.onClosed();
      await delay(delayMs, undefined, { signal: closing.signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, options.retryDelayMsMax);
    }
  }

  /** Until the stream ends, however it does. What a handler throws is a bug of ours and is not caught. */
  async function follow(lines: AsyncIterator<string>): Promise<void> {
    for (;;) {
      const next = await lines.next().catch(() => undefined);
      if (next === undefined || next.done === true) return;
      handleLine(next.value);
    }
  }

  function handleLine(line: string): void {
    if (closing.signal.aborted || line === '') return;
    try {
      options.onEvent(readBridgeEvent(line));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      options.onMalformed(error.reason);
    }
  }

  void run();
  return {
    reopen() {
      // One that is about to open begins with everything anyway.
      if (current === undefined) return;
      isReopening = true;
      current.destroy();
    },
    close() {
      closing.abort();
      current?.destroy();
    },
  };
}

/** Throws when the stream breaks or a line is too long. */
async function* readLines(stream: IncomingMessage): AsyncGenerator<string, undefined> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARACTERS_MAX) throw new Error('a line of the event stream is too long');
    yield* lines;
  }
}
