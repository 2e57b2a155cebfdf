import type { PortOptions } from './datagram-port.ts';

/** Asked of the kernel, each way: a second of 30 Mbit/s, so that a pause of the event loop loses nothing. Linux gives what net.core.{r,w}mem_max allows. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** One line for who granted less, with what to set. Linux reports twice what it granted, and counts its own overhead against it. */
export function warnOfSmallBuffers(receiveBytes: number, sendBytes: number, log: PortOptions<unknown>['log']): void {
  const small: string[] = [];
  if (receiveBytes < SOCKET_BUFFER_BYTES) small.push(`net.core.rmem_max=${SOCKET_BUFFER_BYTES}`);
  if (sendBytes < SOCKET_BUFFER_BYTES) small.push(`net.core.wmem_max=${SOCKET_BUFFER_BYTES}`);
  if (small.length === 0) return;
  log?.warn(
    { wantedBytes: SOCKET_BUFFER_BYTES, receiveBytes, sendBytes },
    `small socket buffers lose packets in bursts: sysctl -w ${small.join(' ')}`,
  );
}
