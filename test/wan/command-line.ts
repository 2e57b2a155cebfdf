/** What `npm run wan` is told, and its help. Pure: the caller reads files. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { MESH_BRIDGES_MAX, type MeshPlan } from './io/mesh-proxy.ts';
import type { Address } from './io/sockets.ts';
import type { PathPlan } from './io/udp-proxy.ts';
import { SEED_MAX } from './path-model.ts';
import { changeSettings, DEFAULT_SETTINGS, type PathSettings, SettingsError } from './path-settings.ts';
import { applyChange, readSchedule, type ScheduledChange } from './schedule.ts';
import { readSettingTexts, readTime, SETTING_TEXTS, TIME_FORM } from './setting-texts.ts';

/** Arguments that cannot be used. Each problem is one line. */
export class UsageError extends Error {}

export interface Command {
  /** What is to be impaired: paths, or a mesh. */
  readonly plans: readonly PathPlan[];
  readonly mesh: MeshPlan | undefined;
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

const MESH_FORM = 'STAND_IN=BRIDGE,STAND_IN=BRIDGE,..., each an address like 127.0.0.1:20000 or [::1]:20000';

/** Undefined: help is asked for. Throws {@link UsageError}; what `readText` throws becomes one. */
export function readCommandLine(args: readonly string[], readText: (path: string) => string): Command | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  try {
    const what = values.mesh === undefined ? { plans: readPlans(values), mesh: undefined } : readMesh(values);
    return { ...what, ...readTimes(values, what, readText) };
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
${row('--mesh NEAR=BRIDGE,...', 'between bridges that all talk to each other: each announces its NEAR, and sends to the NEAR of the others')}

Settings of both directions (all off by default)
${settings.join('\n')}
${row('--forth NAME=V,...', 'towards FAR only, such as --forth loss=2%,burst=5; in a mesh: from a bridge to those after it')}
${row('--back NAME=V,...', 'from FAR only; in a mesh: from a bridge to those before it')}
${row('--cut', 'begin with the paths cut')}

Running
${row('--seed N', 'of all that is random (default 1)')}
${row('--schedule FILE', 'changes at set times: a YAML list like [{at: 10s, cut: true}, {at: 20s, heal: true}, {at: 30s, rate: 1/3}]')}
${row('--duration TIME', 'end after so long, as on SIGINT')}
${row('--help', 'this')}

Example: two bridges 200 ms apart with 2 % loss
  npm run wan -- --mesh 127.0.0.1:20000=127.0.0.1:4096,127.0.0.1:20001=127.0.0.1:5096 --delay 100 --jitter 5 --loss 2%
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
        mesh: { type: 'string' },
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
  const { path: paths = [] } = values;
  if (paths.length < 1 || paths.length > PATHS_MAX) {
    throw new UsageError(`--path is given ${paths.length} times; allowed: 1 to ${PATHS_MAX} times ${PATH_FORM}`);
  }
  const settings = readSettings(values);
  const seed = readSeed(values.seed);
  return paths.map((path, index) => ({
    ...readPath(path),
    ...settings,
    seed: (seed + Math.imul(index, SEED_STEP)) >>> 0,
  }));
}

function readMesh(values: Values): { plans: []; mesh: MeshPlan } {
  const { mesh: text = '', path: paths = [] } = values;
  if (paths.length > 0) throw new UsageError('--path and --mesh are both given; allowed: one of them');
  const pairs = text.split(',').map(readPair);
  const hosts = pairs.map(pair => isIP(pair?.[0].host ?? ''));
  const isOne = pairs.every((pair, index) => pair !== undefined && hosts[index] === hosts[0] && pair[1].port > 0);
  if (!isOne || pairs.length < 2 || pairs.length > MESH_BRIDGES_MAX) {
    throw new UsageError(
      `--mesh is ${JSON.stringify(text)}; allowed: 2 to ${MESH_BRIDGES_MAX} times ${MESH_FORM}, all of one family`,
    );
  }
  const standIns = pairs.map(pair => pair![0]);
  const bridges = pairs.map(pair => pair![1]);
  return { plans: [], mesh: { standIns, bridges, ...readSettings(values), seed: readSeed(values.seed) } };
}

function readSettings(values: Values): { readonly forth: PathSettings; readonly back: PathSettings } {
  const { forth, back, cut } = values;
  const common = changeSettings(
    { ...DEFAULT_SETTINGS, isCut: cut === true },
    readSettingTexts(commonTexts(values), name => `--${name}`),
  );
  return { forth: readDirection('--forth', forth, common), back: readDirection('--back', back, common) };
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
  const pairs = text.split(',').map(readPair);
  const addresses = pairs.flatMap(pair => pair ?? [undefined]);
  if (pairs.length > 2 || addresses.includes(undefined)) throw wrong();
  const [nearFacing, far, farFacing, near] = addresses as Address[];
  if (new Set(addresses.map(address => isIP(address!.host))).size > 1) throw wrong();
  if (far.port === 0 || near?.port === 0) throw wrong();
  return { nearFacing, far, ...(near === undefined ? {} : { near: { address: near, farFacing } }) };
}

/** `A=B`. */
function readPair(text: string): [Address, Address] | undefined {
  const addresses = text.split('=').map(readAddress);
  return addresses.length === 2 && !addresses.includes(undefined) ? (addresses as [Address, Address]) : undefined;
}

function readAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const [host, port] = [match[1] ?? match[2], Number(match[3])];
  const family = match[1] === undefined ? 4 : 6;
  return isIP(host) === family && port <= 65_535 ? { host, port } : undefined;
}

function readTimes(
  values: Values,
  what: Pick<Command, 'plans' | 'mesh'>,
  readText: (path: string) => string,
): Pick<Command, 'schedule' | 'durationMs'> {
  const { schedule: file, duration } = values;
  const durationMs = duration === undefined ? undefined : readTime(duration);
  if (duration !== undefined && !(durationMs !== undefined && durationMs > 0 && durationMs <= DURATION_MS_MAX)) {
    throw new UsageError(`--duration is ${JSON.stringify(duration)}; allowed: ${TIME_FORM}, above 0 and up to a week`);
  }
  if (file === undefined) return { schedule: [], durationMs };
  const settings = settingsOf(what);
  const schedule = readSchedule(readFile(file, readText), settings.length, file);
  rehearse(schedule, settings, file);
  return { schedule, durationMs };
}

function readFile(file: string, readText: (path: string) => string): string {
  try {
    return readText(file);
  } catch (error) {
    throw new UsageError(`--schedule ${file} cannot be read: ${(error as Error).message}`);
  }
}

type BothWays = Pick<PathPlan, 'forth' | 'back'>;

/** Of each path: in a mesh every two bridges have one. */
function settingsOf({ plans, mesh }: Pick<Command, 'plans' | 'mesh'>): readonly BothWays[] {
  if (mesh === undefined) return plans;
  const bridges = mesh.standIns.length;
  return Array.from({ length: (bridges * (bridges - 1)) / 2 }, () => mesh);
}

/** What would be refused in the middle of a run is refused before it. */
function rehearse(schedule: readonly ScheduledChange[], settings: readonly BothWays[], file: string): void {
  for (const [index, { forth, back }] of settings.entries()) {
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
