import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientInfo_SDK } from '@livekit/protocol';
import type { AccessToken } from '../api/access-token.ts';
import { joinRequestOf, withParameters } from './join-parameters.ts';

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

const TOKEN = { identity: 'ann', video: { room: 'talk', canPublish: true, canSubscribe: true } } as AccessToken;

test('a room that the token names is the room; a token without one goes where the parameter says', () => {
  const roomless = { ...TOKEN, video: { ...TOKEN.video!, room: '' } };
  assert.equal(withParameters(TOKEN, { room: 'other' }).video?.room, 'talk');
  assert.equal(withParameters(roomless, { room: ['other', 'third'] }).video?.room, 'other');
  assert.equal(withParameters(roomless, {}).video?.room, '');
});

test('publish makes a connection of its own that only sends; nobody gets by it what the token does not grant', () => {
  const sender = withParameters(TOKEN, { publish: 'screen' });
  assert.deepEqual(
    [sender.identity, sender.video?.canPublish, sender.video?.canSubscribe],
    ['ann#screen', true, false],
  );
  assert.equal(withParameters({ ...TOKEN, identity: '' }, { publish: 'screen' }).identity, '');
  const listener = { ...TOKEN, video: { ...TOKEN.video!, canPublish: false } };
  assert.throws(() => withParameters(listener, { publish: 'screen' }), { code: 'permission-denied' });
  assert.equal(withParameters(listener, { publish: '' }).identity, 'ann');
});

test('attributes are base64 of an object of texts, or the reason to refuse', () => {
  const of = (text: string) =>
    joinRequestOf({ attributes: Buffer.from(text).toString('base64') }).participantAttributes;
  assert.deepEqual(of('{"a":"ü?>"}'), { a: 'ü?>' });
  for (const wrong of ['{', '[]', '{"a":1}', 'null']) assert.throws(() => of(wrong), { code: 'invalid-attributes' });
  assert.throws(() => joinRequestOf({ attributes: '%%%' }), { code: 'invalid-attributes' });
});
