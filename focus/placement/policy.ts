/** How participants are placed, by configuration (`placement.*`) or for one room: which rule set, which measure, how it is compared. */

/** Rule sets by name; `rule-sets.ts` has them. */
export const POLICY_KINDS = ['region', 'single', 'least-loaded', 'last-used', 'split'] as const;
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
  for (const [key, value] of Object.entries(placement)) {
    if (!Object.hasOwn(ALLOWED, key)) return refuse(`has "${key}"; allowed: ${Object.keys(ALLOWED).join(', ')}`);
    const allowed = ALLOWED[key as keyof Policy];
    if (!allowed.includes(value as string)) {
      return refuse(`is ${JSON.stringify(value)}; allowed: ${allowed.join(', ')}`, `.${key}`);
    }
  }
  return { ok: true, override: placement as Partial<Policy> };
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
