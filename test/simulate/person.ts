/** A simulated person in one small integer: there are a million of them at a time, and an object each would be most of what the simulation holds. */

/** Bits: region, 0 to 31; last mile, 0 to 255 ms; when it joins, 0 to 65535 s after the meeting's start. */
export type Person = number & { readonly brand: 'person' };

const ACCESS_SHIFT = 5;
const JOINS_SHIFT = 13;
const REGION_MASK = 0x1f;
const ACCESS_MASK = 0xff;
const JOINS_MAX = 0xffff;

export interface PersonFields {
  /** Index into WORLD. */
  readonly region: number;
  /** Round trip over the last mile. */
  readonly accessMs: number;
  /** After the meeting's start. */
  readonly joinsAfterSeconds: number;
}

/** Rounded to whole numbers, and to the most that there is place for. */
export function personOf({ region, accessMs, joinsAfterSeconds }: PersonFields): Person {
  const access = Math.min(ACCESS_MASK, Math.round(accessMs));
  const joins = Math.min(JOINS_MAX, Math.round(joinsAfterSeconds));
  return (region | (access << ACCESS_SHIFT) | (joins << JOINS_SHIFT)) as Person;
}

/** Index into WORLD. */
export function regionOf(person: Person): number {
  return person & REGION_MASK;
}

/** Round trip over the last mile. */
export function accessMsOf(person: Person): number {
  return (person >> ACCESS_SHIFT) & ACCESS_MASK;
}

/** After the meeting's start. */
export function joinsAfterSecondsOf(person: Person): number {
  return person >>> JOINS_SHIFT;
}
