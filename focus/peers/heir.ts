/** Which focus takes over a conference whose home is gone, when no client has come to any: the same answer on every focus, without asking. */
import { createHash } from 'node:crypto';
import type { ConferenceId } from '../../protocol/ids.ts';

/**
 * Rendezvous hashing (Thaler and Ravishankar 1998): the focus with the highest hash of its name and the conference. When one of `focusIds`
 * goes, only its conferences get another heir. Undefined when there is nobody.
 */
export function heirOf(conferenceId: ConferenceId, focusIds: Iterable<string>): string | undefined {
  let heir: string | undefined;
  let highest = '';
  for (const focusId of focusIds) {
    const weight = createHash('sha256').update(`${conferenceId} ${focusId}`).digest('hex');
    if (heir !== undefined && (weight < highest || (weight === highest && focusId > heir))) continue;
    heir = focusId;
    highest = weight;
  }
  return heir;
}
