/** Log records for a person at a terminal: one line each, time, level, service, message, then the rest as key=value. */
import { type Logger, pino } from 'pino';

const LEVEL_NAMES: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** A pino logger whose records go to `write` as lines made by {@link formatRecord}. */
export function createLineLog(level: 'info' | 'warn', write: (line: string) => void): Logger {
  return pino({ level, base: null }, { write: json => write(formatRecord(json)) });
}

/** One line, with its line feed, of a record as pino writes it. A service's name is in `service`. */
export function formatRecord(json: string): string {
  const { time, level, service, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${formatValue(value)}`);
  const error = err === undefined ? '' : ` error=${formatValue((err as { message?: unknown }).message)}`;
  const name = service === undefined ? '' : ` ${String(service)}:`;
  return `${clock} ${LEVEL_NAMES[Number(level)] ?? String(level)}${name} ${String(msg ?? '')}${fields.join('')}${error}\n`;
}

/** Text without spaces as it is, everything else as JSON: a line feed in a value must not start a line. */
function formatValue(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value ?? null);
}
