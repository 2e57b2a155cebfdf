/**
 * Bytes from the network that do not follow their format. Thrown by decoders only; whoever reads from a socket
 * catches it, drops the datagram and counts `reason`. It carries no stack: hostile input must be cheap to refuse.
 */
export class DecodeError extends Error {
  /** Short, stable and free of the input's content: it is used as a metric label. */
  readonly reason: string;

  constructor(reason: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(reason);
    Error.stackTraceLimit = limit;
    this.name = 'DecodeError';
    this.reason = reason;
  }
}
