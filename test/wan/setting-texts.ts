/** Settings as people write them, in flags and schedules: `delay 100ms`, `loss 2%`, `rate 2500k`. Pure. */
import { nearestName } from '../../protocol/nearest-name.ts';
import { MS_MAX, type PathSettings, SettingsError } from './path-settings.ts';

export interface SettingText {
  readonly name: string;
  /** What stands for the value in help. */
  readonly value: string;
  readonly description: string;
  /** What a value looks like. */
  readonly allowed: string;
  /** Undefined: not of that form. Limits are left to `changeSettings`. */
  read(text: string): Partial<PathSettings> | undefined;
}

export const TIME_FORM = 'a time such as 100, 100ms or 1.5s';
const SHARE_FORM = 'a share such as 2% or 0.02';
const RATE_FORM = 'bits per second such as 2500k, 2.5M or 300000, or unlimited';
const QUEUE_FORM = `${TIME_FORM}, or bytes such as 30kB or 30000B`;

export const SETTING_TEXTS: readonly SettingText[] = [
  time('delay', 'delayMs', 'one way'),
  time('jitter', 'jitterMs', 'standard deviation of the delay'),
  time(
    'jitter-correlation',
    'jitterCorrelationMs',
    'how long jitter lasts (default 50ms); 0: each datagram for itself',
  ),
  share('loss', 'lossShare', 'lost, in bursts if --burst is given'),
  {
    name: 'burst',
    value: 'N',
    description: 'mean number lost in a row; 0 (default): each for itself',
    allowed: 'a number of datagrams such as 5',
    read: text => mapped(readNumber(text), burstLength => ({ burstLength })),
  },
  share('random-loss', 'randomLossShare', 'lost each for itself, beside bursts'),
  share('reorder', 'reorderShare', 'held back while others overtake'),
  time('reorder-hold', 'reorderHoldMs', 'held back for how long (default 20ms)'),
  share('duplicate', 'duplicateShare', 'delivered twice'),
  {
    name: 'rate',
    value: 'BPS',
    description: 'of the bottleneck, headers of IP and UDP included',
    allowed: RATE_FORM,
    read: text => mapped(readRate(text), rateBps => ({ rateBps })),
  },
  {
    name: 'queue',
    value: 'TIME|BYTES',
    description: 'before the bottleneck, what finds it full is dropped (default 200ms)',
    allowed: QUEUE_FORM,
    read: readQueue,
  },
];

/** The change that these texts, by name, ask for. Throws SettingsError with every problem found; `nameOf` says how names are written there. */
export function readSettingTexts(
  texts: Readonly<Record<string, string>>,
  nameOf: (name: string) => string = name => name,
): Partial<PathSettings> {
  const problems: string[] = [];
  const change: Partial<PathSettings> = {};
  const names = SETTING_TEXTS.map(({ name }) => name);
  for (const [name, text] of Object.entries(texts)) {
    const setting = SETTING_TEXTS.find(one => one.name === name);
    if (setting === undefined) {
      const nearest = nearestName(name, names);
      const hint = nearest === undefined ? '' : `; did you mean ${nameOf(nearest)}?`;
      problems.push(`${nameOf(name)} is not a known setting${hint}; allowed: ${names.map(nameOf).join(', ')}`);
      continue;
    }
    const read = setting.read(text.trim());
    if (read === undefined) problems.push(`${nameOf(name)} is ${JSON.stringify(text)}; allowed: ${setting.allowed}`);
    else Object.assign(change, read);
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return change;
}

/** ms; undefined: no time. */
export function readTime(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min)?$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * { ms: 1, s: 1_000, min: 60_000 }[(match[2] ?? 'ms') as 'ms' | 's' | 'min'];
}

function readShare(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(%)?$/.exec(text);
  if (match === null) return undefined;
  if (match[2] === '%') return Number(match[1]) / 100;
  // A bare 1 or 2 may be meant as per cent: only what cannot be is taken for a share.
  return match[1] === '0' || match[1].startsWith('0.') ? Number(match[1]) : undefined;
}

function readRate(text: string): number | undefined {
  if (text === 'unlimited') return 0;
  const match = /^(\d+(?:\.\d+)?)\s*([kMG])?(?:bit\/s|bps)?$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (match[2] === undefined ? 1 : { k: 1e3, M: 1e6, G: 1e9 }[match[2] as 'k' | 'M' | 'G']);
}

/** Bytes take the place of time, and time that of bytes: one queue has one bound. */
function readQueue(text: string): Partial<PathSettings> | undefined {
  const bytes = /^(\d+(?:\.\d+)?)\s*(k|M)?B$/.exec(text);
  if (bytes === null) return mapped(readTime(text), queueMs => ({ queueMs, queueBytes: 0 }));
  const factor = bytes[2] === 'k' ? 1e3 : bytes[2] === 'M' ? 1e6 : 1;
  return { queueMs: MS_MAX, queueBytes: Math.max(1, Math.round(Number(bytes[1]) * factor)) };
}

function readNumber(text: string): number | undefined {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function time(
  name: string,
  key: 'delayMs' | 'jitterMs' | 'jitterCorrelationMs' | 'reorderHoldMs',
  description: string,
) {
  const read = (text: string) => mapped(readTime(text), ms => ({ [key]: ms }));
  return { name, value: 'TIME', description, allowed: TIME_FORM, read };
}

function share(
  name: string,
  key: 'lossShare' | 'randomLossShare' | 'reorderShare' | 'duplicateShare',
  description: string,
) {
  const read = (text: string) => mapped(readShare(text), value => ({ [key]: value }));
  return { name, value: 'SHARE', description, allowed: SHARE_FORM, read };
}

function mapped<T>(value: number | undefined, then: (value: number) => T): T | undefined {
  return value === undefined ? undefined : then(value);
}
