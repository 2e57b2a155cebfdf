import { readFileSync } from 'node:fs';

/**
 * Datagrams that the kernel has dropped because the socket's buffer was full, by local `address:port`, since each socket was opened (`/proc/net/udp`, where
 * the address is a 32-bit number of the machine's byte order).
 */
export function kernelDrops(): Map<string, number> {
  const drops = new Map<string, number>();
  for (const line of readFileSync('/proc/net/udp', 'latin1').split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (columns.length < 13) continue;
    const [address, port] = columns[1].split(':').map(number => Number.parseInt(number, 16));
    const dotted = [address & 0xff, (address >>> 8) & 0xff, (address >>> 16) & 0xff, address >>> 24].join('.');
    drops.set(`${dotted}:${port}`, Number(columns[12]));
  }
  return drops;
}
