/** For tests: loopback sockets of both kinds, and what it takes to send and receive with batches. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { NativeMemory } from './native-memory.ts';
import { NativeSocket, type SocketOption } from './native-socket.ts';
import { ReceiveBatch } from './receive-batch.ts';
import { NAME_BYTES, nameBytes, writeName } from './socket-name.ts';

export interface Cleanup {
  after(end: () => unknown): void;
}

export const LOOPBACK = '127.0.0.1';
export const IPV4_NAME_BYTES = nameBytes('IPv4');

/** A native socket on loopback, closed when the test ends. */
export function openNative(context: Cleanup, options: Partial<Record<SocketOption, number>> = {}): NativeSocket {
  const socket = NativeSocket.open(LOOPBACK, 0);
  context.after(() => socket.close());
  for (const [option, value] of Object.entries(options)) socket.setOption(option as SocketOption, value);
  return socket;
}

/** A plain socket on loopback, and the datagrams it has heard. */
export async function openPlain(context: Cleanup): Promise<{ socket: Socket; port: number; heard: Buffer[] }> {
  const socket = createSocket('udp4');
  const heard: Buffer[] = [];
  socket.on('message', bytes => heard.push(bytes));
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  context.after(() => socket.close());
  return { socket, port: socket.address().port, heard };
}

/** Names of loopback ports, one after the other. */
export function namesOf(...ports: number[]): NativeMemory {
  const names = new NativeMemory(ports.length * NAME_BYTES);
  for (const [index, port] of ports.entries())
    writeName(names.words, (index * NAME_BYTES) / 4, { address: LOOPBACK, port, family: 'IPv4' });
  return names;
}

/** Native memory with these bytes. */
export function memoryOf(bytes: string | Uint8Array): NativeMemory {
  const content = Buffer.from(bytes as string);
  const memory = new NativeMemory(Math.max(1, content.length));
  memory.bytes.set(content);
  return memory;
}

export function receiver(messages: number, bufferBytes: number, controlBytes = 0): ReceiveBatch {
  return new ReceiveBatch({ messages, memory: new NativeMemory(messages * bufferBytes), bufferBytes, controlBytes });
}

/** Receives once something is there. */
export async function receiveSome(batch: ReceiveBatch, socket: NativeSocket): Promise<number> {
  for (;;) {
    const received = batch.receive(socket);
    if (received > 0) return received;
    await nextTurn();
  }
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** The bytes of a received message. */
export function contentOf(batch: ReceiveBatch, message: number): Buffer {
  const start = message * batch.bufferBytes;
  return Buffer.from(batch.memory.bytes.subarray(start, start + batch.lengthOf(message)));
}
