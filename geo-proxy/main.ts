/** `npm run geo-proxy`: one geo-proxy from a YAML file and the environment. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigurationError } from '../protocol/configuration.ts';
import { describeConfiguration } from '../protocol/configuration-help.ts';
import { type GeoProxyConfig, GeoProxyConfigSchema, readGeoProxyConfig } from './config.ts';
import { startGeoProxy } from './service.ts';

const OPTIONS = { config: { type: 'string' }, port: { type: 'string' }, help: { type: 'boolean' } } as const;
const USAGE = `usage: npm run geo-proxy -- [--config FILE] [--port N] [--help]

Finds each client's region and passes it on to that region's focus.

Keys of the YAML file, with their environment variables (which go before the file):

${describeConfiguration(GeoProxyConfigSchema)}`;

await main();

async function main(): Promise<void> {
  const config = readConfig();
  const log = pino({ name: 'geo-proxy', level: config.logging.level });
  try {
    const proxy = await startGeoProxy(config, log);
    const stop = () => void proxy.close().then(() => process.exit(0));
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
  } catch (error) {
    fail([describeStartFailure(error as NodeJS.ErrnoException, config)]);
  }
}

function readConfig(): GeoProxyConfig {
  try {
    const { values } = parseArgs({ options: OPTIONS, strict: true });
    if (values.help === true) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const yaml = values.config === undefined ? undefined : readFileSync(values.config, 'utf8');
    return readGeoProxyConfig({
      ...(yaml === undefined ? {} : { yaml, yamlName: values.config! }),
      env: process.env,
      flags: { port: values.port },
    });
  } catch (error) {
    if (error instanceof ConfigurationError) fail(error.problems);
    const { code, message } = error as NodeJS.ErrnoException;
    const isUsage = code?.startsWith('ERR_PARSE_ARGS') === true;
    const allowed = Object.keys(OPTIONS).map(name => `--${name}`);
    fail([isUsage ? `${message.split('. ')[0]}; allowed: ${allowed.join(', ')}` : message]);
  }
}

function describeStartFailure(error: NodeJS.ErrnoException, config: GeoProxyConfig): string {
  if (error.code === 'EADDRINUSE') {
    return `port ${config.port} is in use: geo-proxy needs it for clients; --port (or the key port) moves it`;
  }
  return error.message;
}

function fail(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`geo-proxy: ${problem}\n`);
  process.exit(1);
}
