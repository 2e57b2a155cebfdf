/** Who may talk to the store, and how: TLS with client certificates, users, databases. With real servers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FocusError } from '../../../errors.ts';
import {
  startRedis,
  startRedisCluster,
  startSentinelTrio,
  startTlsRedis,
  TLS_KEYS as TLS,
} from '../redis-server.fixture.ts';
import { connectFocus, targetOf } from '../redis-store.fixture.ts';
import { createRedisClient } from './redis-client.ts';

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
  const server = await startTlsRedis();
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
  const server = await startTlsRedis();
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

test('Sentinels and the master that they name are reached by TLS, and so is the one after it', async () => {
  const trio = await startSentinelTrio({ isTls: true });
  const keys = { sentinel_master_name: trio.masterName, sentinel_addresses: trio.addresses };
  try {
    const focus = await connectFocus(targetOf({ ...keys, ...TLS }), 'focus-1');
    await focus.store.openConference('talk', 'RM_1', 'focus-1');
    await trio.master.kill();
    const isBack = () =>
      focus.store.ping().then(
        () => true,
        () => false,
      );
    while (!(await isBack())) await new Promise(resolve => setTimeout(resolve, 50));
    focus.close();
    const { 'tls.client_cert_file': _cert, 'tls.client_key_file': _key, ...withoutOwn } = TLS;
    assert.match(await troubleOf({ ...keys, ...withoutOwn }), /^no connection to the store: /);
  } finally {
    await trio.stop();
  }
});

test('every node of a cluster is reached by TLS, also those that only the others name', async () => {
  const cluster = await startRedisCluster({ isTls: true });
  try {
    const keys = { cluster_addresses: cluster.addresses.slice(0, 1), ...TLS };
    // Prefixes whose slots are in all three.
    for (const prefix of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const focus = await connectFocus(targetOf({ ...keys, key_prefix: prefix }), 'focus-1');
      await focus.store.openConference('talk', 'RM_1', 'focus-1');
      assert.equal((await focus.store.conference('talk'))?.roomSid, 'RM_1');
      focus.close();
    }
    const held = await Promise.all(cluster.servers.map(server => server.command('DBSIZE')));
    assert.ok(
      held.every(keysHeld => Number(keysHeld) > 0),
      `keys on each node: ${held.join(', ')}`,
    );
  } finally {
    await cluster.stop();
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
