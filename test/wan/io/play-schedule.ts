import { SettingsError } from '../path-settings.ts';
import { applyChange, type ScheduledChange } from '../schedule.ts';
import type { ImpairedPath } from './departures.ts';

/** What a schedule is played on. */
export interface Impaired {
  readonly paths: readonly ImpairedPath[];
}

/**
 * Plays a schedule on a proxy, from now on; `tell` hears of each change as it happens, and of those that the settings then in force do not allow (which
 * are left out). Returns what stops it.
 */
export function playSchedule(
  proxy: Impaired,
  schedule: readonly ScheduledChange[],
  tell: (line: string) => void,
): () => void {
  const initial = proxy.paths.map(path => ({ forth: path.settings('forth'), back: path.settings('back') }));
  const timers = schedule.map(scheduled =>
    setTimeout(() => {
      const where = scheduled.path === undefined ? 'all paths' : `path ${scheduled.path + 1}`;
      const line = `${where} ${scheduled.directions.join(' and ')}: ${scheduled.text}`;
      try {
        play(proxy, initial, scheduled);
        tell(line);
      } catch (error) {
        if (!(error instanceof SettingsError)) throw error;
        tell(`${line} (left out: ${error.message})`);
      }
    }, scheduled.atMs),
  );
  return () => timers.forEach(clearTimeout);
}

type Settings = ReturnType<ImpairedPath['settings']>;

/** All of it or nothing. */
function play(
  proxy: Impaired,
  initial: readonly { readonly forth: Settings; readonly back: Settings }[],
  scheduled: ScheduledChange,
): void {
  const changes = proxy.paths.flatMap((path, index) =>
    scheduled.path === undefined || scheduled.path === index
      ? scheduled.directions.map(direction => {
          const settings = applyChange(initial[index][direction], path.settings(direction), scheduled);
          return { path, direction, settings };
        })
      : [],
  );
  for (const { path, direction, settings } of changes) path.change(direction, settings);
}
