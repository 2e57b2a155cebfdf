import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type RTCDtlsTransport, RTCSctpTransport } from 'werift';
import { PPID_BINARY } from '../../protocol/datachannel/dcep.ts';
import { DataChannels } from './data-channels.ts';

const RELIABLE = 1;
const CHANNELS = { reliable: RELIABLE, lossy: 3 };
const INIT = 1;
const DATA = 0;

/** werift's private parts. */
interface SctpParts {
  isServer: boolean;
  handleData(packet: Buffer): Promise<void>;
}

interface Client {
  readonly channels: DataChannels;
  readonly transport: RTCSctpTransport;
  /** What each side has been given of reliable messages. */
  readonly heardByUs: string[];
  readonly heardByClient: string[];
  readonly drops: string[];
  /** Packets of the client, in order, since the start; all of them have been handed on unless `hold` says otherwise. */
  readonly sent: Buffer[];
  /** Keeps what the client sends until it is false again. */
  isHeld: boolean;
  say(text: string): void;
  settle(): Promise<void>;
}

/**
 * A client that has come from another bridge with its channels open. `begins`: it sends an INIT of its own, as libwebrtc does when DTLS begins anew, and answers ours as RFC 9260 says
 * (section 5.2.1); else it waits for ours.
 */
async function fromElsewhere(context: TestContext, begins: boolean, isLost: (packet: Buffer) => boolean = () => false) {
  const [heardByUs, heardByClient, drops, sent]: [string[], string[], string[], Buffer[]] = [[], [], [], []];
  let shim: { dataReceiver?: (packet: Buffer) => void };
  const channels = new DataChannels({
    send: packet => {
      if (!isLost(packet)) setImmediate(() => shim.dataReceiver?.(packet));
    },
    onOpen: () => {},
    onMessage: (kind, bytes) => kind === 'reliable' && heardByUs.push(`${bytes}`),
    onClosed: reason => drops.push(`closed ${reason}`),
    onDrop: reason => drops.push(reason),
  });
  const transport = new RTCSctpTransport(5000);
  const client: Client = {
    channels,
    transport,
    heardByUs,
    heardByClient,
    drops,
    sent,
    isHeld: false,
    say: text => void transport.sctp.send(RELIABLE, PPID_BINARY, Buffer.from(text), { ordered: true }),
    settle: async () => {
      for (let turn = 0; turn < 400; turn++) await new Promise(resolve => setImmediate(resolve));
    },
  };
  const wire = {
    id: 'client',
    iceTransport: { role: begins ? 'controlling' : 'controlled' },
    dataReceiver: undefined as ((packet: Buffer) => void) | undefined,
    sendData: async (packet: Buffer) => {
      sent.push(Buffer.from(packet));
      if (!client.isHeld) setImmediate(() => channels.handlePacket(Buffer.from(packet)));
    },
    onStateChange: { subscribe: () => ({ unSubscribe: () => {} }) },
  };
  shim = wire as { dataReceiver?: (packet: Buffer) => void };
  transport.setDtlsTransport(wire as unknown as RTCDtlsTransport);
  transport.sctp.onReceive.allUnsubscribe();
  transport.sctp.onReceive.subscribe((_streamId, _ppid, bytes) => heardByClient.push(`${bytes}`));
  context.after(() => {
    channels.close();
    void transport.stop();
  });
  return client;
}

/** Starts the client's association; one that begins answers an INIT of ours as well. */
async function start({ transport }: Client): Promise<void> {
  await transport.start(5000);
  (transport.sctp as unknown as SctpParts).isServer = true;
}

/** Ten messages each way, of which each arrives once and in order. */
async function talk(client: Client, waited: readonly string[]): Promise<void> {
  const texts = Array.from({ length: 10 }, (_, index) => `message ${index}`);
  for (const text of texts) {
    client.say(text);
    assert.ok(client.channels.send('reliable', Buffer.from(text)));
  }
  await client.settle();
  assert.deepEqual(client.heardByUs, texts);
  assert.deepEqual(client.heardByClient, [...waited, ...texts]);
}

const never = () => false;

test('a client that waits is begun with by us, and its channels are open', async context => {
  const client = await fromElsewhere(context, false);
  client.channels.send('reliable', Buffer.from('kept'));
  await start(client);
  client.channels.resumeChannels(CHANNELS, never);
  client.channels.handleTransportUp();
  await client.settle();
  await talk(client, ['kept']);
});

test('a client that has begun before its channels are known has them open when they are', async context => {
  const client = await fromElsewhere(context, true);
  client.channels.openOwn(() => 1);
  client.channels.send('reliable', Buffer.from('kept'));
  client.channels.handleTransportUp();
  await start(client);
  await client.settle();
  client.heardByClient.length = 0;
  client.channels.resumeChannels(CHANNELS, never);
  await client.settle();
  await talk(client, ['kept']);
});

test('its channels may become known between its INIT and its cookie', async context => {
  const client = await fromElsewhere(context, true);
  client.channels.handleTransportUp();
  await start(client);
  while (client.sent.length === 0) await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setImmediate(resolve));
  client.channels.resumeChannels(CHANNELS, never);
  await client.settle();
  await talk(client, []);
});

test('when both begin at once, there is one association', async context => {
  const client = await fromElsewhere(context, true);
  client.channels.resumeChannels(CHANNELS, never);
  client.channels.send('reliable', Buffer.from('kept'));
  const starting = start(client);
  client.channels.handleTransportUp();
  await starting;
  await client.settle();
  assert.equal(client.sent.filter(packet => packet[12] === INIT).length, 1, 'the client has begun as well');
  await talk(client, ['kept']);
});

test('what the client still sends of its association with another bridge begins none with us', async context => {
  const client = await fromElsewhere(context, false);
  const old = Buffer.alloc(32);
  old.writeUInt16BE(20, 14);
  client.channels.handlePacket(old);
  assert.deepEqual(client.drops, ['sctp-before-init']);
  client.channels.resumeChannels(CHANNELS, never);
  await start(client);
  client.channels.handleTransportUp();
  await client.settle();
  await talk(client, []);
});

test('a late copy of the client’s INIT changes nothing', async context => {
  const client = await fromElsewhere(context, true);
  client.channels.handleTransportUp();
  await start(client);
  await client.settle();
  client.channels.resumeChannels(CHANNELS, never);
  client.say('first');
  await client.settle();
  const init = client.sent.find(packet => packet[12] === INIT);
  assert.ok(init !== undefined && client.sent.some(packet => packet[12] === DATA));
  client.channels.handlePacket(Buffer.from(init));
  await client.settle();
  client.heardByUs.length = 0;
  await talk(client, []);
});

test('an INIT of ours that is lost is sent again after a second', async context => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let lost = 0;
  const client = await fromElsewhere(context, false, packet => packet[12] === INIT && lost++ === 0);
  client.channels.resumeChannels(CHANNELS, never);
  await start(client);
  client.channels.handleTransportUp();
  await client.settle();
  assert.equal(lost, 1);
  context.mock.timers.tick(1_000);
  await client.settle();
  assert.equal(lost, 2);
  await talk(client, []);
});

test('of what was kept the client is not sent what it has had, and the rest once, in order', async context => {
  const client = await fromElsewhere(context, true);
  for (const text of ['had', 'had too', 'new', 'newer']) client.channels.send('reliable', Buffer.from(text));
  client.channels.resumeChannels(CHANNELS, bytes => `${bytes}`.startsWith('had'));
  // The same document again, and one that knows less.
  client.channels.resumeChannels(CHANNELS, never);
  client.channels.handleTransportUp();
  await start(client);
  await client.settle();
  client.channels.resumeChannels(CHANNELS, never);
  await talk(client, ['new', 'newer']);
});
