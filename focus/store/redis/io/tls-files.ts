/** The certificates of the connection to the store, read from their files. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisTls } from '../redis-config.ts';

/** Options for the TLS socket; undefined for a connection in the clear. Throws an error that names the key of a file it cannot read. */
export function readTls(tls: RedisTls | undefined): ConnectionOptions | undefined {
  if (tls === undefined) return undefined;
  const { isInsecure, serverName } = tls;
  const ca = read('ca_cert_file', tls.caCertFile);
  const cert = read('client_cert_file', tls.clientCertFile);
  const key = read('client_key_file', tls.clientKeyFile);
  return {
    rejectUnauthorized: !isInsecure,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function read(key: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `redis.tls.${key} is ${JSON.stringify(path)}, which cannot be read (${code}); allowed: the path of a PEM file`,
    );
  }
}
