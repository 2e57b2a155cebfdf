/**
 * Whether bridges live, by agreement of signs: what a focus hears on the event stream, what a question to the control port gets, what the
 * bridge's neighbours hear on their links, and whether reports come. One silent sign stops new placements; only signs that agree make a bridge
 * `down`. README.md has the rules as a table. Decides only: io/bridge-health-watch.ts owns the clock and asks the questions.
 */
import type { BridgeId } from '../../protocol/ids.ts';
import { NeighbourWords } from './neighbour-words.ts';

/** `opening`: it has never been open, and there was no time for it yet. `closed`: it ended, or could not be opened. */
export type StreamSign = 'opening' | 'heard' | 'silent' | 'closed';
/** `refused`: the host answered that nobody listens. `pending`: asked, or about to be, since the stream fell silent. */
export type ProbeSign = 'not-needed' | 'pending' | 'answered' | 'silent' | 'refused';
/** `none`: no bridge has a link to it, or none that is heard itself. `unclear`: all are silent, but a link has two ends, and none of theirs is proven. */
export type LinksSign = 'none' | 'heard' | 'silent' | 'unclear';
/** `heard`: a report came after the stream fell silent. */
export type ReportsSign = 'heard' | 'silent' | 'not-needed';
/** Whether this focus hears anybody else: `alone` when nobody in the region, or nobody at all, is heard. */
export type OthersSign = 'heard' | 'alone';

export interface Signs {
  readonly stream: StreamSign;
  readonly probe: ProbeSign;
  readonly links: LinksSign;
  readonly reports: ReportsSign;
  readonly others: OthersSign;
  /** What neighbours say of their links to it, by name. */
  readonly neighbours: Readonly<Record<string, 'heard' | 'silent'>>;
}

export type HealthState = 'up' | 'suspected' | 'down';

export interface Health {
  readonly bridgeId: BridgeId;
  readonly state: HealthState;
  /** Name of the rule that says so. */
  readonly rule: string;
  readonly signs: Signs;
  readonly sinceMs: number;
}

export interface HealthChange extends Health {
  readonly before: HealthState;
  readonly bootId: string;
  /** From the last word heard of the bridge to this change. */
  readonly unheardMs: number;
}

export type HealthOutput =
  | { readonly kind: 'probe'; readonly bridgeId: BridgeId }
  | { readonly kind: 'changed'; readonly change: HealthChange };

export interface HealthSettings {
  /** A stream with a heartbeat is silent after this. */
  readonly streamSilentMs: number;
  /** The same for a bridge without one: it has a line every 2 s. */
  readonly slowStreamSilentMs: number;
}

export interface HealthRule {
  readonly name: string;
  readonly state: HealthState;
  readonly holds: (signs: Signs, hasHadStream: boolean) => boolean;
}

const isUnheard = ({ stream }: Signs): boolean => stream === 'silent' || stream === 'closed';

/** First match wins. */
export const HEALTH_RULES: readonly HealthRule[] = [
  {
    // The host says that nobody listens: no other sign is needed. A bridge that was never reached is a wrong URL, not a dead one.
    name: 'process-gone',
    state: 'down',
    holds: (signs, hasHadStream) =>
      hasHadStream && isUnheard(signs) && signs.probe === 'refused' && signs.reports !== 'heard',
  },
  { name: 'still-reports', state: 'suspected', holds: signs => isUnheard(signs) && signs.reports === 'heard' },
  {
    name: 'heard-by-neighbours',
    state: 'suspected',
    holds: signs => isUnheard(signs) && signs.probe === 'silent' && signs.links === 'heard',
  },
  {
    // The focus hears nobody: it is the one that is cut off, unless bridges that it does hear say otherwise.
    name: 'focus-hears-nobody',
    state: 'suspected',
    holds: signs =>
      isUnheard(signs) && signs.probe === 'silent' && signs.others === 'alone' && signs.links !== 'silent',
  },
  { name: 'signs-agree', state: 'down', holds: signs => isUnheard(signs) && signs.probe === 'silent' },
  { name: 'stream-silent', state: 'suspected', holds: isUnheard },
  { name: 'links-silent', state: 'suspected', holds: signs => signs.links === 'silent' },
  { name: 'heard', state: 'up', holds: () => true },
];

/** Ticks so far apart say that the focus itself was stalled: what came meanwhile has not been read yet. */
export const STALL_MS = 200;
/** A bridge is asked when its stream has been silent for this part of the time after which it is suspected. */
const ASK_AFTER_SHARE = 2 / 3;
/** Pause between an answer to a probe and the next one; the longer one for a bridge that has been suspected for a while. */
const PROBE_PAUSE_MS = 250;
const PROBE_PAUSE_LATER_MS = 2_000;
const LATER_MS = 10_000;
/** A report that was on its way when the stream ended is no sign of life. */
const REPORT_GRACE_MS = 250;
/** Reports come every 2 s. */
const REPORT_AGE_MS_MAX = 5_000;

/** Twice the bridges that a focus takes: those that are up, and as many that were. */
const BOOTS_MAX = 2_000;

interface Entry {
  readonly bridgeId: BridgeId;
  readonly bootId: string;
  readonly region: string;
  hasHadStream: boolean;
  isStreamClosed: boolean;
  heardMs: number;
  reportedMs: number;
  silentAfterMs: number;
  probe: 'silent' | 'refused' | 'answered' | undefined;
  /** Undefined: none is under way. */
  probeAskedMs: number | undefined;
  probeDueMs: number;
  health: Health;
}

const NO_SIGNS: Signs = {
  stream: 'opening',
  probe: 'not-needed',
  links: 'none',
  reports: 'not-needed',
  others: 'heard',
  neighbours: {},
};

export class BridgeHealth {
  readonly #settings: HealthSettings;
  readonly #entries = new Map<BridgeId, Entry>();
  readonly #words = new NeighbourWords();
  /** The last process of each bridge, in the order they came: words of a link to an older one are forgotten. */
  readonly #boots = new Map<BridgeId, string>();
  readonly #outputs: HealthOutput[] = [];
  #tickedMs = Number.NEGATIVE_INFINITY;
  /** Silence counts from here at the earliest: what a stalled focus did not hear, it did not listen for. */
  #freshSinceMs = Number.NEGATIVE_INFINITY;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  /** A bridge, or a new process of it. */
  handleUp(nowMs: number, bridgeId: BridgeId, bootId: string, region: string): void {
    if (this.#boots.get(bridgeId) !== bootId) this.#words.forget(bridgeId);
    this.#noteBoot(bridgeId, bootId);
    this.#entries.set(bridgeId, {
      bridgeId,
      bootId,
      region,
      hasHadStream: false,
      isStreamClosed: false,
      heardMs: nowMs,
      reportedMs: Number.NEGATIVE_INFINITY,
      silentAfterMs: this.#settings.slowStreamSilentMs,
      probe: undefined,
      probeAskedMs: undefined,
      probeDueMs: Number.NEGATIVE_INFINITY,
      health: { bridgeId, state: 'up', rule: 'heard', signs: NO_SIGNS, sinceMs: nowMs },
    });
  }

  /** It is of no interest any more: down, or forgotten. */
  handleGone(bridgeId: BridgeId): void {
    this.#entries.delete(bridgeId);
  }

  /** Its event stream is open; what it said of its neighbours before is said anew. */
  handleStreamOpen(nowMs: number, bridgeId: BridgeId): void {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined) return;
    this.#words.startAnew(bridgeId);
    entry.hasHadStream = true;
    entry.isStreamClosed = false;
    this.#hear(nowMs, entry);
  }

  /** Any line on its stream. `hasHeartbeat`, once its report has said so: lines come several times a second. */
  handleLine(nowMs: number, bridgeId: BridgeId, hasHeartbeat?: boolean): void {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined) return;
    const { streamSilentMs, slowStreamSilentMs } = this.#settings;
    if (hasHeartbeat !== undefined) entry.silentAfterMs = hasHeartbeat ? streamSilentMs : slowStreamSilentMs;
    this.#hear(nowMs, entry);
  }

  handleStreamClosed(nowMs: number, bridgeId: BridgeId): void {
    this.#noteStall(nowMs);
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined || entry.isStreamClosed) return;
    entry.isStreamClosed = true;
    if (entry.probeAskedMs === undefined) this.#ask(nowMs, entry);
    this.#judge(nowMs, entry);
  }

  /** A report came by itself, not on the stream. */
  handleReport(nowMs: number, bridgeId: BridgeId): void {
    const entry = this.#entries.get(bridgeId);
    if (entry !== undefined) entry.reportedMs = nowMs;
  }

  /** What became of the probe asked last. */
  handleProbe(nowMs: number, bridgeId: BridgeId, result: 'answered' | 'silent' | 'refused'): void {
    this.#noteStall(nowMs);
    const entry = this.#entries.get(bridgeId);
    if (entry?.probeAskedMs === undefined) return;
    // One that a stall came between may have been answered in time.
    const isFresh = entry.probeAskedMs >= this.#freshSinceMs || result !== 'silent';
    if (isFresh) entry.probe = result;
    entry.probeAskedMs = undefined;
    const isLate = entry.health.state === 'suspected' && nowMs - entry.health.sinceMs >= LATER_MS;
    if (isFresh) entry.probeDueMs = nowMs + (isLate ? PROBE_PAUSE_LATER_MS : PROBE_PAUSE_MS);
    else entry.probeDueMs = nowMs;
    this.#judge(nowMs, entry);
  }

  /** What `from` hears of `about`; `gone`: they have no link any more. */
  handleNeighbour(nowMs: number, from: BridgeId, about: BridgeId, word: 'heard' | 'silent' | 'gone'): void {
    this.#noteStall(nowMs);
    this.#words.note(from, about, word);
    const entry = this.#entries.get(about);
    if (entry !== undefined) this.#judge(nowMs, entry);
  }

  /** Several times in {@link HealthSettings.streamSilentMs}. */
  handleTimeout(nowMs: number): void {
    this.#noteStall(nowMs);
    for (const entry of this.#entries.values()) {
      const quietMs = nowMs - this.#quietSinceMs(entry);
      if (!entry.isStreamClosed && quietMs < entry.silentAfterMs * ASK_AFTER_SHARE) continue;
      if (entry.probeAskedMs === undefined && nowMs >= entry.probeDueMs) this.#ask(nowMs, entry);
    }
    for (const entry of [...this.#entries.values()]) this.#judge(nowMs, entry);
  }

  pollOutput(): HealthOutput | undefined {
    return this.#outputs.shift();
  }

  /** Undefined for a bridge that is not known: it is down, or was never up. */
  health(bridgeId: BridgeId): Health | undefined {
    return this.#entries.get(bridgeId)?.health;
  }

  /** True while other bridges hear one that this focus does not: it is not to be given up. */
  isVouchedFor(bridgeId: BridgeId): boolean {
    return this.#entries.get(bridgeId)?.health.rule === 'heard-by-neighbours';
  }

  #noteBoot(bridgeId: BridgeId, bootId: string): void {
    this.#boots.delete(bridgeId);
    this.#boots.set(bridgeId, bootId);
    if (this.#boots.size <= BOOTS_MAX) return;
    const [oldest] = this.#boots.keys();
    this.#boots.delete(oldest!);
    this.#words.forget(oldest!);
  }

  #noteStall(nowMs: number): void {
    if (nowMs - this.#tickedMs > STALL_MS) this.#freshSinceMs = nowMs;
    this.#tickedMs = nowMs;
  }

  #hear(nowMs: number, entry: Entry): void {
    entry.heardMs = nowMs;
    entry.probe = undefined;
    entry.probeDueMs = Number.NEGATIVE_INFINITY;
    if (entry.health.rule !== 'heard') this.#judge(nowMs, entry);
  }

  #ask(nowMs: number, entry: Entry): void {
    entry.probeAskedMs = nowMs;
    this.#outputs.push({ kind: 'probe', bridgeId: entry.bridgeId });
  }

  #quietSinceMs({ heardMs }: Entry): number {
    return Math.max(heardMs, this.#freshSinceMs);
  }

  #streamOf(nowMs: number, entry: Entry): StreamSign {
    if (entry.isStreamClosed) return 'closed';
    if (nowMs - this.#quietSinceMs(entry) >= entry.silentAfterMs) return 'silent';
    return entry.hasHadStream ? 'heard' : 'opening';
  }

  #signsOf(nowMs: number, entry: Entry): Signs {
    const stream = this.#streamOf(nowMs, entry);
    const isSure = (from: BridgeId) => {
      const other = this.#entries.get(from);
      return other !== undefined && this.#streamOf(nowMs, other) === 'heard';
    };
    const { sign: links, neighbours } = this.#words.about(entry.bridgeId, isSure);
    if (stream === 'heard' || stream === 'opening') return { ...NO_SIGNS, stream, links, neighbours };
    const hasReported = entry.reportedMs > entry.heardMs + REPORT_GRACE_MS;
    return {
      stream,
      probe: entry.probe ?? 'pending',
      links,
      reports: hasReported && nowMs - entry.reportedMs < REPORT_AGE_MS_MAX ? 'heard' : 'silent',
      others: this.#isAlone(nowMs, entry) ? 'alone' : 'heard',
      neighbours,
    };
  }

  /** True when there are others in its region and none is heard, or others anywhere and none is. Whoever refuses is heard: its host answers. */
  #isAlone(nowMs: number, entry: Entry): boolean {
    let [inRegion, heardInRegion, anywhere, heardAnywhere] = [0, 0, 0, 0];
    for (const other of this.#entries.values()) {
      if (other === entry) continue;
      const isHeard = this.#streamOf(nowMs, other) === 'heard' || other.probe === 'refused' ? 1 : 0;
      anywhere++;
      heardAnywhere += isHeard;
      if (other.region !== entry.region) continue;
      inRegion++;
      heardInRegion += isHeard;
    }
    return (inRegion > 0 && heardInRegion === 0) || (anywhere > 0 && heardAnywhere === 0);
  }

  #judge(nowMs: number, entry: Entry): void {
    const signs = this.#signsOf(nowMs, entry);
    const { name, state } = HEALTH_RULES.find(({ holds }) => holds(signs, entry.hasHadStream))!;
    const { health: before } = entry;
    const sinceMs = before.state === state ? before.sinceMs : nowMs;
    entry.health = { bridgeId: entry.bridgeId, state, rule: name, signs, sinceMs };
    if (before.state === state && before.rule === name) return;
    const change = { ...entry.health, before: before.state, bootId: entry.bootId, unheardMs: nowMs - entry.heardMs };
    if (state === 'down') this.handleGone(entry.bridgeId);
    this.#outputs.push({ kind: 'changed', change });
  }
}
