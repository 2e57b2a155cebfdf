/**
 * The native datapath under random load, for as long as it is told to, on one core:
 *
 *   node test/soak/main.ts [--minutes 30] [--seed N]
 *
 * Clients join and leave, some without a word; they and others send packets of all sizes, whole, damaged and forged; system calls fail; ports are opened
 * again. Every ten seconds all comes to rest, and every datagram, native context, descriptor and byte of memory is accounted for (soak.ts, steadiness.ts).
 * One line at the end says how it went; the exit code is 0, 1 for a fault, 2 for arguments it does not know or a platform without native calls.
 */
import { parseArgs } from 'node:util';
import { NOT_HERE } from '../../bridge/io/native/native.platform.ts';
import { Chance } from './chance.ts';
import { Soak } from './soak.ts';
import { growth, megabytes, SAMPLES_MIN, type Sample, takeSample } from './steadiness.ts';

const REST_EVERY_MS = 10_000;
/** Of turns that end with a pause, so that bursts come in waves. */
const PAUSES = 0.3;
const PAUSE_MS_MAX = 4;

class UsageError extends Error {}

const startedAt = performance.now();
let seed = 0;

process.on('uncaughtException', error =>
  end(error instanceof UsageError ? 2 : 1, error instanceof UsageError ? error.message : String(error.stack)),
);
await main();

async function main(): Promise<void> {
  const minutes = readArguments();
  const chance = new Chance(seed);
  print(`soak of the native datapath: ${minutes} minutes, seed ${seed}`);
  const soak = await Soak.open(chance);
  const samples: Sample[] = [];
  const endAt = startedAt + minutes * 60_000;
  while (performance.now() < endAt) {
    await load(soak, chance, Math.min(endAt, performance.now() + REST_EVERY_MS));
    await soak.rest();
    samples.push(takeSample());
    print(progress(soak, samples.at(-1)!));
    const faults = soak.faults();
    if (faults.length > 0) end(1, faults.join('; '), soak);
    await soak.renew();
  }
  if (samples.length < SAMPLES_MIN) print('too short to judge whether memory stays flat');
  const faults = [...(await soak.close()), ...growth(samples)];
  end(faults.length === 0 ? 0 : 1, faults.join('; '), soak);
}

async function load(soak: Soak, chance: Chance, until: number): Promise<void> {
  while (performance.now() < until) {
    await soak.turn();
    if (chance.is(PAUSES)) await new Promise(resolve => setTimeout(resolve, 1 + chance.below(PAUSE_MS_MAX)));
    else await new Promise(resolve => setImmediate(resolve));
  }
}

/** Sets the seed; the minutes. */
function readArguments(): number {
  const { values } = parsedArguments();
  const minutes = Number(values.minutes);
  seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!(minutes > 0)) throw new UsageError(`--minutes ${values.minutes}; allowed: a number above 0`);
  if (!Number.isInteger(seed)) throw new UsageError(`--seed ${values.seed}; allowed: an integer`);
  if (NOT_HERE !== false) throw new UsageError(`nothing to soak here: ${NOT_HERE}`);
  return minutes;
}

function parsedArguments() {
  try {
    return parseArgs({ options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string' } } });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function progress(soak: Soak, { rssBytes, heapBytes, buffersBytes }: Sample): string {
  const { opened, forwarded, rejected } = soak.packets;
  const memory = `${megabytes(rssBytes)} MB resident, heap ${megabytes(heapBytes)}, buffers ${megabytes(buffersBytes)}`;
  return `${seconds().padStart(6)} s: ${opened} packets in, ${forwarded} out, ${rejected} rejected, ${soak.joined} joins; ${memory}`;
}

function end(code: number, faults: string, soak?: Soak): never {
  const { opened = 0, forwarded = 0, heard = 0 } = soak?.packets ?? {};
  const how = code === 0 ? 'passed' : `FAILED (${faults})`;
  print(
    `soak ${how} after ${seconds()} s, seed ${seed}: ${opened} packets in, ${forwarded} out, ${heard} verified by clients`,
  );
  process.exit(code);
}

function seconds(): string {
  return ((performance.now() - startedAt) / 1000).toFixed(0);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
