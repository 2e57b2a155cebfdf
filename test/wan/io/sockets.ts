/** The sockets of a proxy, and the addresses that they have and send to. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

export interface Address {
  /** An IP address: nothing is resolved. */
  readonly host: string;
  readonly port: number;
}

/** A burst must not be lost here before the model has seen it. The kernel may give less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** All of one family, and such as a socket can be bound to. Throws RangeError. */
export function checkAddresses(...addresses: readonly Address[]): void {
  for (const { host, port } of addresses) {
    if (isIP(host) === 0) throw new RangeError(`${host} is not an IP address; allowed: one like 127.0.0.1 or ::1`);
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
      throw new RangeError(`port ${port} of ${host}; allowed: a whole number from 0 to 65535`);
    }
    if (isIP(host) !== isIP(addresses[0].host)) {
      throw new RangeError(`${host} and ${addresses[0].host} are on one path; allowed: all IPv4 or all IPv6`);
    }
  }
}

/** One that can be sent to. Throws RangeError. */
export function checkTarget({ host, port }: Address): void {
  if (port === 0) throw new RangeError(`port 0 of ${host}, which is sent to; allowed: a whole number from 1 to 65535`);
}

/** Hosts are addresses: the name service is left out, and with it a turn of the event loop per datagram. */
export function openSocket({ host }: Address): Socket {
  const family = isIP(host) as 4 | 6;
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    lookup: (name, _options, callback) => callback(null, name, family),
  });
}

export async function bind(socket: Socket, { host, port }: Address): Promise<void> {
  // Addresses are resolved at once, so that it may be bound before bind() returns.
  const listening = once(socket, 'listening');
  socket.bind({ address: host, port, exclusive: true });
  await listening;
}

export async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  try {
    socket.close();
    await closed;
  } catch {
    // It never opened.
  }
}

export function addressOf(socket: Socket): Address {
  const { address, port } = socket.address();
  return { host: address, port };
}

export function keyOf({ host, port }: Address): string {
  return `${host} ${port}`;
}
