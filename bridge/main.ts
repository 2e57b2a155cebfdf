/** `npm run bridge`: one bridge from a YAML file and the environment. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigurationError } from '../protocol/configuration.ts';
import { describeConfiguration } from '../protocol/configuration-help.ts';
import { type BridgeConfig, BridgeConfigSchema, readBridgeConfig } from './config.ts';
import { startBridge } from './service.ts';
import { describeStartFailure, type SocketError } from './start-failure.ts';

const USAGE = `usage: npm run bridge -- [--config FILE] [--help]

Forwards media and data between the participants it serves, and to the bridges that serve the others.

Keys of the YAML file, with their environment variables (which go before the file):

${describeConfiguration(BridgeConfigSchema)}`;

await main();

async function main(): Promise<void> {
  const config = readConfig();
  const log = pino({ name: 'bridge', level: config.logging.level, base: { bridge: config.bridge_id } });
  try {
    const bridge = await startBridge(config, log);
    const stop = () => void bridge.close().then(() => process.exit(0));
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  } catch (error) {
    fail([describeStartFailure(error as SocketError, config)]);
  }
}

function readConfig(): BridgeConfig {
  try {
    const options = { config: { type: 'string' }, help: { type: 'boolean' } } as const;
    const { values } = parseArgs({ options, strict: true });
    if (values.help === true) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const yaml = values.config === undefined ? undefined : readFileSync(values.config, 'utf8');
    return readBridgeConfig({
      ...(yaml === undefined ? {} : { yaml, yamlName: values.config! }),
      env: process.env,
    });
  } catch (error) {
    fail(error instanceof ConfigurationError ? error.problems : [(error as Error).message]);
  }
}

function fail(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`bridge: ${problem}\n`);
  process.exit(1);
}
