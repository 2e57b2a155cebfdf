/** Regions that stand in for each other (`placement.region_groups`). */

type Groups = readonly (readonly string[])[];

// Asked several times at each placement, of a configuration that never changes.
const KNOWN = new WeakMap<Groups, ReadonlyMap<string, readonly string[]>>();

/** A region and those that may stand in for it, itself first. Of several groups with it the first counts. */
export function groupOf(region: string, groups: Groups): readonly string[] {
  if (groups.length === 0) return [region];
  let known = KNOWN.get(groups);
  if (known === undefined) {
    known = standIns(groups);
    KNOWN.set(groups, known);
  }
  return known.get(region) ?? [region];
}

function standIns(groups: Groups): Map<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  for (const group of groups) {
    for (const name of group) {
      if (!known.has(name)) known.set(name, [name, ...group.filter(other => other !== name)]);
    }
  }
  return known;
}
