import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActiveSpeakerUpdate, DataPacket, UserPacket } from '@livekit/protocol';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { DATA_PACKET_BYTES_MAX, readStamp, stampDataPacket } from './data-packet.ts';

const sender = { identity: 'ada', sid: 'PA_1' };

function userPacket(fields: Partial<DataPacket>, user: Partial<UserPacket> = {}): Uint8Array {
  const value = new UserPacket({ payload: new TextEncoder().encode('hello'), ...user });
  return new DataPacket({ ...fields, value: { case: 'user', value } }).toBinary();
}

test("a client's claim to be somebody else is overwritten", () => {
  const bytes = userPacket({ participantIdentity: 'eve', participantSid: 'PA_9' }, { participantIdentity: 'eve' });
  const stamped = stampDataPacket(bytes, true, sender);
  assert.ok(stamped);
  const packet = DataPacket.fromBinary(stamped.bytes);
  assert.equal(packet.participantIdentity, 'ada');
  assert.equal(packet.participantSid, 'PA_1');
  assert.equal(packet.value.case === 'user' && packet.value.value.participantIdentity, 'ada');
  assert.equal(packet.value.case === 'user' && new TextDecoder().decode(packet.value.value.payload), 'hello');
});

test('destinations are read from the packet, and from the user packet of older clients', () => {
  assert.deepEqual(stampDataPacket(userPacket({ destinationIdentities: ['bob'] }), false, sender)?.destinations, [
    'bob',
  ]);
  const old = stampDataPacket(userPacket({}, { destinationIdentities: ['carol'] }), false, sender);
  assert.deepEqual(old?.destinations, ['carol']);
  assert.deepEqual(readStamp(old.bytes), { sid: 'PA_1', sequence: 0, destinations: ['carol'] });
});

test('packets that only a server sends are not passed on', () => {
  const speaker = new DataPacket({ value: { case: 'speaker', value: new ActiveSpeakerUpdate() } });
  assert.equal(stampDataPacket(speaker.toBinary(), true, sender), undefined);
  assert.equal(stampDataPacket(new Uint8Array(0), true, sender), undefined);
});

test('a packet over the limit is refused', () => {
  const bytes = userPacket({}, { payload: new Uint8Array(DATA_PACKET_BYTES_MAX) });
  assert.throws(() => stampDataPacket(bytes, true, sender), DecodeError);
});

test('arbitrary bytes throw nothing but DecodeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      try {
        stampDataPacket(bytes, true, sender);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});
