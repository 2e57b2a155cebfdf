/**
 * One way to read configuration for every service: a YAML file, environment variables over it, command-line flags over those,
 * defaults from the schema below all. Parsed once, unknown keys refused by name, the result frozen. Pure: the caller reads the file.
 */
import type { Static, TObject } from 'typebox';
import { Value } from 'typebox/value';
import { LineCounter, parse, parseDocument } from 'yaml';
import {
  type ConfigurationLeaf,
  type ConfigurationSchema,
  configurationLeaves,
  describeAllowed,
  holdsSecret,
  VARIABLE_PREFIX,
} from './configuration-schema.ts';
import { nearestName } from './nearest-name.ts';

export interface ConfigurationSources {
  /** The text of the configuration file, if there is one. */
  readonly yaml?: string;
  /** How messages name that file. */
  readonly yamlName?: string;
  /**
   * Variables named `CAUSEWAY_` + the key's path in upper case with `_` for `.` (rtc.udp_port: CAUSEWAY_RTC_UDP_PORT) are read; the
   * value is YAML (`8080`, `true`, `[a, b]`, `{key: secret}`), taken literally where text is expected; a list of texts may be
   * comma-separated. An empty variable counts as not set.
   */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Dotted path to value. Text is read as an environment variable's value is; undefined counts as not set. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** CAUSEWAY_ variables for which this answers true belong to somebody else and are not refused as unknown. */
  readonly ignoreEnv?: (name: string) => boolean;
}

/** A configuration that cannot be used. Each problem is one line: which key, where it was set, what is wrong, what is allowed. No secret is in them. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}

/** The configuration of `schema`, complete and deeply frozen. Throws {@link ConfigurationError} with every problem found. */
export function readConfiguration<S extends TObject>(schema: S, sources: ConfigurationSources): Static<S> {
  const problems: string[] = [];
  const leaves = configurationLeaves(schema as ConfigurationSchema);
  const file = readYaml(sources, problems);
  const overrides = new Map<string, Override>();
  readVariables(leaves, sources, overrides, problems);
  readFlags(leaves, sources.flags ?? {}, overrides, problems);
  const reading: Reading = { file, overrides, problems };
  const value = resolveGroup(reading, schema as ConfigurationSchema, file.value, []);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return deepFreeze(value) as Static<S>;
}

type Path = readonly (string | number)[];
interface Override {
  readonly value: unknown;
  readonly where: string;
}
interface File {
  readonly value: unknown;
  readonly whereIs: (path: Path) => string;
}
interface Reading {
  readonly file: File;
  readonly overrides: ReadonlyMap<string, Override>;
  readonly problems: string[];
}

function readYaml(sources: ConfigurationSources, problems: string[]): File {
  const name = sources.yamlName ?? 'the configuration file';
  if (sources.yaml === undefined) return { value: undefined, whereIs: () => name };
  const lineCounter = new LineCounter();
  // prettyErrors would quote the file's lines, and with them secrets.
  const document = parseDocument(sources.yaml, { lineCounter, prettyErrors: false });
  for (const error of document.errors) {
    problems.push(`${name} line ${lineCounter.linePos(error.pos[0]).line} is not valid YAML: ${error.message}`);
  }
  if (document.errors.length > 0) return { value: undefined, whereIs: () => name };
  const whereIs = (path: Path): string => {
    const node = document.getIn(path, true) as { range?: readonly number[] } | undefined;
    const offset = node?.range?.[0];
    return offset === undefined ? name : `${name} line ${lineCounter.linePos(offset).line}`;
  };
  try {
    return { value: document.toJS(), whereIs };
  } catch {
    problems.push(`${name} has aliases that cannot be resolved`);
    return { value: undefined, whereIs };
  }
}

function readVariables(
  leaves: readonly ConfigurationLeaf[],
  sources: ConfigurationSources,
  overrides: Map<string, Override>,
  problems: string[],
): void {
  const byVariable = new Map(leaves.map(leaf => [leaf.variable, leaf]));
  const refusedLeaves = leaves.filter(leaf => leaf.schema.refused !== undefined);
  for (const [name, text] of Object.entries(sources.env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined || text === '') continue;
    const leaf = byVariable.get(name) ?? refusedLeaves.find(({ variable }) => name.startsWith(`${variable}_`));
    if (leaf !== undefined) {
      overrides.set(leaf.path, { value: readText(leaf.schema, text), where: `environment variable ${name}` });
    } else if (sources.ignoreEnv?.(name) !== true) {
      problems.push(`environment variable ${name} names no known key${suggestOrList(name, [...byVariable.keys()])}`);
    }
  }
}

function readFlags(
  leaves: readonly ConfigurationLeaf[],
  flags: Readonly<Record<string, unknown>>,
  overrides: Map<string, Override>,
  problems: string[],
): void {
  const byPath = new Map(leaves.map(leaf => [leaf.path, leaf]));
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const leaf = byPath.get(path);
    if (leaf === undefined) {
      problems.push(`${path} (command line) is not a known key${suggestOrList(path, [...byPath.keys()])}`);
      continue;
    }
    const read = typeof value === 'string' ? readText(leaf.schema, value) : value;
    overrides.set(path, { value: read, where: 'command line' });
  }
}

function readText(schema: ConfigurationSchema, text: string): unknown {
  if (schema.type === 'string') return text;
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    return text;
  }
  if (schema.type === 'array' && !Array.isArray(value)) return text.split(',').map(part => part.trim());
  return !Value.Check(schema, value) && Value.Check(schema, text) ? text : value;
}

function resolveGroup(reading: Reading, schema: ConfigurationSchema, value: unknown, path: Path): unknown {
  if (value !== undefined && value !== null && !isMapping(value)) {
    reportWrong(reading, schema, value, path, reading.file.whereIs(path));
    return undefined;
  }
  const given = (value ?? {}) as Record<string, unknown>;
  const properties = schema.properties ?? {};
  reportUnknown(reading, Object.keys(properties), Object.keys(given), path, key =>
    reading.file.whereIs([...path, key]),
  );
  const result: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(properties)) {
    const resolved = resolveKey(reading, schema, key, child, given[key], [...path, key]);
    if (resolved !== undefined) result[key] = resolved;
  }
  return result;
}

function resolveKey(
  reading: Reading,
  parent: ConfigurationSchema,
  key: string,
  schema: ConfigurationSchema,
  value: unknown,
  path: Path,
): unknown {
  const name = formatPath(path);
  const isOptional = !(parent.required ?? []).includes(key);
  if (schema.properties !== undefined) {
    const isOverridden = [...reading.overrides.keys()].some(other => other.startsWith(`${name}.`));
    if (isOptional && value === undefined && !isOverridden) return undefined;
    return resolveGroup(reading, schema, value, path);
  }
  const override = reading.overrides.get(name);
  if (override !== undefined) return resolveValue(reading, schema, override.value, path, () => override.where);
  if (value !== undefined) return resolveValue(reading, schema, value, path, reading.file.whereIs);
  if (schema.default !== undefined) return structuredClone(schema.default);
  if (!isOptional) reading.problems.push(`${name} is required: ${describeAllowed(schema)}`);
  return undefined;
}

function resolveValue(
  reading: Reading,
  schema: ConfigurationSchema,
  value: unknown,
  path: Path,
  whereIs: (path: Path) => string,
): unknown {
  if (schema.refused !== undefined) {
    reading.problems.push(`${formatPath(path)} (${whereIs(path)}) is not accepted: ${schema.refused}`);
    return undefined;
  }
  const before = reading.problems.length;
  const resolved = resolveContent(reading, schema, value, path, whereIs);
  if (reading.problems.length === before && !Value.Check(schema, resolved)) {
    reportWrong(reading, schema, value, path, whereIs(path));
  }
  return resolved;
}

function resolveContent(
  reading: Reading,
  schema: ConfigurationSchema,
  value: unknown,
  path: Path,
  whereIs: (path: Path) => string,
): unknown {
  const { items, properties, patternProperties } = schema;
  if (items !== undefined && Array.isArray(value)) {
    return value.map((item, index) => resolveValue(reading, items, item, [...path, index], whereIs));
  }
  if (!isMapping(value)) return value;
  const result: Record<string, unknown> = {};
  if (properties !== undefined) {
    reportUnknown(reading, Object.keys(properties), Object.keys(value), path, key => whereIs([...path, key]));
    for (const [key, child] of Object.entries(properties)) {
      const given = value[key];
      if (given !== undefined) result[key] = resolveValue(reading, child, given, [...path, key], whereIs);
      else if (child.default !== undefined) result[key] = structuredClone(child.default);
      else if ((schema.required ?? []).includes(key)) {
        reading.problems.push(
          `${formatPath([...path, key])} (${whereIs(path)}) is required: ${describeAllowed(child)}`,
        );
      }
    }
    return result;
  }
  if (patternProperties === undefined) return value;
  for (const [key, given] of Object.entries(value)) {
    const match = Object.entries(patternProperties).find(([pattern]) => new RegExp(pattern).test(key));
    if (match !== undefined) result[key] = resolveValue(reading, match[1], given, [...path, key], whereIs);
    else reportWrong(reading, schema, key, path, whereIs(path));
  }
  return result;
}

function reportUnknown(
  reading: Reading,
  known: readonly string[],
  given: readonly string[],
  path: Path,
  whereIs: (key: string) => string,
): void {
  for (const key of given) {
    if (known.includes(key)) continue;
    const group = path.length === 0 ? 'here' : `in ${formatPath(path)}`;
    reading.problems.push(
      `${formatPath([...path, key])} (${whereIs(key)}) is not a known key${suggest(key, known)}; allowed ${group}: ${known.join(', ')}`,
    );
  }
}

function reportWrong(reading: Reading, schema: ConfigurationSchema, value: unknown, path: Path, where: string): void {
  const name = path.length === 0 ? 'the configuration' : formatPath(path);
  reading.problems.push(`${name} (${where}) is ${show(schema, value)}; allowed: ${describeAllowed(schema)}`);
}

function show(schema: ConfigurationSchema, value: unknown): string {
  if (value === null) return 'empty';
  if (!holdsSecret(schema)) return JSON.stringify(value);
  if (typeof value === 'string') return `a text of ${value.length} characters (not shown)`;
  return Array.isArray(value) ? 'a list' : isMapping(value) ? 'a mapping' : `a ${typeof value}`;
}

function formatPath(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${part}`))
    .join('');
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function suggest(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

function suggestOrList(name: string, known: readonly string[]): string {
  return suggest(name, known) || `; allowed: ${known.join(', ')}`;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
