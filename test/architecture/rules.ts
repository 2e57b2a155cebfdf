/** STYLE.md's imports, as data: who may import what, and what a core may not do. */
import { dirname, join } from 'node:path/posix';
import { type Import, lineAt, scan } from './scan.ts';

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  /** For whoever broke it: what is wrong, and what to do instead. */
  readonly message: string;
}

export interface Package {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** Each part of the tree, and the other parts it may import. */
export const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  bridge: ['protocol'],
  focus: ['protocol'],
  'geo-proxy': ['protocol'],
  infra: ['protocol', 'bridge', 'focus', 'geo-proxy'],
  test: ['protocol', 'bridge', 'focus', 'geo-proxy', 'infra'],
};

/** Anybody may read the version from it. */
const MANIFEST_PATH = 'package.json';

/** Parts that decide nothing of their own, so have no core. */
const PARTS_WITHOUT_CORE: readonly string[] = ['infra', 'test'];

/** Where a service touches the world although the folder is not called io. */
const EDGES: readonly { readonly files: RegExp; readonly because: string }[] = [
  { files: /-routes\.ts$/, because: 'routes on an HTTP server: they wait, and time out' },
  { files: /^focus\/api\/register-api\.ts$/, because: 'adds those routes, and what describes them, to the server' },
  { files: /^focus\/web\//, because: 'what browsers run, and what serves it to them' },
];

/** Modules that a core may not load. Their types are free: they vanish when the code runs. */
const IMPURE: readonly { readonly module: RegExp; readonly why: string; readonly allowed?: readonly string[] }[] = [
  { module: /^node:(dgram|tls|http|https|http2|dns)(\/|$)/, why: 'it opens sockets' },
  {
    module: /^node:net$/,
    why: 'it opens sockets',
    allowed: ['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'SocketAddress'],
  },
  {
    module: /^node:(fs|child_process|worker_threads|cluster|os|process|readline)(\/|$)/,
    why: 'it reaches the machine',
  },
  { module: /^node:(timers|perf_hooks)(\/|$)/, why: 'time is an argument' },
  { module: /^(pino|fastify|@fastify\/.*|werift|ioredis|ws|undici|maxmind|livekit-server-sdk)$/, why: 'it does I/O' },
];

/** Names of node:crypto that are randomness. The rest of it computes. */
const RANDOM_NAMES: readonly string[] = [
  'randomBytes',
  'randomUUID',
  'randomInt',
  'randomFillSync',
  'randomFill',
  'webcrypto',
];

/** What a core may not call. */
const IMPURE_CALLS: readonly { readonly call: RegExp; readonly why: string }[] = [
  { call: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/g, why: 'time is an argument' },
  { call: /\bperformance\s*\.\s*now\b|\bprocess\s*\.\s*hrtime\b/g, why: 'time is an argument' },
  { call: /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\b(?!\s*\??:)/g, why: 'a driver in io/ owns the timers' },
  {
    call: /\bMath\s*\.\s*random\b|(?<![.\w])crypto\s*\.\s*(?:getRandomValues|randomUUID)\b/g,
    why: 'randomness is an argument',
  },
  { call: /(?<![.\w])console\s*\.\s*\w+/g, why: 'cores report by what they return' },
  { call: /(?<![.\w])process\s*\.\s*(?:env|exit|on|once|stdout|stderr|nextTick)\b/g, why: 'it reaches the process' },
];

/** All violations in a tree of sources, by path from its root with forward slashes. */
export function violations(sources: ReadonlyMap<string, string>, manifest: Package): Violation[] {
  const found: Violation[] = [];
  for (const [path, source] of sources) {
    const { imports, code } = scan(source);
    for (const one of imports) {
      const broken = one.specifier.startsWith('.') ? checkRelative(path, one) : checkBare(path, one, manifest);
      if (broken !== undefined) found.push({ path, line: one.line, ...broken });
    }
    if (isCore(path)) found.push(...checkCalls(path, code));
  }
  return found;
}

/** The file that a relative specifier means. */
export function resolveImport(path: string, specifier: string): string {
  return join(dirname(path), specifier);
}

/** `main.ts` and `service.ts` start things, io/ does them, cores decide, the rest tests them. */
type Role = 'main' | 'io' | 'core' | 'test' | 'outside';

function roleOf(path: string): Role {
  const [part, ...rest] = path.split('/');
  if (!Object.hasOwn(DIRECTIONS, part)) return 'outside';
  if (isTestSupport(path)) return 'test';
  if (rest.length === 1 && /^(main|service)\.ts$/.test(rest[0])) return 'main';
  if (rest.includes('io') || EDGES.some(({ files }) => files.test(path))) return 'io';
  return PARTS_WITHOUT_CORE.includes(part) ? 'main' : 'core';
}

/** Tests and what only they use: a name that says test, testing, fixture or contract. */
function isTestSupport(path: string): boolean {
  return /(?:^|[/.-])(?:test|testing|fixtures?|contract)(?:[/.-])/.test(path);
}

function isCore(path: string): boolean {
  return roleOf(path) === 'core';
}

type Broken = Pick<Violation, 'rule' | 'message'>;

function checkRelative(path: string, { specifier, isTypeOnly }: Import): Broken | undefined {
  const target = resolveImport(path, specifier);
  if (target === MANIFEST_PATH) return undefined;
  const [from, to] = [path.split('/')[0], target.split('/')[0]];
  if (from !== to && !DIRECTIONS[from]?.includes(to)) {
    const allowed = DIRECTIONS[from]?.join(', ') || 'nothing outside itself';
    return { rule: 'direction', message: `${from} may not import ${target}: ${from} imports ${allowed}` };
  }
  if (from !== to || isTestSupport(path)) return undefined;
  const [role, targetRole] = [roleOf(path), roleOf(target)];
  if (targetRole === 'test') {
    return { rule: 'tests-last', message: `${target} is for tests, ${path} is not one` };
  }
  if (PARTS_WITHOUT_CORE.includes(from)) return undefined;
  if (targetRole === 'main' && role !== 'main') {
    return { rule: 'main-io-core', message: `${target} is where the service starts: only main.ts imports it` };
  }
  if (role === 'core' && targetRole === 'io' && !isTypeOnly) {
    return {
      rule: 'main-io-core',
      message: `a core may not load ${target}: take what it does as an argument, import only its types`,
    };
  }
  return undefined;
}

function checkBare(path: string, one: Import, manifest: Package): Broken | undefined {
  const { specifier, names, isTypeOnly } = one;
  if (!specifier.startsWith('node:')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    const isForTests = manifest.devDependencies.includes(name);
    if (!manifest.dependencies.includes(name) && !isForTests) {
      return { rule: 'declared', message: `${name} is not declared in package.json` };
    }
    if (isForTests && !isTestSupport(path) && !isTypeOnly) {
      return { rule: 'declared', message: `${name} is a devDependency: only tests may load it` };
    }
  }
  if (!isCore(path) || isTypeOnly) return undefined;
  const impure = IMPURE.find(({ module }) => module.test(specifier));
  const isAllowed = names.length > 0 && names.every(name => impure?.allowed?.includes(name));
  if (impure !== undefined && !isAllowed) {
    return { rule: 'pure-core', message: `a core may not load ${specifier}: ${impure.why}; move it to io/` };
  }
  const random =
    specifier === 'node:crypto' &&
    names.find(name => RANDOM_NAMES.includes(name) || name === '*' || name === 'default');
  if (random)
    return { rule: 'pure-core', message: `a core may not draw random numbers (${random}): randomness is an argument` };
  return undefined;
}

function checkCalls(path: string, code: string): Violation[] {
  const found: Violation[] = [];
  for (const { call, why } of IMPURE_CALLS) {
    for (const match of code.matchAll(call)) {
      const message = `a core may not use ${match[0].replace(/\s+/g, ' ')}: ${why}`;
      found.push({ path, line: lineAt(code, match.index), rule: 'pure-core', message });
    }
  }
  return found;
}
