/** `npm run focus`: one focus from a YAML file and the environment. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigurationError } from '../protocol/configuration.ts';
import { describeConfiguration } from '../protocol/configuration-help.ts';
import { type FocusConfig, readFocusConfig } from './config.ts';
import { FocusConfigSchema } from './config-schema.ts';
import { startFocus } from './service.ts';

const USAGE = `usage: npm run focus -- [--config FILE] [--port N] [--dev] [--help]

Speaks LiveKit's protocol to clients, decides who is served by which bridge, and tells the bridges.

Keys of the YAML file, with their environment variables (which go before the file):

${describeConfiguration(FocusConfigSchema)}`;

await main();

async function main(): Promise<void> {
  const config = readConfig();
  const log = pino({ name: 'focus', level: config.logging.level, base: { focus: config.focus_id } });
  try {
    const focus = await startFocus(config, log);
    const end = (work: Promise<void>) => void work.then(() => process.exit(0));
    let isLeaving = false;
    // The second signal is from somebody who does not want to wait.
    const stop = () => {
      end(isLeaving ? focus.close() : focus.leave());
      isLeaving = true;
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  } catch (error) {
    fail([describeStartFailure(error as NodeJS.ErrnoException, config)]);
  }
}

function readConfig(): FocusConfig {
  try {
    const options = {
      config: { type: 'string' },
      port: { type: 'string' },
      dev: { type: 'boolean' },
      help: { type: 'boolean' },
    } as const;
    const { values } = parseArgs({ options, strict: true });
    if (values.help === true) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const yaml = values.config === undefined ? undefined : readFileSync(values.config, 'utf8');
    return readFocusConfig({
      ...(yaml === undefined ? {} : { yaml, yamlName: values.config! }),
      env: process.env,
      flags: { port: values.port, development: values.dev },
    });
  } catch (error) {
    fail(error instanceof ConfigurationError ? error.problems : [(error as Error).message]);
  }
}

function describeStartFailure(error: NodeJS.ErrnoException, config: FocusConfig): string {
  if (error.code !== 'EADDRINUSE') return error.message;
  return `port ${config.port} is in use: focus ${config.focus_id} needs it for clients and bridges; --port (or the key port) moves it`;
}

function fail(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`focus: ${problem}\n`);
  process.exit(1);
}
