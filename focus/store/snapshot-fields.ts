/** What a conference's snapshot may be made of: the same for every store. */
import { SNAPSHOT_FIELD_BYTES_MAX } from './store.ts';

/** Throws a RangeError for a field that is larger than a store takes. */
export function checkSnapshotFields(fields: ReadonlyMap<string, Uint8Array | null>): void {
  for (const [field, value] of fields) {
    if (value === null || value.length <= SNAPSHOT_FIELD_BYTES_MAX) continue;
    const allowed = `allowed: up to ${SNAPSHOT_FIELD_BYTES_MAX}`;
    throw new RangeError(`field ${JSON.stringify(field)} of a snapshot has ${value.length} bytes; ${allowed}`);
  }
}
