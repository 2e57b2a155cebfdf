/** What the hypervisor takes of this machine's CPUs for others: time that no counter of the process shows, and that media waits for. */
import { readFileSync } from 'node:fs';

/** Times since boot of all CPUs together, in clock ticks. */
export interface CpuTimes {
  readonly steal: number;
  readonly total: number;
}

/**
 * The `cpu` line of proc(5) `/proc/stat`: user nice system idle iowait irq softirq steal guest guest_nice, where guest times are in user and
 * nice already. Undefined when there is no such line, or it ends before steal.
 */
export function parseCpuTimes(stat: string): CpuTimes | undefined {
  const line = /^cpu +([\d ]+)$/m.exec(stat);
  const times = line?.[1]?.trim().split(/ +/).map(Number).slice(0, 8) ?? [];
  if (times.length < 8) return undefined;
  return { steal: times[7]!, total: times.reduce((sum, ticks) => sum + ticks, 0) };
}

/** Share of the CPU time, 0 to 1, that was stolen since the last call; 0 at the first, and where the system does not tell. */
export function createStealMeter(readStat: () => string = readProcStat): () => number {
  let last: CpuTimes | undefined;
  return () => {
    const now = parseCpuTimes(readStat());
    const before = last;
    last = now;
    if (now === undefined || before === undefined || now.total <= before.total) return 0;
    return Math.min(1, Math.max(0, now.steal - before.steal) / (now.total - before.total));
  };
}

/** Linux has it; elsewhere nothing is known. */
function readProcStat(): string {
  try {
    return readFileSync('/proc/stat', 'utf8');
  } catch {
    return '';
  }
}
