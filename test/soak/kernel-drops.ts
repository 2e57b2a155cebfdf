import { readFileSync } from 'node:fs';

/** Datagrams that the kernel has dropped because the socket's buffer was full, by local port, since each socket was opened (`/proc/net/udp`). */
export function kernelDrops(): Map<number, number> {
  const drops = new Map<number, number>();
  for (const line of readFileSync('/proc/net/udp', 'latin1').split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (columns.length < 13) continue;
    const port = Number.parseInt(columns[1].split(':')[1], 16);
    drops.set(port, (drops.get(port) ?? 0) + Number(columns[12]));
  }
  return drops;
}
