import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientInfo_SDK } from '@livekit/protocol';
import { joinRequestOf } from './join-parameters.ts';

test('what SDKs write into the query of /rtc is read as a JoinRequest', () => {
  const query = new URLSearchParams(
    'access_token=x&reconnect=1&sid=PA_x&auto_subscribe=0&sdk=rust&version=0.7.2&protocol=16&client_protocol=1&os=linux&os_version=13' +
      '&device_model=pc&browser=none&browser_version=1&adaptive_stream=1&reconnect_reason=3&network=wifi',
  );
  const { clientInfo, connectionSettings, ...request } = joinRequestOf(Object.fromEntries(query));
  assert.deepEqual([request.reconnect, request.participantSid, request.reconnectReason], [true, 'PA_x', 3]);
  assert.deepEqual([connectionSettings?.autoSubscribe, connectionSettings?.adaptiveStream], [false, true]);
  assert.equal(clientInfo?.sdk, ClientInfo_SDK.RUST);
  const { version, protocol, clientProtocol, os, osVersion, deviceModel, browser, browserVersion, network } =
    clientInfo!;
  assert.deepEqual(
    [version, protocol, clientProtocol, os, osVersion, deviceModel, browser, browserVersion, network],
    ['0.7.2', 16, 1, 'linux', '13', 'pc', 'none', '1', 'wifi'],
  );
});

test('subscribing is on unless it is turned off; everything else is off unless it is turned on', () => {
  const settings = (parameters: Record<string, string>) => joinRequestOf(parameters).connectionSettings?.autoSubscribe;
  assert.deepEqual(
    [settings({}), settings({ auto_subscribe: '1' }), settings({ auto_subscribe: 'true' })],
    [true, true, true],
  );
  assert.deepEqual([settings({ auto_subscribe: '0' }), settings({ auto_subscribe: 'no' })], [false, false]);
  const { reconnect, participantSid } = joinRequestOf({});
  assert.deepEqual([reconnect, participantSid], [false, '']);
});

test('what is no number, or given twice, is no reason to refuse', () => {
  const { clientInfo, participantSid } = joinRequestOf({ protocol: '-1e9', sdk: 'abacus', sid: ['PA_a', 'PA_b'] });
  assert.deepEqual([clientInfo?.protocol, clientInfo?.sdk, participantSid], [0, ClientInfo_SDK.UNKNOWN, 'PA_a']);
});
