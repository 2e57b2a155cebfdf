import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
/** Shorter than any scrape interval in use, so that each bridge of this process sees every window. */
const WINDOW_MS = 5_000;

/** How late the event loop ran its timers in the last window, in seconds. */
export interface EventLoopDelay {
  readonly medianSeconds: number;
  readonly p99Seconds: number;
  readonly maxSeconds: number;
}

type Monitor = ReturnType<typeof monitorEventLoopDelay>;

let monitor: Monitor | undefined;
const NOTHING: EventLoopDelay = { medianSeconds: 0, p99Seconds: 0, maxSeconds: 0 };

let windowStartedMs = 0;
let last: EventLoopDelay | undefined;

/** Starts measuring. There is one monitor per process, however many bridges read it; it keeps no process alive. */
export function watchEventLoop(): void {
  if (monitor !== undefined) return;
  monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  monitor.enable();
}

/** The delay in the last window of 5 s or more, up to now if that one is over; 0 before {@link watchEventLoop}. */
export function eventLoopDelay(): EventLoopDelay {
  if (monitor === undefined) return NOTHING;
  const nowMs = performance.now();
  if (last !== undefined && nowMs - windowStartedMs < WINDOW_MS) return last;
  last = {
    medianSeconds: lateness(monitor, monitor.percentile(50)),
    p99Seconds: lateness(monitor, monitor.percentile(99)),
    maxSeconds: lateness(monitor, monitor.max),
  };
  monitor.reset();
  windowStartedMs = nowMs;
  return last;
}

/** The monitor measures from one of its timers to the next, in ns: the timer's own period is no delay. An empty one has no numbers. */
function lateness({ count }: Monitor, nanoseconds: number): number {
  return count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
}
