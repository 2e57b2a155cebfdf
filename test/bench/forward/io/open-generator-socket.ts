import type { GeneratorHandler, GeneratorSocket } from './generator-socket.ts';

/** Opens the better of the two that work here. */
export async function openGeneratorSocket(handler: GeneratorHandler): Promise<GeneratorSocket> {
  if (process.platform === 'linux') {
    try {
      const { BatchedSocket } = await import('./batched-socket.ts');
      return new BatchedSocket(handler);
    } catch (error) {
      process.stderr.write(`load generator: no batched socket, ${(error as Error).message}\n`);
    }
  }
  const { PortableSockets } = await import('./portable-sockets.ts');
  return new PortableSockets(handler);
}
