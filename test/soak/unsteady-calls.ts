/** System calls that fail now and then, as a busy or broken network makes them: buffers of loopback never fill, and nobody refuses there. */
import type { PortCalls } from '../../bridge/io/fast-port.ts';
import type { Chance } from './chance.ts';

const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;
const ECONNREFUSED = 111;

/** The first that applies. EAGAIN blocks until the socket is writable, the last two lose a message. */
const SEND_FAILURES: readonly [number, number][] = [
  [EAGAIN, 0.004],
  [EINTR, 0.002],
  [ENOBUFS, 0.001],
  [ECONNREFUSED, 0.001],
];
const RECEIVE_FAILURES: readonly [number, number][] = [
  [EAGAIN, 0.002],
  [EINTR, 0.001],
  [ECONNREFUSED, 0.001],
];

export function unsteadyCalls(chance: Chance): PortCalls {
  return {
    send: (batch, socket, first) => -failure(chance, SEND_FAILURES) || batch.send(socket, first),
    receive: (batch, socket) => -failure(chance, RECEIVE_FAILURES) || batch.receive(socket),
  };
}

function failure(chance: Chance, failures: readonly [number, number][]): number {
  for (const [errno, probability] of failures) if (chance.is(probability)) return errno;
  return 0;
}
