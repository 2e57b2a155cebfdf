/** What the command lines of the simulations share: options checked, usage told, exit codes. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Arguments that cannot be: the message is one sentence for whoever typed them. */
export class UsageError extends Error {}

/** The values of `options`. Throws {@link UsageError} for what is not among them. */
export function parseOptions<const O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export function wholeNumber(name: string, value: string, min: number, max: number): number {
  const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (parsed >= min && parsed <= max) return parsed;
  throw new UsageError(`${name} is ${value}; allowed: a whole number from ${min} to ${max}`);
}

/** Runs a command from its arguments and answers the exit code: 2 for arguments that cannot be, 0 after the usage for who asks for help. */
export async function runCommand<Command>(
  args: readonly string[],
  {
    name,
    usage,
    read,
    run,
  }: {
    /** As it is typed: `npm run simulate`. */
    readonly name: string;
    readonly usage: string;
    /** Undefined: they ask for help. */
    readonly read: (args: readonly string[]) => Command | undefined;
    readonly run: (command: Command) => number | Promise<number>;
  },
): Promise<number> {
  let command: Command | undefined;
  try {
    command = read(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${name} -- --help tells all options.\n`);
    return 2;
  }
  if (command !== undefined) return run(command);
  process.stdout.write(usage);
  return 0;
}
