import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SRTP_PROFILES } from '../../protocol/srtp/profiles.ts';
import { TEST_DATAPATH } from '../testing/datapath.ts';
import { nativeResources } from '../testing/native-resources.ts';
import { Room, rtp } from './endpoint-transport.fixture.ts';

for (const profile of SRTP_PROFILES) {
  test(`an endpoint that leaves takes its keys with it, and a closed port its slots (SRTP profile ${profile})`, async context => {
    const before = nativeResources();
    const room = await Room.open(context, { srtpProfiles: [profile] });
    await room.connect();
    room.client.sendRtp(rtp(1));
    await room.until(() => room.rtp.length === 1);
    room.send(rtp(2));
    await room.client.until(() => room.client.rtp.length === 1);
    const during = nativeResources();
    const isNative = TEST_DATAPATH.name === 'fast';
    assert.equal(during.contexts > before.contexts, isNative);
    assert.equal(during.slots > before.slots, isNative);
    room.transport.close();
    assert.equal(nativeResources().contexts, before.contexts);
    await room.port.close();
    assert.deepEqual(nativeResources(), before);
  });
}
