/**
 * What the configuration reader needs to know of a schema: its leaves, their environment names, and in words what a value may be.
 * TypeBox schemas are JSON Schema; besides its keywords three of our own may stand in a schema's options:
 * `unit` (text shown in help: 'ms', 'degrees'), `secret` (its value is never shown), `refused` (a sentence: why this known key is not accepted).
 */
export interface ConfigurationSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, ConfigurationSchema>>;
  readonly patternProperties?: Readonly<Record<string, ConfigurationSchema>>;
  readonly required?: readonly string[];
  readonly items?: ConfigurationSchema;
  readonly anyOf?: readonly ConfigurationSchema[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly unit?: string;
  readonly secret?: boolean;
  readonly refused?: string;
}

/** One settable key. `path` is dotted (`rtc.udp_port`), `variable` its environment name (`CAUSEWAY_RTC_UDP_PORT`). */
export interface ConfigurationLeaf {
  readonly path: string;
  readonly variable: string;
  readonly schema: ConfigurationSchema;
  readonly isRequired: boolean;
}

export const VARIABLE_PREFIX = 'CAUSEWAY_';

/** Every key of `schema` that can be set, in the order they are declared. Lists and free-named mappings are one key each. */
export function configurationLeaves(schema: ConfigurationSchema, prefix = ''): ConfigurationLeaf[] {
  const leaves: ConfigurationLeaf[] = [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const path = `${prefix}${name}`;
    if (child.properties !== undefined) {
      leaves.push(...configurationLeaves(child, `${path}.`));
      continue;
    }
    const isRequired = child.default === undefined && (schema.required ?? []).includes(name);
    leaves.push({ path, variable: variableOf(path), schema: child, isRequired });
  }
  return leaves;
}

/** The environment variable that sets the key at `path`. */
export function variableOf(path: string): string {
  return VARIABLE_PREFIX + path.toUpperCase().replaceAll('.', '_');
}

/** What a value may be, in words: 'a whole number from 1 to 65535', 'one of: debug, info'. */
export function describeAllowed(schema: ConfigurationSchema): string {
  if (schema.anyOf !== undefined) return describeUnion(schema.anyOf);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  switch (schema.type) {
    case 'integer':
      return `a whole number${describeRange(schema.minimum, schema.maximum)}${inUnit(schema)}`;
    case 'number':
      return `a number${describeRange(schema.minimum, schema.maximum, schema.exclusiveMinimum)}${inUnit(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'string':
      return `text${describeLength(schema)}${schema.pattern === undefined ? '' : ` matching ${schema.pattern}`}`;
    case 'array':
      return `a list${describeRange(schema.minItems, schema.maxItems, undefined, ' entries').replace(' from', ' of')}, each ${describeAllowed(schema.items ?? {})}`;
    case 'object':
      return describeMapping(schema);
    default:
      return 'anything';
  }
}

/** True when a value of this schema may hold a secret and must not be shown. */
export function holdsSecret(schema: ConfigurationSchema): boolean {
  if (schema.secret === true) return true;
  const below = [
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  return below.some(holdsSecret);
}

function inUnit(schema: ConfigurationSchema): string {
  return schema.unit === undefined ? '' : ` (${schema.unit})`;
}

function describeUnion(members: readonly ConfigurationSchema[]): string {
  if (!members.every(member => member.const !== undefined)) return members.map(describeAllowed).join(', or ');
  return `one of: ${members.map(member => String(member.const)).join(', ')}`;
}

function describeRange(minimum?: number, maximum?: number, above?: number, noun = ''): string {
  const low = above !== undefined ? ` above ${above}` : minimum !== undefined ? ` from ${minimum}` : '';
  if (maximum === undefined) return low === '' ? '' : `${low}${above === undefined ? ' up' : ''}${noun}`;
  return low === '' ? ` of at most ${maximum}${noun}` : `${low} to ${maximum}${noun}`;
}

function describeLength(schema: ConfigurationSchema): string {
  const { minLength, maxLength } = schema;
  if (minLength === undefined && maxLength === undefined) return '';
  if (maxLength === undefined) return ` of at least ${minLength} characters`;
  return minLength === undefined
    ? ` of at most ${maxLength} characters`
    : ` of ${minLength} to ${maxLength} characters`;
}

function describeMapping(schema: ConfigurationSchema): string {
  if (schema.properties !== undefined) return `a mapping with ${Object.keys(schema.properties).join(', ')}`;
  const values = Object.values(schema.patternProperties ?? {});
  return `a mapping of names, each to ${values.map(describeAllowed).join(' or ')}`;
}
