/** Answers as people read them. */
import type {
  BridgeAnswer,
  BridgeStateAnswer,
  FocusAnswer,
  LinkAnswer,
  MovedAnswer,
  PlacementAnswer,
  RoomAnswer,
  StatusAnswer,
} from './answers.ts';
import { type Column, formatTable, shown } from './table.ts';

export function statusView(status: StatusAnswer): string {
  const { ready, problems, focuses, bridges, links, silent } = status;
  const head = ready ? 'ready: joins can be served\n' : `not ready: ${problems.join('; ')}\n`;
  const parts = [
    head,
    formatTable(FOCUS_COLUMNS, focuses),
    formatTable(REGION_COLUMNS, regionsOf(bridges)),
    formatTable(BRIDGE_COLUMNS, bridges),
  ];
  if (links.length > 0) parts.push(formatTable(LINK_COLUMNS, links));
  else parts.push('no links: no conference is on more than one bridge\n');
  if (silent.length > 0) parts.push(`did not answer for their links: ${silent.map(shown).join(', ')}\n`);
  return parts.join('\n');
}

export function roomsView(rooms: readonly RoomAnswer[], nowMs: number): string {
  if (rooms.length === 0) return 'no room is open\n';
  const columns: Column<RoomAnswer>[] = [
    { heading: 'ROOM', cell: ({ name }) => name },
    { heading: 'PARTICIPANTS', cell: ({ participants }) => `${participants.length}`, isRight: true },
    { heading: 'REGIONS', cell: ({ participants }) => tally(participants.map(({ region }) => region)) },
    { heading: 'BRIDGES', cell: ({ participants }) => tally(participants.map(({ bridge }) => bridge)) },
    { heading: 'OPEN FOR', cell: ({ createdAtMs }) => duration(nowMs - createdAtMs), isRight: true },
  ];
  return formatTable(columns, rooms);
}

export function participantsView({ name, participants }: RoomAnswer): string {
  if (participants.length === 0) return `nobody is in ${shown(name)}\n`;
  return formatTable(
    [
      { heading: 'PARTICIPANT', cell: ({ identity }) => identity },
      { heading: 'SID', cell: ({ sid }) => sid },
      { heading: 'STATE', cell: ({ state }) => state },
      { heading: 'REGION', cell: ({ region }) => region },
      { heading: 'BRIDGE', cell: ({ bridge }) => bridge },
    ],
    participants,
  );
}

/** The sentence first, then every candidate. */
export function whyView({ identity, sid, room, move, placement }: PlacementAnswer, nowMs: number): string {
  const { bridgeId, rule, region, placedFor, sticky, candidates, at } = placement;
  const where = bridgeId === null ? 'on no bridge' : `on ${bridgeId}`;
  const stood = placedFor === region ? '' : `, placed for ${placedFor}: its own region has no bridge to use`;
  const before = sticky?.ignored === undefined ? '' : `; not on ${sticky.bridgeId} again: ${sticky.ignored}`;
  const ago = `${duration(nowMs - at)} ago`;
  const moved = move === undefined ? '' : `, moved from ${move.from} (${move.cause})`;
  const sentence = `${identity} (${sid}) in ${room} is ${where} by the rule ${rule}${moved}; client in ${region}${stood}${before}; ${ago}`;
  const columns: Column<(typeof candidates)[number]>[] = [
    { heading: '', cell: candidate => (candidate.bridgeId === bridgeId ? '>' : '') },
    { heading: 'BRIDGE', cell: candidate => candidate.bridgeId },
    { heading: 'REGION', cell: candidate => candidate.region },
    { heading: 'STRESS', cell: ({ stress }) => stress.toFixed(2), isRight: true },
    { heading: 'OF THE CONFERENCE', cell: ({ inConference }) => `${inConference}`, isRight: true },
    { heading: 'REJECTED BY', cell: ({ rejectedBy }) => rejectedBy ?? '' },
  ];
  return `${shown(sentence)}\n\n${formatTable(columns, candidates)}`;
}

/** Why a participant stays where it is, or is gone, when it was to be moved. */
const NOT_MOVED: Readonly<Record<string, string | undefined>> = {
  gone: 'it has left',
  'no-bridge': 'no such bridge can take it',
  'same-bridge': 'it is there',
  forwarded: 'it is forwarded from another room, and is where it is there: move that one',
  'moved-just-now': 'it has moved less than 2 s ago, and its client is not to be asked again so soon; try again',
  'signal-away': 'its signalling connection is away at the moment',
  'timed-out': 'its client did not come up there, and was told to join anew',
  left: 'it left meanwhile, or was told to join anew because its client cannot be moved',
};

export function movedView({ identity, outcome, from = '', to = '', tookMs = 0 }: MovedAnswer): string {
  if (outcome !== 'moved') return `${shown(identity)} was not moved: ${NOT_MOVED[outcome] ?? shown(outcome)}\n`;
  return `${shown(identity)} has moved from ${shown(from)} to ${shown(to)} in ${Math.round(tookMs)} ms\n`;
}

/** One line for each bridge. */
export function drainView(states: readonly BridgeStateAnswer[], silent: readonly string[]): string {
  const lines = states.map(({ bridgeId, state, endpoints, drain, progress }) => {
    const there = `${endpoints} ${endpoints === 1 ? 'endpoint is' : 'endpoints are'} there`;
    const deadline = drain?.deadlineInSeconds ?? null;
    const left = deadline === null ? '' : deadline >= 0 ? `, ${deadline} s left` : ', past its deadline';
    const { moved = 0, failed = 0, lastFailure } = progress ?? {};
    const moves = progress === null ? '' : `, ${moved} moved`;
    const failures = failed === 0 ? '' : `, ${failed} tries failed (${lastFailure})`;
    return `${shown(bridgeId)} is ${state}: ${there}${moves}${failures}${state === 'draining' ? left : ''}\n`;
  });
  if (silent.length > 0) lines.push(`did not take the order: ${silent.map(shown).join(', ')}\n`);
  return lines.join('');
}

/** One line. `nowMs`: a focus that is past its deadline moves nobody any more. */
export function focusDrainView({ focusId, state, rooms, relayedOut, drain }: FocusAnswer, nowMs: number): string {
  if (rooms === null || relayedOut === null) return `${shown(focusId)} is ${state}: it does not answer\n`;
  const has = `${count(rooms, 'room')}, and ${count(relayedOut, 'client')} of rooms elsewhere`;
  const moved = drain === null ? '' : `, ${count(drain.roomsMoved, 'room')} given to others`;
  const leftS = drain === null ? 0 : Math.ceil((drain.deadlineMs - nowMs) / 1000);
  const deadline = drain === null ? '' : leftS > 0 ? `, ${leftS} s left` : ', past its deadline';
  return `${shown(focusId)} is ${state}: it has ${has}${moved}${deadline}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

interface Region {
  readonly name: string;
  readonly bridges: readonly BridgeAnswer[];
}

const FOCUS_COLUMNS: readonly Column<FocusAnswer>[] = [
  { heading: 'FOCUS', cell: ({ focusId }) => focusId },
  { heading: 'REGION', cell: ({ region }) => region },
  { heading: 'STATE', cell: ({ state, rooms }) => (rooms === null ? `${state}, does not answer` : state) },
  { heading: 'ROOMS', cell: ({ rooms }) => `${rooms ?? '-'}`, isRight: true },
  { heading: 'SESSIONS', cell: ({ sessions }) => `${sessions ?? '-'}`, isRight: true },
  { heading: 'RELAYED', cell: ({ relayedOut }) => `${relayedOut ?? '-'}`, isRight: true },
  { heading: 'RTT', cell: ({ rttMs }) => (rttMs === null ? '-' : `${rttMs.toFixed(1)} ms`), isRight: true },
  { heading: 'VERSION', cell: ({ version }) => version },
];

const REGION_COLUMNS: readonly Column<Region>[] = [
  { heading: 'REGION', cell: ({ name }) => name },
  { heading: 'BRIDGES', cell: ({ bridges }) => tally(bridges.map(({ state }) => state)) },
  { heading: 'ENDPOINTS', cell: ({ bridges }) => `${sum(bridges.map(({ load }) => load.endpoints))}`, isRight: true },
  { heading: 'STRESS', cell: ({ bridges }) => stressRange(bridges), isRight: true },
];

const BRIDGE_COLUMNS: readonly Column<BridgeAnswer>[] = [
  { heading: 'BRIDGE', cell: ({ bridgeId }) => bridgeId },
  { heading: 'REGION', cell: ({ region }) => region },
  {
    heading: 'STATE',
    cell: ({ state, health }) => (health?.state === 'suspected' ? `${state}, suspected: ${health.rule}` : state),
  },
  { heading: 'STRESS', cell: ({ load }) => load.stress.toFixed(2), isRight: true },
  { heading: 'CPU', cell: ({ load }) => percent(load.cpu), isRight: true },
  { heading: 'ENDPOINTS', cell: ({ load }) => `${load.endpoints}`, isRight: true },
  { heading: 'PLACED SINCE', cell: ({ placedSinceReport }) => `${placedSinceReport}`, isRight: true },
  { heading: 'CONFERENCES', cell: ({ load }) => `${load.conferences}`, isRight: true },
  { heading: 'IN', cell: ({ load }) => rate(load.bitrateInBps), isRight: true },
  { heading: 'OUT', cell: ({ load }) => rate(load.bitrateOutBps), isRight: true },
  { heading: 'REPORT', cell: ({ reportAgeMs }) => `${(reportAgeMs / 1000).toFixed(1)} s ago`, isRight: true },
  { heading: 'VERSION', cell: ({ version }) => version },
];

const LINK_COLUMNS: readonly Column<LinkAnswer>[] = [
  { heading: 'LINK', cell: ({ from, to }) => `${from} > ${to}` },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'RTT', cell: ({ rttMs }) => (rttMs === null ? '-' : `${rttMs.toFixed(1)} ms`), isRight: true },
  { heading: 'LOSS', cell: ({ lossOut }) => percent(lossOut), isRight: true },
  { heading: 'SENT', cell: ({ sentBps }) => rate(sentBps), isRight: true },
  {
    heading: 'BUDGET',
    cell: ({ sendBudgetBps }) => (sendBudgetBps === null ? 'no limit' : rate(sendBudgetBps)),
    isRight: true,
  },
  { heading: 'CONFERENCES', cell: ({ conferences }) => `${conferences}`, isRight: true },
];

function regionsOf(bridges: readonly BridgeAnswer[]): Region[] {
  const byName = Map.groupBy(bridges, ({ region }) => region);
  return [...byName].map(([name, own]) => ({ name, bridges: own })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `3 eu, 1 us`: the most first. */
function tally(names: readonly string[]): string {
  const counts = [...Map.groupBy(names, name => name)].map(([name, all]) => [name, all.length] as const);
  return counts
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

function stressRange(bridges: readonly BridgeAnswer[]): string {
  const values = bridges.map(({ load }) => load.stress);
  const [least, most] = [Math.min(...values).toFixed(2), Math.max(...values).toFixed(2)];
  return least === most ? least : `${least} to ${most}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

function rate(bps: number): string {
  if (bps >= 1e9) return `${(bps / 1e9).toFixed(2)} Gbit/s`;
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
