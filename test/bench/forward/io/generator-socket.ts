/**
 * The sockets of all endpoints that a load generator plays, as one. Two implementations: `batched` (Linux: one wildcard socket, every endpoint another
 * 127.x.y.z of it, recvmmsg and sendmmsg) and `portable` (node:dgram, a socket per endpoint).
 */

import type { SessionFactory } from '../generator-endpoint.ts';

/** Room of one outgoing datagram. */
export const OUTGOING_BYTES = 2048;

/**
 * Called for each datagram. `bytes[offset, offset + length)` is valid until the call returns, and may be changed. `endpoint` is the one it was for, `receivedUs`
 * the time on the clock of {@link GeneratorSocket.nowUs} at which it was there.
 */
export type GeneratorHandler = (
  bytes: Buffer,
  offset: number,
  length: number,
  endpoint: number,
  receivedUs: number,
) => void;

export interface GeneratorSocket {
  /** For the report. */
  readonly kind: 'batched' | 'portable';
  /** Whether `receivedUs` is the kernel's time of arrival, or that of the generator's reading. */
  readonly clock: 'kernel' | 'generator';
  /** SRTP that goes with it. */
  readonly createSession: SessionFactory;
  /** Datagrams whose buffer the kernel could not keep are not seen here: the sequence numbers tell. */
  received: number;
  sent: number;
  /** Datagrams that the kernel did not take. */
  refused: number;
  /** Where one datagram at a time is written, from {@link reserve}'s offset on. */
  readonly outgoing: Buffer;
  /** Compares {@link nowUs} with the clock that datagrams are stamped by: before each load, for clocks drift. */
  alignClocks(): void;
  /** Whole µs of a clock that never goes back. */
  nowUs(): number;
  /** Makes endpoint `index` (0 to 65,535) ready to send and receive. */
  open(index: number): Promise<void>;
  /** Address and port of endpoint `index`, which is open. */
  addressOf(index: number): { readonly address: string; readonly port: number };
  /** Offset of {@link OUTGOING_BYTES} in {@link outgoing} for the next datagram. */
  reserve(): number;
  /** Queues what was written at `offset`, from endpoint `index` to 127.0.0.1:`port`. */
  send(index: number, port: number, offset: number, length: number): void;
  /** Sends what is queued. Runs by itself when the queue is full. */
  flush(): void;
  close(): Promise<void>;
}
