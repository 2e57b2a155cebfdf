import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, test } from 'node:test';
import type { GeneratorHandler, GeneratorSocket } from './generator-socket.ts';
import { PortableSockets } from './portable-sockets.ts';

interface Arrival {
  readonly bytes: string;
  readonly endpoint: number;
  readonly receivedUs: number;
}

const OPENERS: Record<string, (handler: GeneratorHandler) => Promise<GeneratorSocket>> = {
  portable: async handler => new PortableSockets(handler),
  ...(process.platform === 'linux' && {
    batched: async (handler: GeneratorHandler) => new (await import('./batched-socket.ts')).BatchedSocket(handler),
  }),
};

for (const [name, open] of Object.entries(OPENERS)) {
  test(`${name}: a bridge sees every endpoint at its own address, and each hears what is for it`, async () => {
    const bridge = await openBridge();
    const arrivals: Arrival[] = [];
    let arrived: (() => void) | undefined;
    const socket = await open((bytes, offset, length, endpoint, receivedUs) => {
      arrivals.push({ bytes: bytes.toString('latin1', offset, offset + length), endpoint, receivedUs });
      arrived?.();
    });
    after(async () => {
      bridge.close();
      await socket.close();
    });
    for (const endpoint of [0, 1, 300]) await socket.open(endpoint);
    socket.alignClocks();
    const { port } = bridge.address();
    for (const endpoint of [0, 1, 300]) {
      const offset = socket.reserve();
      const length = socket.outgoing.write(`from ${endpoint}`, offset);
      const asked = once(bridge, 'message');
      socket.send(endpoint, port, offset, length);
      socket.flush();
      const [bytes, { address, port: from }] = await asked;
      assert.equal(bytes.toString(), `from ${endpoint}`);
      assert.deepEqual({ address, port: from }, socket.addressOf(endpoint));

      const { promise, resolve } = Promise.withResolvers<void>();
      arrived = resolve;
      const sentUs = socket.nowUs();
      bridge.send(`to ${endpoint}`, from, address);
      await promise;
      const { receivedUs, ...arrival } = arrivals.at(-1)!;
      assert.deepEqual(arrival, { bytes: `to ${endpoint}`, endpoint });
      assert.ok(receivedUs > sentUs - CLOCKS_AGREE_US && receivedUs <= socket.nowUs() + CLOCKS_AGREE_US);
    }
    assert.equal(socket.sent, 3);
    assert.equal(socket.received, 3);
  });
}

/** Two clocks are read one after the other. */
const CLOCKS_AGREE_US = 500;

async function openBridge(): Promise<Socket> {
  const bridge = createSocket('udp4');
  bridge.bind(0, '127.0.0.1');
  await once(bridge, 'listening');
  return bridge;
}
