import { setFlagsFromString } from 'node:v8';

/**
 * How far the old generation may outgrow what was alive after its last collection, in percent, before V8 collects it again. By itself V8 leaves a heap of 40 MB that does not
 * grow so little room that the young generation's reserve uses it up: it then marks and compacts the whole heap again and again, 10 to 30 ms each, for nothing. A bridge
 * allocates little that lasts, so with this room it does not come to that while it forwards.
 */
const GROWTH_PERCENT = 200;

/**
 * The young generation does not grow: a megabyte of it, every second or so under load, is collected in half a millisecond. With 16 MB and more V8 comes by less often, for
 * longer, and when many have joined meanwhile, for tens of milliseconds.
 */
const YOUNG_GROWTH_FACTOR = 1;

/** Sets both for this process. They take effect with the next collections. */
export function keepPausesShort(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString(`--semi-space-growth-factor=${YOUNG_GROWTH_FACTOR}`);
}
