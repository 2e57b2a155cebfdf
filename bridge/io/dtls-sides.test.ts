/** The two machines of a handshake by themselves: messages carried by hand, no endpoint around them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DtlsClientSide } from './dtls-client.ts';
import { alice, bob } from './dtls-endpoint.pair.ts';
import type { HandshakeSide } from './dtls-handshake.ts';
import type { HandshakeMessage } from './dtls-inbox.ts';
import { FINISHED } from './dtls-messages.ts';
import { decodeHandshake, decodeRecords, HANDSHAKE } from './dtls-records.ts';
import { DtlsServerSide } from './dtls-server.ts';
import { DtlsWriter } from './dtls-writer.ts';

interface Half {
  readonly side: HandshakeSide;
  readonly writer: DtlsWriter;
}

function halves(): { client: Half; server: Half } {
  const [toServer, toClient] = [new DtlsWriter(), new DtlsWriter()];
  const forClient = { certificate: alice, fingerprints: [bob.fingerprint], srtpProfiles: [] };
  const forServer = { certificate: bob, fingerprints: [alice.fingerprint], srtpProfiles: [] };
  const client = { side: new DtlsClientSide(forClient, toServer), writer: toServer };
  client.side.start();
  return { client, server: { side: new DtlsServerSide(forServer, toClient, false), writer: toClient } };
}

/** The messages of `from`'s newest flight that `to` can read: the sealed ones not before it has keys. */
function flight(from: Half, to: Half): HandshakeMessage[] {
  const records = from.writer.datagrams().flatMap(decodeRecords);
  return records
    .filter(({ type }) => type === HANDSHAKE)
    .flatMap(record => {
      const plain = record.epoch === 0 ? record.fragment : to.writer.cipher?.open(record);
      return plain === undefined ? [] : decodeHandshake(plain);
    });
}

/** Everything up to the Finished message of `last`, which is returned. */
function untilFinished(last: 'client' | 'server'): { to: Half; finished: HandshakeMessage } {
  const { client, server } = halves();
  for (const message of flight(client, server)) server.side.handle(message);
  for (const message of flight(server, client)) client.side.handle(message);
  for (const message of flight(client, server)) server.side.handle(message);
  const ofClient = flight(client, server).at(-1) ?? assert.fail('nothing came');
  if (last === 'client') return { to: server, finished: ofClient };
  assert.equal(server.side.handle(ofClient).kind, 'done');
  return { to: client, finished: flight(server, client)[0] };
}

for (const from of ['client', 'server'] as const) {
  test(`the ${from}’s Finished message is believed only with the right hash, though it came under the right keys`, () => {
    for (const [at, kind] of [
      [undefined, 'done'],
      [0, 'fail'],
      [11, 'fail'],
    ] as const) {
      const { to, finished } = untilFinished(from);
      assert.equal(finished.type, FINISHED);
      const body = Buffer.from(finished.body);
      if (at !== undefined) body[at] ^= 1;
      assert.equal(to.side.handle({ ...finished, body }).kind, kind);
    }
  });
}
