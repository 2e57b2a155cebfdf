/** What a machine rings when something it does is due later: an early ring is harmless, so it only ever asks for an earlier one. */
export interface Alarm {
  /** Look at me at `dueMs`, or sooner if that was asked for already. */
  bringForward(dueMs: number): void;
}

/** Where nobody listens: a machine's alarm until its owner gives it one. */
export const NO_ALARM: Alarm = { bringForward() {} };
