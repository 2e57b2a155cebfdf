/** The options of `npm start`. */
import { parseArgs } from 'node:util';
import { lastPort } from './layout.ts';
import type { NetworkOptions } from './network.ts';

export const USAGE = `usage: npm start [-- OPTIONS]

Starts a whole network in one process: a geo-proxy, a focus, and bridges in each region, with state in memory.

  --regions a,b,c         names of the regions, the first is the default one (eu,us,ap)
  --bridges-per-region N  bridges in each region (1)
  --port-base N           first of all ports: N geo-proxy, N+1 focus, then three for each bridge: control, media, Octo
                          (8080 geo-proxy, 7880 focus, from 9090 control, from 10000/udp media, from 4096/udp Octo)
  --octo-advertised N     bridges find each other at N, N+1, ... instead of their Octo ports: for a bad network between
                          them (npm run wan -- --mesh)
  --bind ADDRESS          address of the meeting page and the focus (127.0.0.1); 0.0.0.0 lets others in, and the
                          development keys are known to everybody
  --verbose               log what happens, not only what is wrong
  --help                  this text
`;

export interface StartOptions extends NetworkOptions {
  readonly isVerbose: boolean;
}

export type CommandLine =
  | { readonly kind: 'start'; readonly options: StartOptions }
  | { readonly kind: 'help' }
  /** One line that names the option and says what is allowed. */
  | { readonly kind: 'wrong'; readonly message: string };

const REGIONS_MAX = 16;
const BRIDGES_PER_REGION_MAX = 16;
const OPTIONS = {
  regions: { type: 'string', default: 'eu,us,ap' },
  'bridges-per-region': { type: 'string', default: '1' },
  'port-base': { type: 'string' },
  'octo-advertised': { type: 'string' },
  bind: { type: 'string', default: '127.0.0.1' },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Reads the arguments after the script's name. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    return read(args);
  } catch (error) {
    return { kind: 'wrong', message: `${(error as Error).message.split('. ')[0]}; see --help` };
  }
}

function read(args: readonly string[]): CommandLine {
  const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true });
  if (values.help) return { kind: 'help' };
  const regions = readRegions(values.regions);
  const bridgesPerRegion = readNumber('--bridges-per-region', values['bridges-per-region'], 1, BRIDGES_PER_REGION_MAX);
  const portBase =
    values['port-base'] === undefined ? undefined : readNumber('--port-base', values['port-base'], 1024, 65_535);
  if (portBase !== undefined && lastPort({ regions, bridgesPerRegion, portBase }) > 65_535) {
    throw new Error(`--port-base ${portBase} leaves too few ports below 65536 for so many bridges`);
  }
  const octoAdvertisedPorts = readAdvertised(values['octo-advertised'], regions.length * bridgesPerRegion);
  return {
    kind: 'start',
    options: {
      regions,
      bridgesPerRegion,
      portBase,
      octoAdvertisedPorts,
      bindAddress: values.bind,
      isVerbose: values.verbose,
    },
  };
}

function readRegions(text: string): string[] {
  const regions = text.split(',').map(name => name.trim());
  const wrong = regions.find(name => !/^[a-z0-9-]{1,32}$/.test(name));
  if (wrong !== undefined) {
    throw new Error(`--regions has ${JSON.stringify(wrong)}: a name is 1 to 32 of a-z, 0-9 and -`);
  }
  if (new Set(regions).size < regions.length) throw new Error('--regions names a region twice');
  if (regions.length > REGIONS_MAX) throw new Error(`--regions has ${regions.length} regions: at most ${REGIONS_MAX}`);
  return regions;
}

function readAdvertised(text: string | undefined, bridges: number): number[] | undefined {
  if (text === undefined) return undefined;
  const first = readNumber('--octo-advertised', text, 1, 65_536 - bridges);
  return Array.from({ length: bridges }, (_, index) => first + index);
}

function readNumber(option: string, text: string, minimum: number, maximum: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new Error(`${option} is ${JSON.stringify(text)}: a whole number from ${minimum} to ${maximum}`);
}
