/** The query of `/rtc`, LiveKit's signalling for two PeerConnections: the same as a JoinRequest, in parameters. */
import { ClientInfo, ClientInfo_SDK, ConnectionSettings, JoinRequest } from '@livekit/protocol';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { AccessToken } from '../api/access-token.ts';
import { FocusError } from '../errors.ts';

/** As they came: a parameter given more than once counts by its first value. */
export type JoinParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a client says of itself is for people, and what is no number is 0. Throws FocusError `invalid-attributes`, and for nothing else. */
export function joinRequestOf(parameters: JoinParameters): JoinRequest {
  const text = (name: string) => textOf(parameters, name);
  return new JoinRequest({
    clientInfo: new ClientInfo({
      sdk: SDKS.get(text('sdk')) ?? ClientInfo_SDK.UNKNOWN,
      version: text('version'),
      protocol: integer(text('protocol')),
      clientProtocol: integer(text('client_protocol')),
      os: text('os'),
      osVersion: text('os_version'),
      deviceModel: text('device_model'),
      browser: text('browser'),
      browserVersion: text('browser_version'),
      network: text('network'),
    }),
    connectionSettings: new ConnectionSettings({
      // The one switch that is on unless it is turned off.
      autoSubscribe: text('auto_subscribe') === '' || isOn(text('auto_subscribe')),
      adaptiveStream: isOn(text('adaptive_stream')),
      disableIceLite: isOn(text('disable_ice_lite')),
    }),
    reconnect: isOn(text('reconnect')),
    reconnectReason: integer(text('reconnect_reason')),
    participantSid: text('sid'),
    participantAttributes: attributesOf(text('attributes')),
  });
}

/**
 * Who the client is with these parameters, which may say what the token leaves open. `room`: for a token that is good for any room. `publish`: a second connection
 * of the same person that only sends, under an identity of its own (LiveKit's way for a screen share of another process). Throws FocusError `permission-denied`.
 */
export function withParameters(token: AccessToken, parameters: JoinParameters): AccessToken {
  if (token.video === null) return token;
  const [room, publish] = [textOf(parameters, 'room'), textOf(parameters, 'publish')];
  const video = token.video.room === '' ? { ...token.video, room } : token.video;
  if (publish === '') return { ...token, video };
  if (!video.canPublish) throw new FocusError('permission-denied');
  const identity = token.identity === '' ? '' : `${token.identity}#${publish}`;
  return { ...token, identity, video: { ...video, canSubscribe: false } };
}

function textOf(parameters: JoinParameters, name: string): string {
  return [parameters[name]].flat().at(0) ?? '';
}

/** Base64 of a JSON object of texts. */
function attributesOf(text: string): Record<string, string> {
  if (text === '') return {};
  let attributes: unknown;
  try {
    attributes = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw new FocusError('invalid-attributes', 'base64 of a JSON object is expected');
  }
  if (!Value.Check(Attributes, attributes))
    throw new FocusError('invalid-attributes', 'an object of texts is expected');
  return attributes;
}

const Attributes = Type.Record(Type.String(), Type.String());

/** As SDKs write themselves. */
const SDKS: ReadonlyMap<string, ClientInfo_SDK> = new Map([
  ['js', ClientInfo_SDK.JS],
  ['ios', ClientInfo_SDK.SWIFT],
  ['swift', ClientInfo_SDK.SWIFT],
  ['android', ClientInfo_SDK.ANDROID],
  ['flutter', ClientInfo_SDK.FLUTTER],
  ['go', ClientInfo_SDK.GO],
  ['unity', ClientInfo_SDK.UNITY],
  ['reactnative', ClientInfo_SDK.REACT_NATIVE],
  ['rust', ClientInfo_SDK.RUST],
  ['python', ClientInfo_SDK.PYTHON],
  ['cpp', ClientInfo_SDK.CPP],
  ['unityweb', ClientInfo_SDK.UNITY_WEB],
  ['node', ClientInfo_SDK.NODE],
  ['esp32', ClientInfo_SDK.ESP32],
]);

function isOn(value: string): boolean {
  return value === '1' || value === 'true';
}

function integer(value: string): number {
  return /^\d{1,6}$/.test(value) ? Number(value) : 0;
}
