/** When forward error correction is worth its bytes, as rules: the first that matches decides, and its name is what `/v1/links` shows. */

export interface FecSettings {
  /** How late a packet may be for the receivers' playout buffers to still use it. */
  readonly playoutBudgetMs: number;
  /** Share of the link's bytes that may be parity, over a second. 0 turns forward error correction off. */
  readonly shareMax: number;
}

export const DEFAULT_FEC_SETTINGS: FecSettings = { playoutBudgetMs: 100, shareMax: 0.25 };

/** What the rules look at. */
export interface FecConditions extends FecSettings {
  readonly isOn: boolean;
  /** null until it is measured. */
  readonly rttMs: number | null;
  /** How much later than its successor a frame may come without having been lost. */
  readonly reorderMs: number;
  /** Share of frames that the path to the peer loses, over the last seconds; exactly 0 when there was no loss at all. */
  readonly lossShare: number;
  /** Parity was held back within the last second because the share was spent. */
  readonly isShareSpent: boolean;
  /** The most parity frames that make sense leave fewer frames to NACK than the class should. */
  readonly isTargetMet: boolean;
}

/** Loss from which on it is worth it, and the one at which it no longer is: between the two it stays what it is. */
const LOSS_SHARE_ON = 0.001;
const LOSS_SHARE_OFF = 0.0003;
/** What an answer to a NACK takes, in round trips: the request may have to wait for its turn. */
const NACK_ROUND_TRIPS = 1.1;
/** A round trip that shrinks must shrink by so much below the budget, or it would be switched with every ping. */
const ROUND_TRIP_MARGIN = 0.9;

interface FecRule {
  /** Begins with `on` or `off`. */
  readonly name: string;
  readonly matches: (conditions: FecConditions) => boolean;
}

const RULES: readonly FecRule[] = [
  { name: 'off-disabled', matches: ({ shareMax }) => shareMax === 0 },
  { name: 'off-round-trip-unknown', matches: ({ rttMs }) => rttMs === null },
  { name: 'off-no-loss', matches: ({ lossShare }) => lossShare === 0 },
  {
    name: 'off-nack-is-in-time',
    matches: ({ isOn, rttMs, reorderMs, playoutBudgetMs }) =>
      (rttMs ?? 0) * NACK_ROUND_TRIPS + reorderMs <= playoutBudgetMs * (isOn ? ROUND_TRIP_MARGIN : 1),
  },
  {
    name: 'off-little-loss',
    matches: ({ isOn, lossShare }) => lossShare < (isOn ? LOSS_SHARE_OFF : LOSS_SHARE_ON),
  },
  { name: 'on-share-is-spent', matches: ({ isShareSpent }) => isShareSpent },
  { name: 'on-target-is-out-of-reach', matches: ({ isTargetMet }) => !isTargetMet },
  { name: 'on-nack-is-late', matches: () => true },
];

/** The name of the rule that decides. */
export function fecRule(conditions: FecConditions): string {
  return RULES.find(rule => rule.matches(conditions))?.name ?? 'off-disabled';
}

/** Whether that rule means that there is forward error correction. */
export function isOnRule(name: string): boolean {
  return name.startsWith('on');
}

/** What may be left to NACK of the frames of a class, by `MediaClass`: audio, key frames, other video. */
export const LEFT_TO_NACK_MAX: readonly number[] = [0.001, 0.0005, 0.001];
/** Whose groups may wait for more frames, by `MediaClass`. Those of a key frame come all at once: waiting would only make them late. */
export const WAITS_FOR_FRAMES: readonly boolean[] = [true, false, true];
/** Part of the share that a class may fill, by `MediaClass`: the last of it is audio's, which needs little. */
export const PART_OF_SHARE: readonly number[] = [1, 0.95, 0.85];
