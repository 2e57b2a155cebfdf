import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from './certificate.ts';
import { alice, bob, connect, end, mallory, plainRecord, type Side, side, turn } from './dtls-endpoint.pair.ts';

test('somebody else’s certificate is no use without its key', async () => {
  // Mallory shows Alice's certificate and signs with a key of her own: werift by itself would connect.
  const forged: Certificate = { ...alice, keyPem: mallory.keyPem };
  const server = side('server', bob, [alice.fingerprint], datagram => client.endpoint.handleDatagram(datagram));
  const client: Side = side('client', forged, [bob.fingerprint], datagram => server.endpoint.handleDatagram(datagram));
  server.endpoint.start();
  client.endpoint.start();
  assert.equal(await server.settled, 'failed dtls-possession');
  end({ client, server });

  const impostor: Certificate = { ...bob, keyPem: mallory.keyPem };
  const badServer = side('server', impostor, [alice.fingerprint], datagram => victim.endpoint.handleDatagram(datagram));
  const victim: Side = side('client', alice, [bob.fingerprint], datagram =>
    badServer.endpoint.handleDatagram(datagram),
  );
  badServer.endpoint.start();
  victim.endpoint.start();
  assert.equal(await victim.settled, 'failed dtls-possession');
  end({ client: victim, server: badServer });
});

test('nothing in plain text disturbs a session: no alert, no hello, no data', async () => {
  const pair = connect();
  await Promise.all([pair.client.settled, pair.server.settled]);
  const { endpoint, log, received, drops } = pair.server;
  for (const type of [20, 21, 22, 23]) endpoint.handleDatagram(plainRecord(type, Buffer.of(2, 40)));
  const hello = plainRecord(22, Buffer.from('010000010000000000000001' + '00', 'hex'));
  endpoint.handleDatagram(hello);
  pair.client.endpoint.send(Buffer.from('still there'));
  await turn();
  assert.deepEqual(log, ['connected']);
  assert.equal(String(received), 'still there');
  assert.deepEqual(drops, new Array(5).fill('dtls-plain'));
  end(pair);
});

test('a record is believed once, and never after a flipped bit', async () => {
  const wire: Buffer[] = [];
  const pair = connect({
    tamper: (datagram, from) => {
      if (from === 'client') wire.push(Buffer.from(datagram));
      return [datagram];
    },
  });
  await Promise.all([pair.client.settled, pair.server.settled]);
  pair.client.endpoint.send(Buffer.from('once'));
  await turn();
  const { endpoint, received, drops } = pair.server;
  const record = wire[wire.length - 1];
  endpoint.handleDatagram(Buffer.from(record));
  assert.deepEqual(drops, ['dtls-replay']);
  for (let at = 3; at < record.length; at++) {
    const forged = Buffer.from(record);
    forged[at] ^= 1;
    endpoint.handleDatagram(forged);
  }
  assert.equal(received.length, 1);
  end(pair);
});

test('junk is dropped and counted, before and after the handshake', async () => {
  const pair = connect();
  await Promise.all([pair.client.settled, pair.server.settled]);
  const { endpoint, log } = pair.server;
  const junk = [
    Buffer.of(22),
    Buffer.alloc(13, 22),
    plainRecord(24, Buffer.alloc(4)),
    plainRecord(22, Buffer.from('01ffffff000000000000ffff', 'hex')),
    Buffer.from('16fefd0000000000000000ffff', 'hex'),
  ];
  const fresh = side('server', bob, [alice.fingerprint], () => {});
  fresh.endpoint.start();
  for (const bytes of junk) {
    endpoint.handleDatagram(Buffer.from(bytes));
    fresh.endpoint.handleDatagram(Buffer.from(bytes));
  }
  assert.deepEqual([log, fresh.log], [['connected'], []]);
  assert.equal(fresh.drops.length, junk.length);
  fresh.endpoint.close();
  end(pair);
});
