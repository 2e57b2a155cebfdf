import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems give out by themselves (32768 and up on Linux): what other tests have open is not in the way. */
const [BASE_MIN, BASE_MAX] = [20_000, 31_000];

/** For tests: a base from which `count` ports are free, for TCP and for UDP. */
export async function freeBase(count: number): Promise<number> {
  const span = BASE_MAX - BASE_MIN;
  for (let tried = 0; tried < span; tried += count) {
    const base = BASE_MIN + ((process.pid * 41 + tried) % span);
    const ports = Array.from({ length: count }, (_, index) => base + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error(`no ${count} ports in a row are free from ${BASE_MIN} to ${BASE_MAX}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const socket = createSocket('udp4');
  try {
    await Promise.all([
      once(server.listen(port, '127.0.0.1'), 'listening'),
      once(socket.bind(port, '0.0.0.0'), 'listening'),
    ]);
    return true;
  } catch {
    return false;
  } finally {
    server.close();
    socket.close();
  }
}
