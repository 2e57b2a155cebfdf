/** For tests: whether native calls can be made here. */
import { loadForeign } from './foreign.ts';

/** Why the tests of this folder are skipped; false when they are not. */
export const NOT_HERE: string | false = reasonNotHere();

function reasonNotHere(): string | false {
  try {
    loadForeign();
    return false;
  } catch (error) {
    return `native calls: ${(error as Error).message}`;
  }
}
