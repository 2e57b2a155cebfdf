/** The arguments of `causeway`, read into a command or into a sentence that says what was wrong with them. */
import { parseArgs } from 'node:util';

export const USAGE = `usage: causeway COMMAND [OPTIONS]

  status                      focuses, regions, bridges with their load, and the links between them
  rooms                       open rooms: how many are in them, where, and since when
  participants ROOM           who is in a room, on which bridge
  why PARTICIPANT             why a participant is on its bridge: the rule, and all candidates. By identity or SID
                              (participants lists both), not by name
  drain BRIDGE|--region R [--deadline 60s] [--wait] [--exit] [--undo] [--follow]
                              take no new participants on a bridge, or on those of a region, and move those there to
                              others, all before the deadline. --wait leaves them until they go by themselves; --exit
                              ends the process then; --undo takes new ones again; --follow shows how it goes until
                              nobody is left
  drain --focus ID [--deadline 20s] [--undo] [--follow]
                              give the rooms and clients of a focus to others, which takes no new ones; peers.drain_timeout_ms
                              is the deadline by default. --undo takes new ones again, what has moved stays
  move PARTICIPANT [--to BRIDGE] [--room ROOM]
                              move a participant to another bridge, its session goes on; without --to, placement chooses
  move-room ROOM PARTICIPANT TO
                              move a participant to another room
  token --room ROOM [--identity NAME] [--name TEXT] [--ttl 6h] [--admin] [--listen]
                              a token to join with: --admin may also administer the room, --listen may not publish

  --url URL                   a focus (LIVEKIT_URL, else http://127.0.0.1:7880)
  --api-key KEY               (LIVEKIT_API_KEY, else devkey)
  --api-secret SECRET         (LIVEKIT_API_SECRET, else secret); better in the environment, where nobody sees it
  --json                      the answer as JSON
  --help                      this text
`;

export interface Connection {
  /** http or https, without a slash at the end. */
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

export type Command =
  | { readonly kind: 'status' | 'rooms' }
  | { readonly kind: 'participants'; readonly room: string }
  | { readonly kind: 'why'; readonly participant: string }
  | DrainCommand
  | DrainFocusCommand
  | { readonly kind: 'move'; readonly participant: string; readonly bridgeId?: string; readonly room?: string }
  | { readonly kind: 'move-room'; readonly room: string; readonly participant: string; readonly destination: string }
  | TokenCommand;

export interface DrainCommand {
  readonly kind: 'drain';
  readonly target: { readonly kind: 'bridge' | 'region'; readonly name: string };
  /** As `PUT /v1/bridges/:bridgeId/state` takes it. */
  readonly order: {
    readonly state: 'running' | 'draining';
    readonly mode?: 'move' | 'wait';
    readonly deadlineSeconds?: number;
    readonly exit?: boolean;
  };
  readonly isFollowed: boolean;
}

export interface DrainFocusCommand {
  readonly kind: 'drain-focus';
  readonly focusId: string;
  /** As `PUT /v1/focuses/:focusId/state` takes it. */
  readonly order: { readonly state: 'running' | 'draining'; readonly forMs?: number };
  readonly isFollowed: boolean;
}

export interface TokenCommand {
  readonly kind: 'token';
  readonly room: string;
  readonly identity: string;
  readonly name: string;
  readonly lifetimeSeconds: number;
  readonly isAdmin: boolean;
  readonly isListener: boolean;
}

export type CommandLine =
  | { readonly kind: 'help' }
  /** One line: what is wrong, and what is allowed. */
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'run'; readonly command: Command; readonly connection: Connection; readonly isJson: boolean };

const OPTIONS = {
  url: { type: 'string' },
  'api-key': { type: 'string' },
  'api-secret': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  undo: { type: 'boolean', default: false },
  region: { type: 'string' },
  focus: { type: 'string' },
  deadline: { type: 'string' },
  wait: { type: 'boolean', default: false },
  exit: { type: 'boolean', default: false },
  follow: { type: 'boolean', default: false },
  to: { type: 'string' },
  room: { type: 'string' },
  identity: { type: 'string' },
  name: { type: 'string' },
  ttl: { type: 'string' },
  admin: { type: 'boolean', default: false },
  listen: { type: 'boolean', default: false },
} as const;
type Values = ReturnType<typeof parse>['values'];

/** By command: its arguments' names, and the options that only it has. */
const COMMANDS: Readonly<Record<string, { readonly takes: readonly string[]; readonly options: readonly string[] }>> = {
  status: { takes: [], options: [] },
  rooms: { takes: [], options: [] },
  participants: { takes: ['ROOM'], options: [] },
  why: { takes: ['PARTICIPANT'], options: [] },
  drain: { takes: ['BRIDGE'], options: ['undo', 'region', 'focus', 'deadline', 'wait', 'exit', 'follow'] },
  move: { takes: ['PARTICIPANT'], options: ['to', 'room'] },
  'move-room': { takes: ['ROOM', 'PARTICIPANT', 'TO'], options: [] },
  token: { takes: [], options: ['room', 'identity', 'name', 'ttl', 'admin', 'listen'] },
};
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const TTL_SECONDS = 6 * 3600;
const TTL_SECONDS_MAX = 30 * 86_400;
/** What bridges take. */
const DEADLINE_SECONDS_MAX = 86_400;

/** `args` are those after the program's name. */
export function readCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  try {
    const { values, positionals } = parse(args);
    if (values.help || args.length === 0) return { kind: 'help' };
    const command = commandOf(positionals, values);
    return { kind: 'run', command, connection: connectionOf(values, env), isJson: values.json };
  } catch (error) {
    return { kind: 'wrong', message: `${(error as Error).message.split('. ')[0]}; see causeway --help` };
  }
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
}

function commandOf([name = '', ...rest]: readonly string[], values: Values): Command {
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (known === undefined) {
    throw new Error(`${JSON.stringify(name)} is no command: one of ${Object.keys(COMMANDS).join(', ')}`);
  }
  // A region stands for its bridges, and a focus has none.
  const isNamed = values.region !== undefined || values.focus !== undefined;
  const takes = name === 'drain' && isNamed ? [] : known.takes;
  if (rest.length !== takes.length) {
    const expected = takes.length === 0 ? 'no argument' : takes.join(' ');
    throw new Error(`${name} takes ${expected}, got ${rest.length === 0 ? 'none' : rest.join(' ')}`);
  }
  for (const { options } of Object.values(COMMANDS)) {
    for (const option of options) {
      const isGiven = values[option as keyof Values] !== undefined && values[option as keyof Values] !== false;
      if (isGiven && !known.options.includes(option)) throw new Error(`${name} has no option --${option}`);
    }
  }
  const [first = '', second = '', third = ''] = rest;
  switch (name) {
    case 'participants':
      return { kind: 'participants', room: first };
    case 'why':
      return { kind: 'why', participant: first };
    case 'drain':
      return values.focus === undefined ? drainCommand(first, values) : drainFocusCommand(values.focus, values);
    case 'move': {
      const { to: bridgeId, room } = values;
      return { kind: 'move', participant: first, ...(bridgeId && { bridgeId }), ...(room && { room }) };
    }
    case 'move-room':
      return { kind: 'move-room', room: first, participant: second, destination: third };
    case 'token':
      return tokenCommand(values);
    default:
      return { kind: name === 'status' ? 'status' : 'rooms' };
  }
}

function drainCommand(bridge: string, values: Values): DrainCommand {
  const { region, deadline, wait, exit, undo, follow: isFollowed } = values;
  const target =
    region === undefined ? ({ kind: 'bridge', name: bridge } as const) : ({ kind: 'region', name: region } as const);
  if (target.name === '') throw new Error(`drain needs the name of a ${target.kind}`);
  if (undo && (deadline !== undefined || wait || exit))
    throw new Error('--undo goes without --deadline, --wait and --exit');
  if (undo) return { kind: 'drain', target, order: { state: 'running' }, isFollowed };
  if (wait && deadline !== undefined && !exit)
    throw new Error('--wait moves nobody: a --deadline needs --exit, which ends the process then');
  return {
    kind: 'drain',
    target,
    order: {
      state: 'draining',
      mode: wait ? 'wait' : 'move',
      ...(deadline === undefined ? {} : { deadlineSeconds: readSeconds('--deadline', deadline, DEADLINE_SECONDS_MAX) }),
      ...(exit ? { exit } : {}),
    },
    isFollowed,
  };
}

function drainFocusCommand(focusId: string, values: Values): DrainFocusCommand {
  const { region, deadline, wait, exit, undo, follow: isFollowed } = values;
  if (focusId === '') throw new Error('drain needs the name of a focus');
  if (region !== undefined || wait || exit) throw new Error('--focus goes without --region, --wait and --exit');
  if (undo && deadline !== undefined) throw new Error('--undo goes without --deadline');
  if (undo) return { kind: 'drain-focus', focusId, order: { state: 'running' }, isFollowed };
  const seconds = deadline === undefined ? undefined : readSeconds('--deadline', deadline, DEADLINE_SECONDS_MAX);
  const order = { state: 'draining' as const, ...(seconds === undefined ? {} : { forMs: seconds * 1000 }) };
  return { kind: 'drain-focus', focusId, order, isFollowed };
}

function tokenCommand(values: Values): TokenCommand {
  const { room, identity = 'guest', name = '', ttl, admin: isAdmin, listen: isListener } = values;
  if (room === undefined || room === '') throw new Error('token needs --room ROOM');
  return { kind: 'token', room, identity, name, lifetimeSeconds: readTtl(ttl), isAdmin, isListener };
}

function readTtl(text: string | undefined): number {
  if (text === undefined) return TTL_SECONDS;
  return readSeconds('--ttl', text, TTL_SECONDS_MAX);
}

function readSeconds(option: string, text: string, secondsMax: number): number {
  const [, digits = '', unit = ''] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? 0);
  if (seconds >= 1 && seconds <= secondsMax) return seconds;
  const daysMax = secondsMax / 86_400;
  throw new Error(`${option} is ${JSON.stringify(text)}: a number with s, m, h or d, from 1s to ${daysMax}d`);
}

function connectionOf(values: Values, env: Readonly<Record<string, string | undefined>>): Connection {
  const given = values.url ?? (env['LIVEKIT_URL'] || 'http://127.0.0.1:7880');
  const url = given.replace(/^ws(?=s?:)/, 'http').replace(/\/+$/, '');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error(`--url is ${JSON.stringify(given)}: an http, https, ws or wss URL`);
  }
  return {
    url,
    apiKey: values['api-key'] ?? (env['LIVEKIT_API_KEY'] || 'devkey'),
    apiSecret: values['api-secret'] ?? (env['LIVEKIT_API_SECRET'] || 'secret'),
  };
}
