/**
 * The `index`th of a row of uniform uint32 that one draw stands for: a placement is given one random number and is repeatable with it,
 * however many it needs. Bit mixing after Murmur3's finaliser.
 */
export function spreadDraw(draw: number, index: number): number {
  let mixed = (draw + Math.imul(index + 1, 0x9e3779b9)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
