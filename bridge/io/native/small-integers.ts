/** Integers as native calls take them, made once: `SMALL_INTEGERS[n]` for n from 0 to {@link SMALL_INTEGER_MAX}. */
export const SMALL_INTEGER_MAX = 4096;

export const SMALL_INTEGERS: readonly bigint[] = Array.from({ length: SMALL_INTEGER_MAX + 1 }, (_, value) =>
  BigInt(value),
);
