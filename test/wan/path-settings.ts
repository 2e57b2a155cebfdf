/** What can be set about one direction of a path: units, limits, defaults. Pure. */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { type ConfigurationSchema, describeAllowed } from '../../protocol/configuration-schema.ts';
import { nearestName } from '../../protocol/nearest-name.ts';
import { burstLossShareMax } from './burst-loss.ts';

const Share = (description: string) =>
  Type.Number({ minimum: 0, maximum: 1, default: 0, unit: 'share of datagrams, 1 is all', description });

/** Longer than any test waits; with it a queue and a delay stay finite. */
export const MS_MAX = 60_000;
/** Below this one full datagram takes longer than {@link MS_MAX} allows to wait. */
export const RATE_BPS_MIN = 1_000;

export const PathSettingsSchema = Type.Object(
  {
    delayMs: Type.Number({ minimum: 0, maximum: MS_MAX, default: 0, unit: 'ms', description: 'one way' }),
    jitterMs: Type.Number({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      unit: 'ms',
      description: 'standard deviation of a normal distribution around the delay, which never falls below zero',
    }),
    jitterCorrelationMs: Type.Number({
      minimum: 0,
      maximum: MS_MAX,
      default: 50,
      unit: 'ms',
      description:
        'time in which the correlation of the jitter falls to 1/e, 0: every datagram for itself; a queue that makes jitter lasts about 50 ms',
    }),
    lossShare: Share('lost; in bursts if burstLength says so'),
    burstLength: Type.Number({
      minimum: 0,
      maximum: 10_000,
      default: 0,
      unit: 'datagrams',
      description: 'mean number lost in a row, 1 or more; 0: each is lost or not for itself',
    }),
    randomLossShare: Share('of those that the bursts leave, lost each for itself: for both kinds of loss at once'),
    reorderShare: Share('held back by reorderHoldMs while others overtake'),
    reorderHoldMs: Type.Number({
      minimum: 0,
      maximum: 10_000,
      default: 20,
      unit: 'ms',
      description: 'how long: 20 ms let a packet or two of audio and a frame of video pass',
    }),
    duplicateShare: Share('delivered twice'),
    rateBps: Type.Number({
      minimum: 0,
      maximum: 1e11,
      default: 0,
      unit: `bit/s, ${RATE_BPS_MIN} or more; 0: unlimited`,
      description: 'of the bottleneck',
    }),
    queueMs: Type.Number({
      minimum: 0,
      maximum: MS_MAX,
      default: 200,
      unit: 'ms',
      description: 'longest wait before the bottleneck: what would wait longer is dropped; 200 is a usual home router',
    }),
    queueBytes: Type.Integer({
      minimum: 0,
      maximum: 1e9,
      default: 0,
      unit: 'bytes; 0: only queueMs bounds it',
      description: 'most that waits before the bottleneck',
    }),
    isCut: Type.Boolean({ default: false, description: 'nothing gets in; what is under way still arrives' }),
  },
  { additionalProperties: false },
);

export type PathSettings = Readonly<Static<typeof PathSettingsSchema>>;

export const DEFAULT_SETTINGS: PathSettings = Object.freeze(Value.Create(PathSettingsSchema));

/** Settings that cannot be. Each problem is one sentence: which setting, what it was, what is allowed. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** `base` with what `change` gives; undefined changes nothing. Frozen. Throws {@link SettingsError} with every problem found. */
export function changeSettings(base: PathSettings, change: Partial<PathSettings>): PathSettings {
  const problems: string[] = [];
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const problem = problemOf(key, value);
    if (problem === undefined) merged[key] = value;
    else problems.push(problem);
  }
  const settings = merged as PathSettings;
  if (problems.length === 0) problems.push(...contradictions(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(settings);
}

const PROPERTIES = new Map<string, ConfigurationSchema>(Object.entries(PathSettingsSchema.properties));

function problemOf(key: string, value: unknown): string | undefined {
  const schema = PROPERTIES.get(key);
  if (schema === undefined) {
    const nearest = nearestName(key, [...PROPERTIES.keys()]);
    const suggestion = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    return `${key} is not a known setting${suggestion}; allowed: ${[...PROPERTIES.keys()].join(', ')}`;
  }
  if (Value.Check(schema as Parameters<typeof Value.Check>[0], value)) return undefined;
  return `${key} is ${show(value)}; allowed: ${describeAllowed(schema)}`;
}

/** What each setting allows for itself but not with the others. */
function contradictions({ burstLength, lossShare, rateBps }: PathSettings): string[] {
  const problems: string[] = [];
  if (burstLength > 0 && burstLength < 1) problems.push(`burstLength is ${burstLength}; allowed: 0, or 1 and more`);
  else if (lossShare > burstLossShareMax(burstLength)) {
    const most = Math.floor(burstLossShareMax(burstLength) * 1000) / 1000;
    problems.push(
      `lossShare is ${lossShare}; with a burstLength of ${burstLength} allowed: a number from 0 to ${most}, or isCut to lose all`,
    );
  }
  if (rateBps > 0 && rateBps < RATE_BPS_MIN) {
    problems.push(`rateBps is ${rateBps}; allowed: 0 (unlimited), or ${RATE_BPS_MIN} and more`);
  }
  return problems;
}

/** A value in an error: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'string' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : typeof value === 'function' ? 'a function' : String(value);
}
