/** `npm run bench -- <name> [options]`: figures go to stdout, everything else to stderr. Exit code 1 for what cannot be run, and for figures that do not hold. */
import { parseArgs } from 'node:util';
import { BENCHMARKS, type Benchmark, type BenchmarkOptions, type SpecialOption } from './registry.ts';
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
  const problem = problemOf(benchmark, values);
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n\n${usage()}`);
    return 1;
  }
  const { quick, case: cases, docs, accept, datapath, runs, 'store-away-s': storeAwaySeconds } = values;
  return run(benchmark, values.json, {
    quick,
    cases,
    docs,
    accept,
    datapath: datapath as BenchmarkOptions['datapath'],
    runs: runs === undefined ? undefined : Number(runs),
    storeAwayMs: storeAwaySeconds === undefined ? undefined : Number(storeAwaySeconds) * 1_000,
    progress: line => process.stderr.write(`${line}\n`),
  });
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true, default: [] },
      datapath: { type: 'string' },
      docs: { type: 'boolean', default: false },
      accept: { type: 'boolean', default: false },
      runs: { type: 'string' },
      'store-away-s': { type: 'string' },
    },
  });
}

/** Options that this benchmark does not take, or not with that value. */
function problemOf(benchmark: Benchmark, values: ReturnType<typeof parse>['values']): string | undefined {
  const given: Record<SpecialOption, boolean> = {
    case: values.case.length > 0,
    datapath: values.datapath !== undefined,
    docs: values.docs,
    accept: values.accept,
    runs: values.runs !== undefined,
    'store-away-s': values['store-away-s'] !== undefined,
  };
  const takes = benchmark.takes ?? [];
  const refused = (Object.keys(given) as SpecialOption[]).find(option => given[option] && !takes.includes(option));
  if (refused !== undefined) {
    const allowed = ['quick', 'json', ...takes].map(option => `--${option}`).join(', ');
    return `${benchmark.name} takes no --${refused}; allowed: ${allowed}`;
  }
  if (values.datapath !== undefined && values.datapath !== 'fast' && values.datapath !== 'portable') {
    return `--datapath ${values.datapath}: allowed are fast and portable`;
  }
  for (const name of ['runs', 'store-away-s'] as const) {
    const value = values[name];
    if (value !== undefined && !/^[1-9]\d{0,3}$/.test(value))
      return `--${name} ${value}: allowed is a number from 1 to 9999`;
  }
  return undefined;
}

async function run(benchmark: Benchmark, isJson: boolean, options: BenchmarkOptions): Promise<number> {
  const startedAt = performance.now();
  let figures: object;
  try {
    figures = await benchmark.run(options);
  } catch (error) {
    process.stderr.write(`${benchmark.name}: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
  process.stderr.write(`${benchmark.name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  const render = benchmark.render ?? renderFigures;
  process.stdout.write(
    isJson ? `${JSON.stringify({ benchmark: benchmark.name, quick: options.quick, figures })}\n` : render(figures),
  );
  return benchmark.holds?.(figures) === false ? 1 : 0;
}

function usage(): string {
  const width = Math.max(...BENCHMARKS.map(({ name }) => name.length));
  const list = BENCHMARKS.map(({ name, summary, takes = [] }) => {
    const options = takes.length === 0 ? '' : ` (${takes.map(option => `--${option}`).join(' ')})`;
    return `  ${name.padEnd(width)}  ${summary}${options}\n`;
  }).join('');
  return `npm run bench -- <name> [--quick] [--json]\n\n${list}`;
}
