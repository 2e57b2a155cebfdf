/** Who may talk to the store, and how: TLS with client certificates, users, databases. With real servers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FocusError } from '../../../errors.ts';
import { type RedisServer, startRedis } from '../redis-server.fixture.ts';
import { connectFocus, targetOf } from '../redis-store.fixture.ts';
import { createRedisClient } from './redis-client.ts';

const FILES = join(import.meta.dirname, '..', 'fixtures');
const file = (name: string) => join(FILES, name);

async function startTls(): Promise<RedisServer> {
  const options = [
    ['--tls-cert-file', file('server.pem')],
    ['--tls-key-file', file('server.key')],
    ['--tls-ca-cert-file', file('ca.pem')],
    ['--tls-auth-clients', 'yes'],
  ];
  const text = (name: string) => readFileSync(file(name), 'utf8');
  const own = { ca: text('ca.pem'), cert: text('client.pem'), key: text('client.key') };
  return startRedis(options.flat(), own);
}

const TLS = {
  'tls.enabled': true,
  'tls.ca_cert_file': file('ca.pem'),
  'tls.client_cert_file': file('client.pem'),
  'tls.client_key_file': file('client.key'),
};

/** What the client says is wrong while it tries to connect. */
async function troubleOf(keys: Readonly<Record<string, unknown>>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const client = createRedisClient(targetOf(keys), { ended: () => {}, connected: () => {}, trouble: resolve });
  try {
    return await promise;
  } finally {
    client.close();
  }
}

test('a server that asks for certificates is reached with one, by address and by name', async () => {
  const server = await startTls();
  try {
    for (const name of ['', 'redis.test']) {
      const focus = await connectFocus(
        targetOf({ address: server.address, ...TLS, 'tls.server_name': name }),
        'focus-1',
      );
      await focus.store.ping();
      focus.close();
    }
  } finally {
    await server.stop();
  }
});

test('a server whose certificate is of another authority or name is not believed, unless insecure', async () => {
  const server = await startTls();
  try {
    const { 'tls.ca_cert_file': _, ...withoutCa } = TLS;
    assert.match(
      await troubleOf({ address: server.address, ...withoutCa }),
      /no connection to the store: .*certificate/,
    );
    assert.match(
      await troubleOf({ address: server.address, ...TLS, 'tls.server_name': 'other.test' }),
      /no connection to the store: .*other\.test/,
    );
    const focus = await connectFocus(
      targetOf({ address: server.address, ...withoutCa, 'tls.insecure': true }),
      'focus-1',
    );
    await focus.store.ping();
    focus.close();
  } finally {
    await server.stop();
  }
});

test('a TLS file that is not there is named with its key', () => {
  const target = targetOf({ address: 'r', ...TLS, 'tls.client_key_file': '/nowhere/client.key' });
  assert.throws(
    () => createRedisClient(target, { ended: () => {}, connected: () => {}, trouble: () => {} }),
    /^Error: redis\.tls\.client_key_file is "\/nowhere\/client\.key", which cannot be read \(ENOENT\)/,
  );
});

test('a user with a password is let in to its database, and nobody else; no password is in what is said about it', async () => {
  const server = await startRedis(
    ['--user', 'focus', 'on', '>hunter2', '~{causeway}*', '+@all', '-@dangerous', '+info', '--requirepass', 'other'],
    undefined,
    {
      password: 'other',
    },
  );
  try {
    const keys = { address: server.address, username: 'focus', db: 3 };
    const focus = await connectFocus(targetOf({ ...keys, password: 'hunter2' }), 'focus-1');
    await focus.store.openConference('talk', 'RM_1', 'focus-1');
    focus.close();
    assert.match(String(await server.command('INFO', 'keyspace')), /db3:keys/);
    const trouble = await troubleOf({ ...keys, password: 'hunter3' });
    assert.match(trouble, /WRONGPASS/);
    assert.doesNotMatch(trouble, /hunter/);
  } finally {
    await server.stop();
  }
});

test('a script that the server refuses is reported with the reason, and rejects as an unavailable store', async () => {
  const server = await startRedis(['--user', 'reader', 'on', 'nopass', '~*', '+@all', '-eval', '-evalsha']);
  const troubles: string[] = [];
  const client = createRedisClient(targetOf({ address: server.address, username: 'reader', password: 'x' }), {
    ended: () => {},
    connected: () => {},
    trouble: message => void troubles.push(message),
  });
  try {
    assert.equal(await client.whenConnected(10_000), true);
    await assert.rejects(
      client.run('conferences', [0]),
      error => error instanceof FocusError && error.code === 'store-unavailable',
    );
    assert.match(troubles[0]!, /^the store refused conferences: NOPERM/);
  } finally {
    client.close();
    await server.stop();
  }
});
