import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DtlsClient, DtlsServer } from 'werift';
import { SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80 } from '../../protocol/srtp/profiles.ts';
import { alice, bob, connect, end, mallory, plainRecord, side, turn } from './dtls-endpoint.pair.ts';
import { decodeRecords } from './dtls-records.ts';

/** ECDSA with SHA-256, as werift says it. */
const WERIFT_SIGNATURE = { hash: 4, signature: 3 } as const;

test('both ends agree on keys, prefer GCM, and carry data both ways', async () => {
  const pair = connect();
  const { client, server } = pair;
  assert.deepEqual(await Promise.all([client.settled, server.settled]), ['connected', 'connected']);
  assert.equal(server.endpoint.srtpProfile, SRTP_AEAD_AES_128_GCM);
  const ours = server.endpoint.srtpKeys(16, 12);
  const theirs = client.endpoint.srtpKeys(16, 12);
  assert.deepEqual([ours.localKey, ours.remoteSalt], [theirs.remoteKey, theirs.localSalt]);
  const label = 'EXPORTER-test';
  assert.deepEqual(server.endpoint.exportKeyingMaterial(label, 40), client.endpoint.exportKeyingMaterial(label, 40));
  assert.equal(client.endpoint.send(Buffer.from('to the server')), true);
  assert.equal(server.endpoint.send(Buffer.from('to the client')), true);
  await turn();
  assert.deepEqual([String(server.received), String(client.received)], ['to the server', 'to the client']);
  end(pair);
});

test('a client that knows only AES-CM gets it', async () => {
  const pair = connect({ clientProfiles: [SRTP_AES128_CM_HMAC_SHA1_80] });
  await pair.server.settled;
  assert.equal(pair.server.endpoint.srtpProfile, SRTP_AES128_CM_HMAC_SHA1_80);
  end(pair);
});

test('a client without SRTP is refused when SRTP is needed', async () => {
  const pair = connect({ clientProfiles: [] });
  assert.equal(await pair.server.settled, 'failed dtls-no-srtp');
  end(pair);
});

test('a certificate that was not announced ends the handshake, on either side', async () => {
  const one = connect({ serverExpects: mallory });
  assert.equal(await one.server.settled, 'failed dtls-fingerprint');
  end(one);
  const other = connect({ clientExpects: mallory });
  assert.equal(await other.client.settled, 'failed dtls-fingerprint');
  assert.deepEqual(other.server.log, []);
  end(other);
});

test('messages that arrive doubled, in pieces, or last first make the same handshake', async () => {
  let held: Buffer[] = [];
  const pair = connect({
    tamper: (datagram, from) => {
      const pieces = decodeRecords(datagram).flatMap(record => splitHandshake(record.bytes));
      if (from === 'client') return [...pieces, ...pieces];
      // The server's flight of five comes in reverse.
      held = [...pieces, ...held];
      const isWhole = held.some(piece => piece[13] === 14) || piecesAreAlone(pieces);
      if (!isWhole) return [];
      const flight = held;
      held = [];
      return flight;
    },
  });
  assert.deepEqual(await Promise.all([pair.client.settled, pair.server.settled]), ['connected', 'connected']);
  end(pair);
});

test('no GCM nonce is used twice: record numbers go on from the Finished message', async () => {
  const nonces = new Set<string>();
  const pair = connect({
    tamper: (datagram, from) => {
      for (const record of decodeRecords(datagram)) {
        if (record.epoch === 0 || from === 'client') continue;
        const nonce = record.fragment.subarray(0, 8).toString('hex');
        assert.equal(nonces.has(nonce), false, nonce);
        nonces.add(nonce);
      }
      return [datagram];
    },
  });
  await Promise.all([pair.client.settled, pair.server.settled]);
  for (let count = 0; count < 40; count++) pair.server.endpoint.send(Buffer.from('data'));
  await turn();
  assert.equal(nonces.size, 41);
  end(pair);
});

test('the last flight is repeated as often as the client repeats its own', async () => {
  const finished: Buffer[] = [];
  let sent = 0;
  const pair = connect({
    tamper: (datagram, from) => {
      if (from === 'server') sent++;
      else if (decodeRecords(datagram).some(record => record.epoch === 1)) finished.push(Buffer.from(datagram));
      return [datagram];
    },
  });
  await Promise.all([pair.client.settled, pair.server.settled]);
  for (let repetition = 0; repetition < 3; repetition++) {
    const before = sent;
    pair.server.endpoint.handleDatagram(Buffer.from(finished[0]));
    await turn();
    assert.equal(sent - before, 1, 'ChangeCipherSpec and Finished in one datagram');
  }
  end(pair);
});

test('closing tells the other side, and then nothing more is sent or heard', async () => {
  const pair = connect();
  await Promise.all([pair.client.settled, pair.server.settled]);
  pair.client.endpoint.close();
  await turn();
  assert.deepEqual(pair.server.log, ['connected', 'closed dtls-closed']);
  assert.equal(pair.server.endpoint.send(Buffer.from('x')), false);
  assert.equal(pair.client.endpoint.send(Buffer.from('x')), false);
  assert.throws(() => pair.client.endpoint.srtpKeys(16, 12), 'the secrets are gone');
  pair.server.endpoint.close();
});

for (const [profile, extendedMasterSecret] of [
  [SRTP_AEAD_AES_128_GCM, true],
  [SRTP_AES128_CM_HMAC_SHA1_80, true],
  [SRTP_AEAD_AES_128_GCM, false],
] as const) {
  const suffix = extendedMasterSecret ? '' : ', without extended master secret';
  test(`werift’s client connects with profile ${profile}${suffix}, and hears all records`, async () => {
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const transport = weriftTransport(bytes => server.endpoint.handleDatagram(bytes));
    const werift = new DtlsClient({
      cert: alice.certPem,
      key: alice.keyPem,
      signatureHash: WERIFT_SIGNATURE,
      transport,
      srtpProfiles: [profile],
      extendedMasterSecret,
    });
    const server = side('server', bob, [alice.fingerprint], datagram => transport.onData(datagram, ['', 0]));
    const heard: string[] = [];
    werift.onData.subscribe(bytes => heard.push(String(bytes)));
    werift.onConnect.subscribe(() => resolve());
    server.endpoint.start();
    werift.connect().catch(assert.fail);
    await Promise.all([connected, server.settled]);
    for (let count = 0; count < 12; count++) server.endpoint.send(Buffer.from(`${count}`));
    await werift.send(Buffer.from('hello'));
    await turn();
    assert.equal(heard.join(), '0,1,2,3,4,5,6,7,8,9,10,11');
    assert.equal(String(server.received), 'hello');
    server.endpoint.close();
    werift.dtls.flight = 99;
  });
}

test('werift’s server is a good server for our client', async () => {
  const transport = weriftTransport(bytes => client.endpoint.handleDatagram(bytes));
  const werift = new DtlsServer({
    cert: bob.certPem,
    key: bob.keyPem,
    signatureHash: WERIFT_SIGNATURE,
    transport,
    srtpProfiles: [SRTP_AEAD_AES_128_GCM],
    extendedMasterSecret: true,
    certificateRequest: true,
  });
  const client = side('client', alice, [bob.fingerprint], datagram => transport.onData(datagram, ['', 0]));
  client.endpoint.start();
  assert.equal(await client.settled, 'connected');
  const ours = client.endpoint.srtpKeys(16, 12);
  assert.deepEqual(werift.extractSessionKeys(16, 12).remoteKey, ours.localKey);
  client.endpoint.close();
  werift.dtls.flight = 99;
});

/** What werift's ends want for a socket: what they send goes to `deliver`, in a turn of its own. */
function weriftTransport(deliver: (bytes: Buffer) => void): ConstructorParameters<typeof DtlsClient>[0]['transport'] {
  return {
    type: 'udp',
    address: { address: '', port: 0, family: '' },
    closed: false,
    onData: () => {},
    send: async bytes => queueMicrotask(() => deliver(Buffer.from(bytes))),
    close: async () => {},
  };
}

/** A plain handshake record as several datagrams with one fragment each; anything else as it is. */
function splitHandshake(record: Buffer): Buffer[] {
  if (record[0] !== 22 || record.readUInt16BE(3) !== 0) return [record];
  const body = record.subarray(25);
  const pieces: Buffer[] = [];
  for (let offset = 0; offset === 0 || offset < body.length; offset += 100) {
    const part = body.subarray(offset, offset + 100);
    const head = Buffer.from(record.subarray(13, 25));
    head.writeUIntBE(offset, 6, 3);
    head.writeUIntBE(part.length, 9, 3);
    pieces.push(plainRecord(22, Buffer.concat([head, part])));
  }
  return pieces;
}

/** True for what is not part of the server's long flight: HelloVerifyRequest, ChangeCipherSpec, Finished. */
function piecesAreAlone(pieces: readonly Buffer[]): boolean {
  return pieces.every(piece => piece[0] !== 22 || piece.readUInt16BE(3) === 1 || piece[13] === 3);
}
