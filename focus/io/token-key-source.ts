/** The keys of a running focus: those of its configuration, of its key file as it is now, and of the issuers whose JWKS it fetches. */
import { readFile, stat } from 'node:fs/promises';
import { createRemoteJWKSet } from 'jose';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { readKeyFile } from '../api/key-file.ts';
import { type IssuerKeys, secretKeys, type TokenKeys } from '../api/token-keys.ts';
import type { FocusConfig } from '../config.ts';

export interface TokenKeySourceOptions {
  readonly config: Pick<FocusConfig, 'keys' | 'key_file' | 'key_file_interval_ms' | 'jwks' | 'development'>;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface TokenKeySource extends TokenKeys {
  close(): void;
}

/** Bits of a file's mode with which everybody on the machine has access; LiveKit's server refuses such key files as well. */
const OTHERS = 0o007;
/** A JWKS endpoint that takes longer is away: a joining client waits for it. */
const JWKS_TIMEOUT_MS = 3_000;
/** A key that is not in the set yet is looked for anew, at most this often. */
const JWKS_COOLDOWN_MS = 10_000;

/** Rejects with an Error that names the key file when it cannot be used. Later, a file that cannot be used leaves the keys as they are. */
export async function createTokenKeySource(options: TokenKeySourceOptions): Promise<TokenKeySource> {
  const { config, registry, log } = options;
  const secrets: Record<string, string> = { ...config.keys };
  const issuers = new Map(config.jwks.map(({ issuer, url, audience }) => [issuer, issuerKeys(url, audience)]));
  const reads = new Counter({
    name: 'causeway_focus_key_file_reads_total',
    help: 'Readings of the key file, by result; a refused one leaves the keys as they are',
    labelNames: ['result'],
    registers: [registry],
  });
  new Gauge({
    name: 'causeway_focus_api_keys',
    help: 'API keys that are accepted',
    registers: [registry],
    collect() {
      this.set(Object.keys(secrets).length);
    },
  });
  let lastText: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function read(): Promise<void> {
    const text = await textOf(config.key_file);
    if (text === lastText) return;
    const fromFile = readKeyFile(text, config.key_file, { development: config.development, taken: config.keys });
    lastText = text;
    for (const key of Object.keys(secrets)) if (!Object.hasOwn(config.keys, key)) delete secrets[key];
    Object.assign(secrets, fromFile);
    reads.inc({ result: 'taken' });
    log.info({ file: config.key_file, keys: Object.keys(fromFile).length }, 'key file read');
  }

  async function reread(): Promise<void> {
    try {
      await read();
    } catch (error) {
      reads.inc({ result: 'refused' });
      log.error({ error: (error as Error).message }, 'the key file is not used: the keys stay as they were');
    }
    arm();
  }

  function arm(): void {
    if (isClosed) return;
    timer = setTimeout(() => void reread(), config.key_file_interval_ms);
    timer.unref();
  }

  if (config.key_file !== '') {
    await read();
    arm();
  }
  return {
    ...secretKeys(secrets),
    issuer: name => issuers.get(name),
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

async function textOf(path: string): Promise<string> {
  try {
    if (((await stat(path)).mode & OTHERS) !== 0) {
      throw new Error(
        'everybody on this machine may read it; allowed: a file without permissions for others (chmod o-rwx)',
      );
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`key_file ${path} cannot be used: ${(error as Error).message}`);
  }
}

function issuerKeys(url: string, audience: string | undefined): IssuerKeys {
  const find = createRemoteJWKSet(new URL(url), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
  });
  return { find, audience };
}
