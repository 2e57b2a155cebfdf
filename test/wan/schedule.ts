/**
 * Changes at set times, from a small YAML (or JSON) text: a list of entries, each with `at` and what changes then.
 *
 *     - { at: 10s, cut: true }
 *     - { at: 20s, heal: true }
 *     - { at: 30s, rate: 1/3, path: 2, direction: back }    # a third of the rate it began with
 *     - { at: 50s, rate: 1/1, loss: 2%, burst: 5 }
 *
 * Without `path` (counted from 1) all paths change, without `direction` both. Pure: who plays it owns the clock.
 */
import { parseDocument } from 'yaml';
import { changeSettings, DEFAULT_SETTINGS, type PathSettings, SettingsError, show } from './path-settings.ts';
import { readSettingTexts, readTime, SETTING_TEXTS, TIME_FORM } from './setting-texts.ts';

export type Direction = 'forth' | 'back';
export const DIRECTIONS: readonly Direction[] = ['forth', 'back'];

export interface ScheduledChange {
  readonly atMs: number;
  /** Counted from 0; undefined: all. */
  readonly path: number | undefined;
  readonly directions: readonly Direction[];
  readonly change: Partial<PathSettings>;
  /** Of the rate that the direction began with; undefined: not asked for. */
  readonly rateFactor: number | undefined;
  /** What a person reads when it happens: 'cut', 'rate 1/3, loss 2%'. */
  readonly text: string;
}

/** As long as a week: longer than a timer of the platform waits. */
const AT_MS_MAX = 7 * 24 * 3_600_000;
const ENTRIES_MAX = 10_000;
/** A thousandth to a thousandfold. */
const FACTOR_MAX = 1_000;
const KEYS = ['at', 'path', 'direction', 'cut', 'heal', ...SETTING_TEXTS.map(({ name }) => name)];

/** In order of time, those of one time in the order they are written. Throws {@link SettingsError}: each problem with its entry. */
export function readSchedule(yaml: string, pathCount: number, name = 'the schedule'): ScheduledChange[] {
  const document = parseDocument(yaml, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw new SettingsError(document.errors.map(error => `${name} is not valid YAML: ${error.message.split('\n')[0]}`));
  }
  const entries = toValue(document, name);
  if (!Array.isArray(entries) || entries.length > ENTRIES_MAX) {
    throw new SettingsError([
      `${name} is no list; allowed: a list of up to ${ENTRIES_MAX} entries like {at: 10s, cut: true}`,
    ]);
  }
  const problems: string[] = [];
  const changes: ScheduledChange[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      changes.push(readEntry(entry, pathCount));
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(...error.problems.map(problem => `${name}, entry ${index + 1}: ${problem}`));
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return changes.sort((a, b) => a.atMs - b.atMs);
}

/** The settings that a direction which began with `initial` and is now at `current` takes. Throws SettingsError. */
export function applyChange(initial: PathSettings, current: PathSettings, scheduled: ScheduledChange): PathSettings {
  const { change, rateFactor } = scheduled;
  if (rateFactor === undefined) return changeSettings(current, change);
  if (initial.rateBps === 0) {
    throw new SettingsError([`rate ${rateFactor} of an unlimited rate is not a rate; allowed: bits per second`]);
  }
  return changeSettings(current, { ...change, rateBps: initial.rateBps * rateFactor });
}

function toValue(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS();
  } catch {
    throw new SettingsError([`${name} has aliases that cannot be resolved`]);
  }
}

function readEntry(entry: unknown, pathCount: number): ScheduledChange {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new SettingsError([`is ${show(entry)}; allowed: a mapping like {at: 10s, cut: true}`]);
  }
  const texts = textsOf(entry);
  const unknown = Object.keys(texts).filter(key => !KEYS.includes(key));
  if (unknown.length > 0) throw new SettingsError([`${unknown.join(', ')} is no key; allowed: ${KEYS.join(', ')}`]);
  const { at, path, direction, cut, heal, ...settings } = texts;
  const factor = settings.rate === undefined ? undefined : readFactor(settings.rate);
  if (factor !== undefined) delete settings.rate;
  const isCut = readCut(cut, heal);
  const change = { ...readSettingTexts(settings), ...(isCut === undefined ? {} : { isCut }) };
  if (factor === undefined && Object.keys(change).length === 0) throw new SettingsError(['changes nothing']);
  checkAlone(change);
  const { at: _at, path: _path, direction: _direction, ...said } = texts;
  return {
    atMs: readAt(at),
    path: readPath(path, pathCount),
    directions: readDirections(direction),
    change,
    rateFactor: factor,
    text: Object.entries(said)
      .map(([key, text]) => (key === 'cut' || key === 'heal' ? key : `${key} ${text}`))
      .join(', '),
  };
}

function textsOf(entry: object): Record<string, string> {
  const texts: Record<string, string> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(entry)) {
    if (['string', 'number', 'boolean'].includes(typeof value)) texts[key] = String(value);
    else problems.push(`${key} is ${show(value)}; allowed: a text or a number`);
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return texts;
}

/** Limits of single values show before anything runs; how they go with others, when they meet. */
function checkAlone(change: Partial<PathSettings>): void {
  for (const [key, value] of Object.entries(change)) {
    if (key !== 'lossShare') changeSettings(DEFAULT_SETTINGS, { [key]: value });
  }
  if (change.lossShare !== undefined) {
    changeSettings(DEFAULT_SETTINGS, { lossShare: change.lossShare, burstLength: change.burstLength });
  }
}

function readAt(text: string | undefined): number {
  const atMs = text === undefined ? undefined : readTime(text);
  if (atMs !== undefined && atMs <= AT_MS_MAX) return atMs;
  throw new SettingsError([`at is ${JSON.stringify(text) ?? 'missing'}; allowed: ${TIME_FORM}, up to a week`]);
}

function readPath(text: string | undefined, pathCount: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= pathCount) return number - 1;
  throw new SettingsError([`path is ${JSON.stringify(text)}; allowed: a whole number from 1 to ${pathCount}`]);
}

function readDirections(text = 'both'): readonly Direction[] {
  if (text === 'both') return DIRECTIONS;
  const direction = DIRECTIONS.find(one => one === text);
  if (direction !== undefined) return [direction];
  throw new SettingsError([`direction is ${JSON.stringify(text)}; allowed: forth, back, both`]);
}

function readCut(cut: string | undefined, heal: string | undefined): boolean | undefined {
  if (cut === undefined && heal === undefined) return undefined;
  if ((cut ?? 'true') === 'true' && (heal ?? 'true') === 'true' && (cut === undefined || heal === undefined)) {
    return cut !== undefined;
  }
  throw new SettingsError(['cut and heal are wrong; allowed: one of cut: true and heal: true']);
}

/** `1/3`; undefined: no fraction. */
function readFactor(text: string): number | undefined {
  const match = /^(\d{1,4})\s*\/\s*(\d{1,4})$/.exec(text);
  if (match === null) return undefined;
  const factor = Number(match[1]) / Number(match[2]);
  if (factor >= 1 / FACTOR_MAX && factor <= FACTOR_MAX) return factor;
  throw new SettingsError([`rate is ${text}; allowed: a fraction from 1/${FACTOR_MAX} to ${FACTOR_MAX}/1`]);
}
