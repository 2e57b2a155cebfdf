/** The query of `/rtc`, LiveKit's signalling for two PeerConnections: the same as a JoinRequest, in parameters. */
import { ClientInfo, ClientInfo_SDK, ConnectionSettings, JoinRequest } from '@livekit/protocol';

/** As they came: a parameter given more than once counts by its first value. */
export type JoinParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Nothing in it is refused: what a client says of itself is for people, and what is no number is 0. */
export function joinRequestOf(parameters: JoinParameters): JoinRequest {
  const text = (name: string) => [parameters[name]].flat().at(0) ?? '';
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
  });
}

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
