/** `npm run bench -- <name> [--quick] [--json]`: figures go to stdout, everything else to stderr. */
import { parseArgs } from 'node:util';
import { BENCHMARKS, type Benchmark } from './registry.ts';
import { renderFigures } from './render-figures.ts';

// Not by exit code alone: libwebrtc's threads keep a process alive after its last client has gone.
process.exit(await main(process.argv.slice(2)));

async function main(args: string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage()}`);
    return 1;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(usage());
    return 0;
  }
  const benchmark = BENCHMARKS.find(({ name }) => name === positionals[0]);
  if (benchmark === undefined || positionals.length !== 1) {
    const problem = positionals.length === 0 ? 'which benchmark?' : `no benchmark "${positionals.join(' ')}"`;
    process.stderr.write(`${problem}\n\n${usage()}`);
    return 1;
  }
  return run(benchmark, values.quick, values.json);
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

async function run(benchmark: Benchmark, quick: boolean, isJson: boolean): Promise<number> {
  const startedAt = performance.now();
  const figures = await benchmark.run({ quick, progress: line => process.stderr.write(`${line}\n`) });
  process.stderr.write(`${benchmark.name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  process.stdout.write(
    isJson ? `${JSON.stringify({ benchmark: benchmark.name, quick, figures })}\n` : renderFigures(figures),
  );
  return 0;
}

function usage(): string {
  const width = Math.max(...BENCHMARKS.map(({ name }) => name.length));
  const list = BENCHMARKS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join('');
  return `npm run bench -- <name> [--quick] [--json]\n\n${list}`;
}
