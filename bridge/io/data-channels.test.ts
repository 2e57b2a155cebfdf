import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RTCDataChannel, RTCDataChannelParameters, type RTCDtlsTransport, RTCSctpTransport } from 'werift';
import {
  DataChannels,
  LOSSY_QUEUED_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  WAITING_BYTES_MAX,
  WAITING_MESSAGES_MAX,
} from './data-channels.ts';
import { UNREAD_BYTES_MAX } from './sctp-window.ts';

/** A client of werift's, joined to our channels by a wire without DTLS. */
interface Call {
  readonly channels: DataChannels;
  readonly events: string[];
  readonly drops: string[];
  /** Reliable messages, whole. */
  readonly heard: string[];
  readonly client: RTCSctpTransport;
  /** Opens a channel as LiveKit's clients do; what arrives on it is added to the list. */
  open(label: string): { readonly channel: RTCDataChannel; readonly heard: (string | Buffer)[] };
  /** Lets everything that is on its way arrive. */
  settle(): Promise<void>;
}

/** `isLost` decides about each packet of ours. */
async function call(
  context: TestContext,
  isLost: (packet: Buffer) => boolean = () => false,
  reading: 'all' | 'hold after each' = 'all',
  firstStreamId?: number,
): Promise<Call> {
  const events: string[] = [];
  const heard: string[] = [];
  const drops: string[] = [];
  const channels: DataChannels = new DataChannels({
    send: packet => {
      if (!isLost(packet)) setImmediate(() => shim.dataReceiver?.(packet));
    },
    onOpen: kind => events.push(`open ${kind}`),
    onMessage: (kind, bytes) => {
      events.push(`${kind} ${bytes.length > 40 ? bytes.length : bytes}`);
      if (kind === 'reliable') heard.push(`${bytes}`);
      if (reading === 'hold after each') channels.hold();
    },
    onClosed: reason => events.push(`closed ${reason}`),
    onDrop: reason => drops.push(reason),
  });
  if (firstStreamId !== undefined) channels.openOwn(() => firstStreamId);
  const shim = {
    id: 'client',
    iceTransport: { role: 'controlling' },
    // werift puts its reader here, and takes it away when it stops.
    dataReceiver: undefined as ((packet: Buffer) => void) | undefined,
    sendData: async (packet: Buffer) => {
      setImmediate(() => channels.handlePacket(Buffer.from(packet)));
    },
    onStateChange: { subscribe: () => ({ unSubscribe: () => {} }) },
  };
  const client = new RTCSctpTransport(5000);
  client.setDtlsTransport(shim as unknown as RTCDtlsTransport);
  await client.start(5000);
  context.after(() => {
    channels.close();
    void client.stop();
  });
  return {
    channels,
    events,
    drops,
    heard,
    client,
    open: label => {
      const isLossy = label !== '_reliable';
      const parameters = new RTCDataChannelParameters({
        label,
        ordered: !isLossy,
        maxRetransmits: isLossy ? 0 : undefined,
      });
      const channel = new RTCDataChannel(client, parameters);
      const heard: (string | Buffer)[] = [];
      channel.onMessage.subscribe(message => heard.push(message));
      return { channel, heard };
    },
    settle: async () => {
      for (let turn = 0; turn < 400; turn++) await new Promise(resolve => setImmediate(resolve));
    },
  };
}

test('the client’s channels carry messages both ways, each by its label', async context => {
  const { channels, events, open, settle } = await call(context);
  const reliable = open('_reliable');
  const lossy = open('_lossy');
  await settle();
  assert.deepEqual(events.splice(0), ['open reliable', 'open lossy']);
  reliable.channel.send(Buffer.from('sure'));
  lossy.channel.send(Buffer.from('perhaps'));
  assert.equal(channels.send('reliable', Buffer.from('one')), true);
  assert.equal(channels.send('lossy', Buffer.from('two')), true);
  await settle();
  assert.deepEqual(events.sort(), ['lossy perhaps', 'reliable sure']);
  assert.deepEqual([String(reliable.heard), String(lossy.heard)], ['one', 'two']);
});

test('reliable messages wait for their channel, in order; lossy ones do not', async context => {
  const { channels, drops, open, settle } = await call(context);
  for (const text of ['a', 'b', 'c']) assert.equal(channels.send('reliable', Buffer.from(text)), true);
  assert.equal(channels.send('lossy', Buffer.from('x')), false);
  assert.deepEqual(drops, ['data-lossy-closed']);
  const { heard } = open('_reliable');
  await settle();
  assert.equal(heard.map(String).join(''), 'abc');
});

test('the largest message arrives whole, either way, and a larger one is refused', async context => {
  const { channels, events, client, open, settle } = await call(context);
  client.setRemoteMaxMessageSize(MESSAGE_BYTES_MAX);
  const { channel, heard } = open('_reliable');
  await settle();
  const large = Buffer.alloc(MESSAGE_BYTES_MAX, 'causeway');
  assert.equal(channels.send('reliable', large), true);
  assert.equal(channels.send('reliable', Buffer.alloc(MESSAGE_BYTES_MAX + 1)), false);
  channel.send(large);
  await settle();
  assert.equal(heard.length, 1);
  assert.equal(large.equals(heard[0] as Buffer), true);
  assert.deepEqual(events, ['open reliable', `reliable ${MESSAGE_BYTES_MAX}`]);
});

test('a client that opens no channel ends with a backlog after the limit of messages', async context => {
  const { channels, events } = await call(context);
  for (let count = 0; count < WAITING_MESSAGES_MAX; count++) channels.send('reliable', Buffer.from('m'));
  assert.deepEqual(events, []);
  assert.equal(channels.send('reliable', Buffer.from('one too many')), false);
  assert.deepEqual(events, ['closed data-backlog']);
  assert.equal(channels.send('reliable', Buffer.from('after')), false);
});

test('a client that stops reading ends with a backlog after the limit of bytes, and lossy messages give way first', async context => {
  let isDeaf = false;
  const { channels, events, open, settle } = await call(context, () => isDeaf);
  open('_reliable');
  open('_lossy');
  await settle();
  isDeaf = true;
  const chunk = Buffer.alloc(60_000);
  let sent = 0;
  while (channels.send('reliable', chunk)) {
    sent += chunk.length;
    if (sent > 2 * LOSSY_QUEUED_BYTES_MAX) assert.equal(channels.send('lossy', Buffer.from('x')), false);
    assert.ok(sent <= WAITING_BYTES_MAX * 1.1);
  }
  assert.ok(sent > WAITING_BYTES_MAX * 0.8);
  assert.equal(events.at(-1), 'closed data-backlog');
});

test('an unknown label is acknowledged, counted, and what comes on it is dropped', async context => {
  const { events, drops, open, settle } = await call(context);
  const { channel } = open('_data_track');
  await settle();
  assert.equal(channel.readyState, 'open');
  channel.send(Buffer.from('frame'));
  await settle();
  assert.deepEqual(events, []);
  assert.deepEqual(drops, ['data-unknown-label', 'data-unknown-channel']);
});

test('a channel that the client closes is not used any more, and one it opens again is', async context => {
  const { channels, open, settle } = await call(context);
  const first = open('_reliable');
  await settle();
  first.channel.close();
  await settle();
  assert.equal(channels.isOpen('reliable'), false);
  channels.send('reliable', Buffer.from('later'));
  const second = open('_reliable');
  await settle();
  assert.deepEqual([first.heard.length, String(second.heard)], [0, 'later']);
});

async function eventually(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(resolve => setTimeout(resolve, 10));
}

/** True for an SCTP packet with a DATA chunk that carries `text`. */
function carries(packet: Buffer, text: string): boolean {
  return packet[12] === 0 && packet.includes(text);
}

test('a lost lossy message is given up and holds nothing up; a lost reliable one is repeated', async context => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const sent = { lossy: 0, reliable: 0, forward: 0 };
    const { channels, open, settle } = await call(context, packet => {
      // The first FORWARD TSN is lost too.
      if (packet[12] === 192) return sent.forward++ === 0;
      if (carries(packet, 'perhaps')) return sent.lossy++ >= 0;
      return carries(packet, 'sure') && sent.reliable++ === 0;
    });
    const reliable = open('_reliable');
    const lossy = open('_lossy');
    await settle();
    channels.send('reliable', Buffer.from('sure'));
    channels.send('lossy', Buffer.from('perhaps'));
    await settle();
    for (let second = 0; second < 8; second++) {
      mock.timers.tick(1000);
      await settle();
    }
    assert.deepEqual([reliable.heard.map(String), lossy.heard], [['sure'], []]);
    assert.deepEqual([sent.lossy, sent.reliable], [1, 2]);
    assert.ok(sent.forward >= 2);
    channels.send('reliable', Buffer.from('afterwards'));
    channels.send('lossy', Buffer.from('again'));
    await settle();
    assert.deepEqual([String(reliable.heard.at(-1)), String(lossy.heard)], ['afterwards', 'again']);
  } finally {
    mock.timers.reset();
  }
});

test('hostile SCTP neither hangs nor throws', async context => {
  const { channels, drops, open, settle } = await call(context);
  const { heard } = open('_reliable');
  await settle();
  const zeroLength = Buffer.alloc(40);
  channels.handlePacket(zeroLength);
  channels.handlePacket(Buffer.alloc(3));
  channels.handlePacket(
    Buffer.from('00000000000000000000000003000014ffffffff0000000000010000 0001ffff'.replace(' ', ''), 'hex'),
  );
  // Well-formed, with a wrong checksum: werift throws, and is not to take the process with it.
  channels.handlePacket(Buffer.from('1388138800000000000000000b000004', 'hex'));
  channels.send('reliable', Buffer.from('alive'));
  await settle();
  assert.equal(String(heard), 'alive');
  assert.equal(drops.length, 4);
});

test('one association that ends leaves the others as they are', async context => {
  const ended = await call(context);
  const other = await call(context);
  ended.open('_reliable');
  const { channel } = other.open('_reliable');
  await Promise.all([ended.settle(), other.settle()]);
  ended.channels.close();
  await ended.settle();
  channel.send(Buffer.from('still here'));
  await other.settle();
  assert.deepEqual(other.events, ['open reliable', 'reliable still here']);
});

test('while a client is held its reliable messages stay with it, and after that all arrive once, in order', {
  timeout: 20_000,
}, async context => {
  const { channels, events, drops, heard, client, open, settle } = await call(context);
  const { channel } = open('_reliable');
  const lossy = open('_lossy').channel;
  await settle();
  events.splice(0);
  channels.hold();
  lossy.send(Buffer.from('not held'));
  await settle();
  assert.deepEqual(events.splice(0), ['lossy not held']);
  const { sctp } = client;
  // Four times what may stay unread; each says its number.
  const texts = Array.from({ length: 256 }, (_, number) => `${number}`.padEnd(4096, '.'));
  for (const text of texts) channel.send(Buffer.from(text));
  // The client's timer of repeats is real: it begins with 1 s, which is what a closed window costs it here.
  await eventually(() => (sctp as unknown as { peerAdvertisedRwnd: number }).peerAdvertisedRwnd === 0);
  await settle();
  assert.deepEqual(events, []);
  assert.ok(
    sctp.outboundQueue.length * 1160 > texts.length * 4096 - 1.5 * UNREAD_BYTES_MAX,
    'the rest is with the client',
  );
  channels.resume();
  await eventually(() => events.length === texts.length);
  assert.deepEqual(heard, texts);
  assert.deepEqual(drops, []);
});

test('a client that sends into a closed window is not believed, and costs no memory', async context => {
  const { channels, events, client, open, settle } = await call(context);
  const { channel } = open('_reliable');
  await settle();
  events.splice(0);
  channels.hold();
  // It takes every window for 1 MiB.
  Object.defineProperty(client.sctp, 'peerAdvertisedRwnd', { get: () => 2 ** 20, set: () => {} });
  Object.defineProperty(client.sctp, 'cwnd', { value: 2 ** 20, writable: true });
  for (let count = 0; count < 20; count++) channel.send(Buffer.alloc(60_000, count));
  for (let times = 0; times < 5; times++) await settle();
  const unread = channels.takeUnread();
  const bytes = unread.reduce((sum, each) => sum + each.length, 0);
  assert.ok(bytes <= UNREAD_BYTES_MAX && bytes > UNREAD_BYTES_MAX / 2, `${bytes}`);
  assert.deepEqual(events, [], 'and the channels are still open');
});

test('hold and resume within one message keep the order', async context => {
  const { channels, events, open, settle, heard } = await call(context, () => false, 'hold after each');
  const { channel } = open('_reliable');
  await settle();
  events.splice(0);
  for (let count = 0; count < 5; count++) channel.send(Buffer.from(`${count}`));
  await settle();
  assert.deepEqual(heard, ['0']);
  for (let count = 1; count < 5; count++) {
    channels.resume();
    await settle();
    assert.equal(heard.length, count + 1);
  }
  assert.deepEqual(heard, ['0', '1', '2', '3', '4']);
});

test('a client without data channels costs no association', () => {
  const sink = { send() {}, onOpen() {}, onMessage() {}, onClosed() {}, onDrop() {} };
  const count = 200;
  const before = heapUsed();
  const idle = Array.from({ length: count }, () => new DataChannels(sink));
  const each = (heapUsed() - before) / count;
  // An association is several thousand bytes.
  assert.ok(each < 1_000, `${each} bytes`);
  for (const channels of idle) channels.close();
});

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  for (let times = 0; times < 3; times++) runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** Channels that the other side opens arrive at the client of werift's like this. */
function channelsOpenedTo(client: RTCSctpTransport): RTCDataChannel[] {
  const opened: RTCDataChannel[] = [];
  client.onDataChannel.subscribe(channel => opened.push(channel));
  return opened;
}

for (const firstStreamId of [0, 1]) {
  test(`channels of our own, on streams from ${firstStreamId} on, are opened when the client has begun, and carry messages both ways`, async context => {
    const { channels, events, client, settle } = await call(context, () => false, 'all', firstStreamId);
    const opened = channelsOpenedTo(client);
    await settle();
    assert.deepEqual(
      opened.map(({ label, id, ordered, maxRetransmits }) => [label, id, ordered, maxRetransmits ?? null]),
      [
        ['_reliable', firstStreamId, true, null],
        ['_lossy', firstStreamId + 2, false, 0],
      ],
    );
    assert.deepEqual(events.splice(0), ['open reliable', 'open lossy']);
    const heard: string[] = [];
    for (const { label, onMessage } of opened) onMessage.subscribe(bytes => heard.push(`${label} ${bytes}`));
    assert.equal(channels.send('reliable', Buffer.from('one')), true);
    assert.equal(channels.send('lossy', Buffer.from('two')), true);
    for (const channel of opened) channel.send(Buffer.from('back'));
    await settle();
    assert.deepEqual(heard.sort(), ['_lossy two', '_reliable one']);
    assert.deepEqual(events.sort(), ['lossy back', 'reliable back']);
  });
}

test('on channels of our own reliable messages wait for the client, and lossy ones until it knows their channel', async context => {
  const { channels, client, settle } = await call(context, () => false, 'all', 1);
  const opened = channelsOpenedTo(client);
  const heard: string[] = [];
  client.onDataChannel.subscribe(({ onMessage }) => onMessage.subscribe(bytes => heard.push(`${bytes}`)));
  for (const text of ['a', 'b']) assert.equal(channels.send('reliable', Buffer.from(text)), true);
  assert.equal(channels.send('lossy', Buffer.from('x')), false);
  await settle();
  assert.equal(opened.length, 2);
  assert.equal(heard.join(''), 'ab');
});
