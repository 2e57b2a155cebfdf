import { existsSync, readFileSync } from 'node:fs';

const TABLE = '/proc/stat';
/** Place of the time that a hypervisor gave to others, among the times of the first line. */
const STOLEN = 7;

/** Of all processors since the machine started, in the kernel's ticks. */
export interface ProcessorTime {
  readonly stolen: number;
  readonly all: number;
}

/** Null where the kernel does not tell. */
export function processorTime(): ProcessorTime | null {
  return existsSync(TABLE) ? timeIn(readFileSync(TABLE, 'utf8')) : null;
}

/** The same, from the text of /proc/stat. Times of guests are in those of their hosts, and not counted again. */
export function timeIn(table: string): ProcessorTime {
  const times = table
    .split('\n')[0]
    .trim()
    .split(/\s+/)
    .slice(1, STOLEN + 2)
    .map(Number);
  return { stolen: times[STOLEN] ?? 0, all: times.reduce((sum, time) => sum + time, 0) };
}

/** Share of the processors' time since `before` that other machines on the same host had. Null where the kernel does not tell. */
export function stolenShareSince(before: ProcessorTime | null): number | null {
  const now = processorTime();
  if (before === null || now === null || now.all === before.all) return null;
  return (now.stolen - before.stolen) / (now.all - before.all);
}
