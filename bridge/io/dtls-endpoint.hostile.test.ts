import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from './certificate.ts';
import { alice, bob, connect, end, mallory, plainRecord, type Side, side, turn } from './dtls-endpoint.pair.ts';
import { CERTIFICATE, CERTIFICATE_VERIFY, FINISHED } from './dtls-messages.ts';
import {
  type DtlsRecord,
  decodeRecords,
  encodeHandshake,
  encodeRecord,
  HANDSHAKE,
  HANDSHAKE_HEADER_BYTES,
} from './dtls-records.ts';

test('somebody else’s certificate is no use without its key', async () => {
  // Mallory shows Alice's certificate and signs with a key of her own.
  const forged: Certificate = { ...alice, key: mallory.key };
  const server = side('server', bob, [alice.fingerprint], datagram => client.endpoint.handleDatagram(datagram));
  const client: Side = side('client', forged, [bob.fingerprint], datagram => server.endpoint.handleDatagram(datagram));
  server.endpoint.start();
  client.endpoint.start();
  assert.equal(await server.settled, 'failed dtls-possession');
  end({ client, server });

  const impostor: Certificate = { ...bob, key: mallory.key };
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
  assert.deepEqual(drops, ['dtls-plain', 'dtls-plain'], 'alert and data; the rest may be a repeated flight');
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

for (const left of [CERTIFICATE, CERTIFICATE_VERIFY]) {
  test(`a client that leaves out message ${left} does not connect`, async () => {
    const pair = connect({
      tamper: (datagram, from) => {
        const records = decodeRecords(datagram);
        const kept = records.filter(({ epoch, fragment }) => epoch === 1 || fragment[0] !== left);
        return [from === 'server' ? datagram : Buffer.concat(kept.map(({ bytes }) => bytes))];
      },
    });
    for (let turns = 0; turns < 4; turns++) await turn();
    assert.deepEqual([pair.server.log, pair.client.log], [[], []]);
    end(pair);
  });
}

test('whatever byte of a message is changed under way, nobody connects', async () => {
  for (const from of ['client', 'server'] as const) {
    const bodies = await messageBytes(from);
    assert.ok(bodies > 300);
    for (let target = 0; target < bodies; target += 5) {
      let passed = 0;
      // Signatures differ in length, so the last bytes may not be there this time.
      let isChanged = false;
      const pair = connect({
        isAddressValidated: true,
        tamper: (datagram, sender) => {
          if (sender !== from) return [datagram];
          for (const { fragment } of plainMessages(datagram)) {
            const at = target - passed;
            if (at >= 0 && at < fragment.length - HANDSHAKE_HEADER_BYTES) {
              fragment[HANDSHAKE_HEADER_BYTES + at] ^= 0x40;
              isChanged = true;
            }
            passed += fragment.length - HANDSHAKE_HEADER_BYTES;
          }
          return [datagram];
        },
      });
      for (let turns = 0; turns < 4; turns++) await turn();
      const { client, server } = pair;
      const isConnected = client.endpoint.isConnected || server.endpoint.isConnected;
      assert.equal(isConnected && isChanged, false, `byte ${target} from ${from}`);
      end(pair);
    }
  }
});

/** How many bytes of plain messages, headers left out, `from` sends in a whole handshake. */
async function messageBytes(from: 'client' | 'server'): Promise<number> {
  let bytes = 0;
  const pair = connect({
    isAddressValidated: true,
    tamper: (datagram, sender) => {
      for (const { fragment } of plainMessages(datagram)) {
        if (sender === from) bytes += fragment.length - HANDSHAKE_HEADER_BYTES;
      }
      return [datagram];
    },
  });
  await Promise.all([pair.client.settled, pair.server.settled]);
  end(pair);
  return bytes;
}

function plainMessages(datagram: Buffer): DtlsRecord[] {
  return decodeRecords(datagram).filter(record => record.type === HANDSHAKE && record.epoch === 0);
}

test('a Finished message in plain text is not taken for the sealed one, and does not take its place', async () => {
  const forged = encodeRecord(HANDSHAKE, 99, encodeHandshake(FINISHED, 4, Buffer.alloc(12)));
  const pair = connect({
    isAddressValidated: true,
    tamper: (datagram, from) => {
      if (from === 'server') return [datagram];
      const records = decodeRecords(datagram).map(({ bytes }) => bytes);
      return records.length === 1 ? records : [Buffer.concat([...records.slice(0, 3), forged, ...records.slice(3)])];
    },
  });
  assert.deepEqual(await Promise.all([pair.client.settled, pair.server.settled]), ['connected', 'connected']);
  assert.deepEqual(pair.server.drops, ['dtls-unexpected']);
  end(pair);
});

test('a flood before the handshake is done is not looked at for ever', () => {
  const { endpoint, drops, log } = side('server', bob, [alice.fingerprint], () => {});
  endpoint.start();
  const malformed = plainRecord(22, Buffer.alloc(5));
  for (let count = 0; count < 300; count++) endpoint.handleDatagram(Buffer.from(malformed));
  assert.equal(drops.filter(reason => reason === 'dtls-handshake').length, 256);
  assert.equal(drops.filter(reason => reason === 'dtls-flood').length, 44);
  assert.deepEqual(log, []);
  endpoint.close();
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
