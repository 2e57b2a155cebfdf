/** Snapshots of rooms in the store. What was written is kept here as well, for the day on which the store has lost it. */
import type { ConferenceId } from '../../../protocol/ids.ts';
import { checkSnapshotFields } from '../snapshot-fields.ts';
import type { Store } from '../store.ts';
import type { StoreContext } from './optimism.ts';
import type { Argument } from './redis-commands.ts';

export interface Snapshots extends Pick<Store, 'saveRoom' | 'loadRoom'> {
  /** Writes all of it anew when the store has another state of it than was last written. `saves`: the store's count of writes. */
  putRight(conferenceId: ConferenceId, saves: number): Promise<void>;
}

export function createSnapshots({ commands, holdings, focusId, shiftMs }: StoreContext): Snapshots {
  async function save(
    conferenceId: ConferenceId,
    fields: ReadonlyMap<string, Uint8Array | null>,
    isWhole: boolean,
  ): Promise<number> {
    const removed = [...fields].filter(([, value]) => value === null).map(([field]) => field);
    const written = [...fields].flatMap(([field, value]): Argument[] => (value === null ? [] : [field, value]));
    const term = holdings.conference(conferenceId)?.term ?? 0;
    const args = [shiftMs(), focusId, conferenceId, term, isWhole ? 1 : 0, removed.length, ...removed, ...written];
    return Number(await commands.run('saveRoom', args));
  }

  return {
    async saveRoom(conferenceId, fields) {
      checkSnapshotFields(fields);
      holdings.noteSaving(conferenceId, fields);
      const saves = await save(conferenceId, fields, false);
      if (saves > 0) {
        holdings.noteSaved(conferenceId, saves);
        return true;
      }
      if (saves === 0 && holdings.conference(conferenceId) !== undefined) {
        // The store has lost what is this focus's: the next turn of upkeep puts all of it back.
        holdings.change(conferenceId);
        return true;
      }
      holdings.lose(conferenceId);
      return false;
    },
    async loadRoom(conferenceId) {
      const reply = await commands.runForBytes('loadRoom', [shiftMs(), conferenceId]);
      const fields = new Map<string, Uint8Array>();
      for (let index = 0; index < reply.length; index += 2) {
        fields.set(new TextDecoder().decode(reply[index]!), reply[index + 1]!);
      }
      holdings.noteLoaded(conferenceId, fields);
      return fields;
    },
    async putRight(conferenceId, saves) {
      const held = holdings.conference(conferenceId);
      if (held === undefined || held.snapshot.size === 0 || (saves === held.saves && saves > 0)) return;
      const written = await save(conferenceId, held.snapshot, true);
      if (written > 0) holdings.noteSaved(conferenceId, written);
    },
  };
}
