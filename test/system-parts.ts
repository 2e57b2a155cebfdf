/** Programs that the tests need and npm does not bring. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface SystemPart {
  readonly name: string;
  /** What fails without it. */
  readonly because: string;
  /** Names it goes by; the first that is found is used. */
  readonly commands: readonly string[];
  readonly debianPackage: string;
  /** For systems without apt. */
  readonly elsewhere: string;
}

export const SYSTEM_PARTS: readonly SystemPart[] = [
  {
    name: 'Chromium',
    because: 'the end-to-end tests of the meeting page run in it',
    commands: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    debianPackage: 'chromium',
    elsewhere: 'install Chromium or Chrome, so that `chromium` or `google-chrome` is in PATH',
  },
  {
    name: 'Redis',
    because: 'the tests of the store that focuses share start their own servers',
    commands: ['redis-server'],
    debianPackage: 'redis-server',
    elsewhere: 'install Redis 7 or newer, so that `redis-server` is in PATH',
  },
  {
    name: 'HAProxy',
    because: 'the tests of the configuration that puts it in front of focuses run it',
    commands: ['haproxy'],
    debianPackage: 'haproxy',
    elsewhere: 'install HAProxy 2.6 or newer, so that `haproxy` is in PATH',
  },
];

/** The path of a part's program, or undefined when PATH has none. */
export function findPart(part: SystemPart, path = process.env['PATH'] ?? ''): string | undefined {
  for (const command of part.commands) {
    for (const folder of path.split(delimiter)) {
      if (folder !== '' && isExecutable(join(folder, command))) return join(folder, command);
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of Chromium, for tests that drive it. Throws when it is missing; `npm test` sees to it first. */
export function chromiumPath(): string {
  const part = SYSTEM_PARTS[0];
  const path = findPart(part);
  if (path === undefined) throw new Error(`${part.name} is missing: ${installHint([part])}`);
  return path;
}

const APT_UPDATE = ['apt-get', 'update'];

/** The commands that install `parts` on Debian and its kin, in order. */
export function aptCommands(parts: readonly SystemPart[]): string[][] {
  const packages = parts.map(({ debianPackage }) => debianPackage);
  return [APT_UPDATE, ['apt-get', 'install', '-y', '--no-install-recommends', ...packages]];
}

/** What to type to have `parts`. */
export function installHint(parts: readonly SystemPart[], hasApt = isExecutable('/usr/bin/apt-get')): string {
  if (!hasApt) return parts.map(({ elsewhere }) => elsewhere).join('; ');
  return aptCommands(parts)
    .map(command => `sudo ${command.join(' ')}`)
    .join(' && ');
}

/** True when missing parts can be installed here and now: root, and apt. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && isExecutable('/usr/bin/apt-get');
}
