import { existsSync, readFileSync } from 'node:fs';

const TABLE = '/proc/net/udp';
const LOCAL_ADDRESS = 1;

/** Datagrams that the kernel threw away since the sockets on `ports` were opened, because their receive buffers were full. 0 where the kernel does not tell. */
export function kernelDrops(ports: ReadonlySet<number>): number {
  return existsSync(TABLE) ? dropsIn(readFileSync(TABLE, 'utf8'), ports) : 0;
}

/** The same, from the text of /proc/net/udp: a head, then a line per socket with the port in hex and the drops at the end. */
export function dropsIn(table: string, ports: ReadonlySet<number>): number {
  let drops = 0;
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const port = Number.parseInt(columns[LOCAL_ADDRESS]?.split(':')[1] ?? '', 16);
    if (ports.has(port)) drops += Number(columns.at(-1));
  }
  return drops;
}
