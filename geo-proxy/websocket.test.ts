import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Seen, withNetwork } from './testing/test-network.ts';

/** node's WebSocket takes headers, which the DOM's type does not know. */
type WebSocketWithHeaders = new (
  url: string,
  options: { protocols?: string[]; headers?: Record<string, string> },
) => WebSocket;
const Client = WebSocket as unknown as WebSocketWithHeaders;

/** Messages and the close of a WebSocket, in order, to be awaited one by one. */
class Conversation {
  readonly socket: WebSocket;
  readonly #events: (MessageEvent | CloseEvent)[] = [];
  readonly #waiting: ((event: MessageEvent | CloseEvent) => void)[] = [];

  constructor(url: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}) {
    this.socket = new Client(url.replace(/^http/, 'ws'), options);
    this.socket.binaryType = 'arraybuffer';
    this.socket.addEventListener('message', event => this.#push(event));
    this.socket.addEventListener('close', event => this.#push(event));
  }

  async next(): Promise<MessageEvent | CloseEvent> {
    const event = this.#events.shift();
    return event ?? new Promise(resolve => this.#waiting.push(resolve));
  }

  async message(): Promise<string | ArrayBuffer> {
    const event = await this.next();
    assert.ok('data' in event, `a message, not the close ${'code' in event ? event.code : ''}`);
    return event.data;
  }

  async close(): Promise<[code: number, reason: string]> {
    const event = await this.next();
    assert.ok('code' in event, 'a close, not a message');
    return [event.code, event.reason];
  }

  #push(event: MessageEvent | CloseEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#events.push(event);
    else waiting(event);
  }
}

const DEVELOPMENT = { development: true };

test('an SDK behind the prefix reaches /rtc/v1 with its token, query and protocol', () =>
  withNetwork(DEVELOPMENT, async ({ proxy }) => {
    const query = `join_request=${'A'.repeat(20_000)}%3D&auto_subscribe=1`;
    const conversation = new Conversation(`${proxy.url}/region/us/rtc/v1?${query}`, {
      protocols: ['first', 'second'],
      headers: { authorization: 'Bearer token', 'x-region': 'ap' },
    });
    const seen = JSON.parse((await conversation.message()) as string) as Seen;
    assert.deepEqual([seen.focus, seen.url], ['us', `/rtc/v1?${query}`]);
    assert.deepEqual([seen.headers['authorization'], seen.headers['x-region']], ['Bearer token', 'us']);
    assert.equal(conversation.socket.protocol, 'first');
    conversation.socket.close();
    await conversation.close();
  }));

test('binary frames of a megabyte come back byte for byte, text stays text', () =>
  withNetwork({}, async ({ proxy }) => {
    const conversation = new Conversation(`${proxy.url}/rtc/v1`);
    await conversation.message();
    const frames = [randomBytes(1), randomBytes(65_536), randomBytes(1_000_000)];
    for (const frame of frames) conversation.socket.send(frame);
    conversation.socket.send('ümläut');
    for (const frame of frames) assert.deepEqual(Buffer.from((await conversation.message()) as ArrayBuffer), frame);
    assert.equal(await conversation.message(), 'ümläut');
    conversation.socket.close();
    await conversation.close();
  }));

test('close codes and reasons go through both ways', () =>
  withNetwork(DEVELOPMENT, async ({ proxy, focuses }) => {
    const fromFocus = new Conversation(`${proxy.url}/rtc/v1`);
    await fromFocus.message();
    fromFocus.socket.send('close 4321 moved on');
    assert.deepEqual(await fromFocus.close(), [4321, 'moved on']);
    const fromClient = new Conversation(`${proxy.url}/region/ap/rtc/v1`);
    await fromClient.message();
    fromClient.socket.close(4007, 'had enough');
    await fromClient.close();
    assert.equal(await focuses.get('ap')!.firstClose, '4007 had enough');
  }));

test('a focus that is down is passed over before the client sees anything', () =>
  withNetwork(DEVELOPMENT, async ({ proxy, focuses }) => {
    await focuses.get('us')!.close();
    const conversation = new Conversation(`${proxy.url}/region/us/rtc/v1`);
    const seen = JSON.parse((await conversation.message()) as string) as Seen;
    assert.deepEqual([seen.focus, seen.headers['x-region']], ['eu', 'us']);
    conversation.socket.close();
    await conversation.close();
  }));

test('a focus that dies takes its sockets with it, so that clients reconnect at once', () =>
  withNetwork({}, async ({ proxy, focuses }) => {
    const conversation = new Conversation(`${proxy.url}/rtc/v1`);
    await conversation.message();
    for (const socket of focuses.get('eu')!.app.websocketServer.clients) socket.terminate();
    assert.equal((await conversation.close())[0], 1006);
  }));

test("a focus's refusal of an upgrade reaches the client with its status and text", () =>
  withNetwork(DEVELOPMENT, async ({ proxy }) => {
    const [status, body] = await upgrade(`${proxy.url}/region/us/rtc/refused`);
    assert.deepEqual([status, body], [401, 'no permissions to access the room']);
  }));

test('our own refusals answer an upgrade too', () =>
  withNetwork({ development: false }, async ({ proxy, focuses }) => {
    const [status, body] = await upgrade(`${proxy.url}/region/us/rtc/v1`);
    assert.equal(status, 404);
    assert.match(body, /prefix-refused/);
    for (const focus of focuses.values()) await focus.close();
    assert.equal((await upgrade(`${proxy.url}/rtc/v1`))[0], 502);
  }));

test('closing the proxy cuts what is open and waits for nobody', () =>
  withNetwork({}, async ({ proxy }) => {
    const conversation = new Conversation(`${proxy.url}/rtc/v1`);
    await conversation.message();
    await proxy.close();
    assert.equal((await conversation.close())[0], 1006);
  }));

test('open WebSockets are counted while they are open', () =>
  withNetwork({}, async ({ proxy }) => {
    const count = async () =>
      /causeway_geo_proxy_websockets (\d+)/.exec(await (await fetch(`${proxy.url}/metrics`)).text())?.[1];
    const conversation = new Conversation(`${proxy.url}/rtc/v1`);
    await conversation.message();
    assert.equal(await count(), '1');
    conversation.socket.send('close 1000 bye');
    await conversation.close();
    assert.equal(await count(), '0');
  }));

/** Status and body of an upgrade that is not granted. */
async function upgrade(url: string): Promise<[status: number, body: string]> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
  const outgoing = request(url, { headers }).end();
  outgoing.once('upgrade', () => outgoing.destroy(new Error('the upgrade was granted')));
  const [response] = await once(outgoing, 'response');
  return [response.statusCode, await text(response)];
}
