/** How participants are placed, by configuration (`placement.*`) or for one room: which rule set, which measure, how it is compared. */

/** Rule sets by name; `rule-sets.ts` has them. */
export const POLICY_KINDS = ['region', 'single', 'least-loaded', 'last-used', 'split', 'latency', 'http'] as const;
export type PolicyKind = (typeof POLICY_KINDS)[number];

/** What "least loaded" compares. */
export const SORT_KEYS = ['stress', 'cpu', 'endpoints', 'tracks', 'bytes', 'random'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** `lowest` of all that a rule matches, or the lower of two drawn at random (`two-choice`). */
export const ALGORITHMS = ['lowest', 'two-choice'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface Policy {
  readonly kind: PolicyKind;
  readonly sort_by: SortKey;
  readonly algorithm: Algorithm;
}

/** Where a policy is from, in the words of an explanation. */
export type PolicySource = 'configuration' | 'override by metadata' | 'override by API';

/** What a room says of its own placement: nothing (`null`), a part of a policy, or what is wrong with it, as a sentence. */
export type PolicyOverride =
  | { readonly ok: true; readonly override: Partial<Policy> | null }
  | { readonly ok: false; readonly problem: string };

const NO_OVERRIDE: PolicyOverride = { ok: true, override: null };
const ALLOWED: { readonly [Key in keyof Policy]: readonly string[] } = {
  kind: POLICY_KINDS,
  sort_by: SORT_KEYS,
  algorithm: ALGORITHMS,
};

/**
 * The override in a room's metadata: `{"causeway": {"placement": {"kind": "single"}}}`, with any of the keys of {@link Policy}. Metadata is the
 * application's own: whatever else it is, JSON or not, is none of our business.
 */
export function readOverride(metadata: string): PolicyOverride {
  // Looked for first: metadata may be half a megabyte of something else, and this is asked at every join.
  if (!metadata.includes('"causeway"')) return NO_OVERRIDE;
  const placement = field(field(parse(metadata), 'causeway'), 'placement');
  if (placement === undefined) return NO_OVERRIDE;
  if (!isObject(placement)) return refuse('is not an object');
  const problem = problemOf(placement);
  return problem === undefined
    ? { ok: true, override: placement as Partial<Policy> }
    : refuse(problem.what, problem.path);
}

/** A part of a policy as the API is given it: a problem is a sentence that says what is allowed. At least one key. */
export function checkOverride(value: unknown): PolicyOverride {
  const allowed = `allowed: an object with one or more of ${Object.keys(ALLOWED).join(', ')}`;
  if (!isObject(value)) return { ok: false, problem: `the body is not an object; ${allowed}` };
  if (Object.keys(value).length === 0) return { ok: false, problem: `the body says nothing; ${allowed}` };
  const problem = problemOf(value);
  if (problem === undefined) return { ok: true, override: value as Partial<Policy> };
  return { ok: false, problem: `${problem.path === '' ? 'the body' : problem.path.slice(1)} ${problem.what}` };
}

function problemOf(placement: Record<string, unknown>): { readonly what: string; readonly path: string } | undefined {
  for (const [key, value] of Object.entries(placement)) {
    if (!Object.hasOwn(ALLOWED, key)) {
      return { what: `has "${key}"; allowed: ${Object.keys(ALLOWED).join(', ')}`, path: '' };
    }
    const allowed = ALLOWED[key as keyof Policy];
    if (!allowed.includes(value as string)) {
      return { what: `is ${JSON.stringify(value)}; allowed: ${allowed.join(', ')}`, path: `.${key}` };
    }
  }
  return undefined;
}

function refuse(what: string, path = ''): PolicyOverride {
  return { ok: false, problem: `causeway.placement${path} in the room's metadata ${what}` };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function field(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
