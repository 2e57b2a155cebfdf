/** What `npm run wan` is told, and its help. Pure: the caller reads files. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import type { Address } from './io/sockets.ts';
import type { PathPlan } from './io/udp-proxy.ts';
import { SEED_MAX } from './path-model.ts';
import { changeSettings, DEFAULT_SETTINGS, type PathSettings, SettingsError } from './path-settings.ts';
import { applyChange, readSchedule, type ScheduledChange } from './schedule.ts';
import { readSettingTexts, readTime, SETTING_TEXTS, TIME_FORM } from './setting-texts.ts';

/** Arguments that cannot be used. Each problem is one line. */
export class UsageError extends Error {}

export interface Command {
  readonly plans: readonly PathPlan[];
  readonly schedule: readonly ScheduledChange[];
  /** Undefined: until a signal. */
  readonly durationMs: number | undefined;
}

const PATHS_MAX = 64;
/** Neighbouring paths' seeds are so far apart. */
const SEED_STEP = 0x9e3779b9;
const DURATION_MS_MAX = 7 * 24 * 3_600_000;
const PATH_FORM =
  'NEAR_FACING=FAR or NEAR_FACING=FAR,FAR_FACING=NEAR, each an address like 127.0.0.1:20000 or [::1]:20000';

/** Undefined: help is asked for. Throws {@link UsageError}; what `readText` throws becomes one. */
export function readCommandLine(args: readonly string[], readText: (path: string) => string): Command | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  try {
    return { plans: readPlans(values), ...readTimes(values, readText) };
  } catch (error) {
    if (error instanceof SettingsError) throw new UsageError(error.message);
    throw error;
  }
}

export function usage(): string {
  const settings = SETTING_TEXTS.map(({ name, value, description }) => row(`--${name} ${value}`, description));
  return `npm run wan -- --path NEAR_FACING=FAR [--path ...] [settings]
A long, lossy network between UDP sockets: whatever is sent to NEAR_FACING goes on to FAR, impaired, and what FAR answers goes back, impaired.

Paths
${row('--path NEAR=FAR', 'clients send to NEAR, the proxy to FAR; each client has a port of its own towards FAR')}
${row('--path NEAR=FAR,BACK=PEER', 'between two fixed sockets, either of which may speak first: FAR sends to BACK what is for PEER')}

Settings of both directions (all off by default)
${settings.join('\n')}
${row('--forth NAME=V,...', 'towards FAR only, such as --forth loss=2%,burst=5')}
${row('--back NAME=V,...', 'from FAR only')}
${row('--cut', 'begin with the paths cut')}

Running
${row('--seed N', 'of all that is random (default 1)')}
${row('--schedule FILE', 'changes at set times: a YAML list like [{at: 10s, cut: true}, {at: 20s, heal: true}, {at: 30s, rate: 1/3}]')}
${row('--duration TIME', 'end after so long, as on SIGINT')}
${row('--help', 'this')}

Example: two bridges 200 ms apart with 2 % loss
  npm run wan -- --path 127.0.0.1:20000=127.0.0.1:4096,127.0.0.1:20001=127.0.0.1:5096 --delay 100 --jitter 5 --loss 2%
`;
}

function row(left: string, right: string): string {
  return `  ${left.padEnd(26)} ${right}`;
}

type Values = ReturnType<typeof parse>;

function parse(args: readonly string[]) {
  const settings = Object.fromEntries(SETTING_TEXTS.map(({ name }) => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...settings,
        path: { type: 'string', multiple: true },
        forth: { type: 'string' },
        back: { type: 'string' },
        cut: { type: 'boolean' },
        seed: { type: 'string' },
        schedule: { type: 'string' },
        duration: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    return values as typeof values & Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readPlans(values: Values): PathPlan[] {
  const { path: paths = [], forth, back, cut } = values;
  if (paths.length < 1 || paths.length > PATHS_MAX) {
    throw new UsageError(`--path is given ${paths.length} times; allowed: 1 to ${PATHS_MAX} times ${PATH_FORM}`);
  }
  const seed = readSeed(values.seed);
  const common = changeSettings(
    { ...DEFAULT_SETTINGS, isCut: cut === true },
    readSettingTexts(commonTexts(values), name => `--${name}`),
  );
  const settings = { forth: readDirection('--forth', forth, common), back: readDirection('--back', back, common) };
  return paths.map((path, index) => ({
    ...readPath(path),
    ...settings,
    seed: (seed + Math.imul(index, SEED_STEP)) >>> 0,
  }));
}

function commonTexts(values: Values): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { name } of SETTING_TEXTS) {
    const text = values[name];
    if (typeof text === 'string') texts[name] = text;
  }
  return texts;
}

function readDirection(flag: string, text: string | undefined, common: PathSettings): PathSettings {
  if (text === undefined) return common;
  const texts: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at < 1) throw new UsageError(`${flag} has ${JSON.stringify(part)}; allowed: NAME=VALUE, such as loss=2%`);
    texts[part.slice(0, at).trim()] = part.slice(at + 1);
  }
  return changeSettings(
    common,
    readSettingTexts(texts, name => `${flag} ${name}`),
  );
}

function readPath(text: string): Pick<PathPlan, 'nearFacing' | 'far' | 'near'> {
  const wrong = (): UsageError => new UsageError(`--path is ${JSON.stringify(text)}; allowed: ${PATH_FORM}`);
  const pairs = text.split(',').map(part => part.split('=').map(readAddress));
  const addresses = pairs.flat();
  if (pairs.length > 2 || pairs.some(pair => pair.length !== 2) || addresses.includes(undefined)) throw wrong();
  const [nearFacing, far, farFacing, near] = addresses as Address[];
  if (new Set(addresses.map(address => isIP(address!.host))).size > 1) throw wrong();
  if (far.port === 0 || near?.port === 0) throw wrong();
  return { nearFacing, far, ...(near === undefined ? {} : { near: { address: near, farFacing } }) };
}

function readAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const [host, port] = [match[1] ?? match[2], Number(match[3])];
  const family = match[1] === undefined ? 4 : 6;
  return isIP(host) === family && port <= 65_535 ? { host, port } : undefined;
}

function readTimes(values: Values, readText: (path: string) => string): Pick<Command, 'schedule' | 'durationMs'> {
  const { schedule: file, duration, path: paths = [] } = values;
  const durationMs = duration === undefined ? undefined : readTime(duration);
  if (duration !== undefined && !(durationMs !== undefined && durationMs > 0 && durationMs <= DURATION_MS_MAX)) {
    throw new UsageError(`--duration is ${JSON.stringify(duration)}; allowed: ${TIME_FORM}, above 0 and up to a week`);
  }
  if (file === undefined) return { schedule: [], durationMs };
  const schedule = readSchedule(readFile(file, readText), paths.length, file);
  rehearse(schedule, readPlans(values), file);
  return { schedule, durationMs };
}

function readFile(file: string, readText: (path: string) => string): string {
  try {
    return readText(file);
  } catch (error) {
    throw new UsageError(`--schedule ${file} cannot be read: ${(error as Error).message}`);
  }
}

/** What would be refused in the middle of a run is refused before it. */
function rehearse(schedule: readonly ScheduledChange[], plans: readonly PathPlan[], file: string): void {
  for (const [index, { forth, back }] of plans.entries()) {
    const initial = { forth: forth as PathSettings, back: back as PathSettings };
    const current = { ...initial };
    for (const scheduled of schedule) {
      if (scheduled.path !== undefined && scheduled.path !== index) continue;
      for (const direction of scheduled.directions) {
        try {
          current[direction] = applyChange(initial[direction], current[direction], scheduled);
        } catch (error) {
          if (!(error instanceof SettingsError)) throw error;
          throw new UsageError(`${file}, at ${scheduled.atMs} ms on path ${index + 1} ${direction}: ${error.message}`);
        }
      }
    }
  }
}

function readSeed(text = '1'): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= SEED_MAX) return seed;
  throw new UsageError(`--seed is ${JSON.stringify(text)}; allowed: a whole number from 0 to ${SEED_MAX}`);
}
