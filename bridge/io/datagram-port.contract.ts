/** What every {@link DatagramPort} must do, on real loopback sockets: run by the tests of each implementation. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { SLOT_BYTES } from '../arena.ts';
import type { DatagramHandler, DatagramPort } from './datagram-port.ts';

export type OpenPort = (options: {
  readonly address: string;
  readonly port: number;
  readonly handler: DatagramHandler<string>;
  readonly onReceived?: () => void;
  readonly arenaSlots?: number;
}) => Promise<DatagramPort<string>>;

const LOOPBACK = '127.0.0.1';

/** A port and what it received; closed when the test ends. */
async function openPort(
  context: TestContext,
  open: OpenPort,
  handler: DatagramHandler<string>,
  arenaSlots?: number,
): Promise<DatagramPort<string>> {
  const port = await open({ address: LOOPBACK, port: 0, handler, arenaSlots });
  context.after(() => port.close());
  return port;
}

/** A plain socket of a client. */
async function openClient(context: TestContext): Promise<Socket> {
  const client = createSocket('udp4');
  client.bind(0, LOOPBACK);
  await once(client, 'listening');
  context.after(() => client.close());
  return client;
}

function send(port: DatagramPort<string>, text: string, to: Parameters<DatagramPort<string>['commit']>[2]): boolean {
  const slot = port.reserve();
  if (slot < 0) return false;
  port.commit(slot, port.outgoing.write(text, slot), to);
  return true;
}

export function describePort(name: string, open: OpenPort): void {
  describe(`datagram port: ${name}`, () => {
    test('a datagram arrives with its bytes and its sender, in a slot with room', async context => {
      const { promise, resolve } = Promise.withResolvers<[string, number, number, string | undefined]>();
      const port = await openPort(context, open, (bytes, offset, length, peer) => {
        assert.ok(offset + SLOT_BYTES <= bytes.length);
        resolve([bytes.toString('latin1', offset, offset + length), length, peer.port, peer.owner]);
      });
      const client = await openClient(context);
      client.send('hello', port.port, LOOPBACK);
      assert.deepEqual(await promise, ['hello', 5, client.address().port, undefined]);
      assert.deepEqual([port.counters.received, port.counters.receivedBytes], [1, 5]);
      assert.equal(port.address, LOOPBACK);
    });

    test('a datagram as large as a slot arrives whole; a larger one is counted and dropped', async context => {
      const lengths: number[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const port = await openPort(context, open, (bytes, offset, length) => {
        lengths.push(length);
        if (bytes[offset] === 0x7a) resolve();
      });
      const client = await openClient(context);
      client.send(Buffer.alloc(SLOT_BYTES + 1), port.port, LOOPBACK);
      client.send(Buffer.alloc(SLOT_BYTES), port.port, LOOPBACK);
      client.send('z', port.port, LOOPBACK);
      await promise;
      assert.deepEqual(lengths, [SLOT_BYTES, 1]);
      assert.equal(port.counters.oversized, 1);
      assert.equal(port.counters.received, 2);
    });

    test('a stranger can be answered from the handler; what is written after does not go to another one', async context => {
      const port = await openPort(context, open, (_bytes, _offset, _length, peer) => {
        send(port, `you are ${peer.port}`, peer);
      });
      const clients = [await openClient(context), await openClient(context), await openClient(context)];
      const answers = clients.map(client => once(client, 'message'));
      for (const client of clients) client.send('who am I', port.port, LOOPBACK);
      for (const [index, answer] of answers.entries()) {
        assert.equal(String((await answer)[0]), `you are ${clients[index].address().port}`);
      }
    });

    test('an adopted address is its owner’s until released, and others stay strangers', async context => {
      const owners: (string | undefined)[] = [];
      let arrived = () => {};
      const port = await openPort(context, open, (_bytes, _offset, _length, peer) => {
        owners.push(peer.owner);
        arrived();
      });
      const alice = await openClient(context);
      const bob = await openClient(context);
      const say = async (client: Socket) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        arrived = resolve;
        client.send('x', port.port, LOOPBACK);
        await promise;
      };
      await say(alice);
      const peer = port.adopt(LOOPBACK, alice.address().port, 'alice');
      await say(alice);
      await say(bob);
      assert.equal(port.adopt(LOOPBACK, alice.address().port, 'carol'), peer, 'the same address is the same peer');
      await say(alice);
      port.release(peer);
      await say(alice);
      assert.deepEqual(owners, [undefined, 'alice', undefined, 'carol', undefined]);
      assert.equal(peer.owner, undefined);
    });

    test('a released peer is sent what was queued before, and nothing afterwards', async context => {
      const port = await openPort(context, open, () => {});
      const client = await openClient(context);
      const heard: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      client.on('message', bytes => {
        heard.push(String(bytes));
        if (String(bytes) === 'adopted again') resolve();
      });
      const adopt = () => port.adopt(LOOPBACK, client.address().port, 'client');
      const peer = adopt();
      send(port, 'before', peer);
      port.release(peer);
      send(port, 'afterwards', peer);
      send(port, 'adopted again', adopt());
      await promise;
      assert.deepEqual(heard, ['before', 'adopted again']);
      assert.equal(port.counters.sendDropped, 1);
    });

    test('what is queued leaves by itself, in order, by the end of the turn', async context => {
      const port = await openPort(context, open, () => {});
      const client = await openClient(context);
      const peer = port.adopt(LOOPBACK, client.address().port, 'client');
      const heard: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      client.on('message', bytes => {
        heard.push(String(bytes));
        if (heard.length === 5) resolve();
      });
      for (const text of ['1', '2', '3', '4', '5']) send(port, text, peer);
      await promise;
      assert.deepEqual(heard, ['1', '2', '3', '4', '5']);
      assert.deepEqual([port.counters.sent, port.counters.sentBytes], [5, 5]);
    });

    test('a slot is not given out again before its datagram has left, and then it is', async context => {
      const port = await openPort(context, open, () => {}, 4);
      const client = await openClient(context);
      const peer = port.adopt(LOOPBACK, client.address().port, 'client');
      const heard: string[] = [];
      let arrived = () => {};
      client.on('message', bytes => {
        heard.push(String(bytes));
        if (heard.length % 4 === 0) arrived();
      });
      for (let round = 0; round < 3; round++) {
        const { promise, resolve } = Promise.withResolvers<void>();
        arrived = resolve;
        for (let index = 0; index < 4; index++) assert.equal(send(port, `${round}${index}`, peer), true);
        assert.equal(send(port, 'lost', peer), false);
        port.flush();
        await promise;
      }
      assert.equal(heard.join(), '00,01,02,03,10,11,12,13,20,21,22,23');
      assert.equal(port.counters.sendDropped, 3);
    });

    test('a cancelled slot is free again, and nothing of it is sent', async context => {
      const port = await openPort(context, open, () => {}, 1);
      const client = await openClient(context);
      const peer = port.adopt(LOOPBACK, client.address().port, 'client');
      const slot = port.reserve();
      assert.equal(port.reserve(), -1);
      port.outgoing.write('never', slot);
      port.cancel(slot);
      const answer = once(client, 'message');
      assert.equal(send(port, 'instead', peer), true);
      assert.equal(String((await answer)[0]), 'instead');
    });

    test('a datagram that the system refuses is counted, not thrown, and its slot comes back', async context => {
      const port = await openPort(context, open, () => {}, 1);
      const client = await openClient(context);
      // Loopback has no way to an address outside.
      const nowhere = port.adopt('255.255.255.255', 9, 'nobody');
      const peer = port.adopt(LOOPBACK, client.address().port, 'client');
      const answer = once(client, 'message');
      send(port, 'lost', nowhere);
      port.flush();
      while (!send(port, 'found', peer)) await new Promise(resolve => setImmediate(resolve));
      assert.equal(String((await answer)[0]), 'found');
      assert.ok(port.counters.sendDropped >= 1);
      assert.equal(port.counters.sent, 1);
    });

    test('IPv6 works, where the machine has it', async context => {
      const client = createSocket('udp6');
      const hasIpv6 = await new Promise<boolean>(resolve => {
        client.once('error', () => resolve(false));
        client.bind(0, '::1', () => resolve(true));
      });
      context.after(() => client.close());
      if (!hasIpv6) return context.skip('no ::1 here');
      const heard: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const port = await open({
        address: '::1',
        port: 0,
        handler: (bytes, offset, length, peer) => {
          heard.push(`${bytes.toString('latin1', offset, offset + length)} of ${peer.owner} at ${peer.address}`);
          send(port, `you are ${peer.port}, ${peer.family}`, peer);
          if (heard.length === 1) port.adopt(peer.address, peer.port, 'client');
          if (heard.length === 2) resolve();
        },
      });
      context.after(() => port.close());
      for (const text of ['x', 'y']) {
        const answer = once(client, 'message');
        client.send(text, port.port, '::1');
        assert.equal(String((await answer)[0]), `you are ${client.address().port}, IPv6`);
      }
      await promise;
      assert.deepEqual(heard, ['x of undefined at ::1', 'y of client at ::1']);
    });

    test('the end of what arrived together is told after the handlers', async context => {
      const events: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const port = await open({
        address: LOOPBACK,
        port: 0,
        handler: () => events.push('datagram'),
        onReceived: () => {
          events.push('end');
          if (events.filter(event => event === 'datagram').length === 2) resolve();
        },
      });
      context.after(() => port.close());
      const client = await openClient(context);
      for (const text of ['x', 'y']) client.send(text, port.port, LOOPBACK);
      await promise;
      assert.deepEqual([events[0], events.at(-1)], ['datagram', 'end']);
    });

    test('a taken port is the system’s own error', async context => {
      const taken = await openPort(context, open, () => {});
      const attempt = open({ address: LOOPBACK, port: taken.port, handler: () => {} });
      await assert.rejects(attempt, { code: 'EADDRINUSE', port: taken.port });
    });

    test('closing sends what is queued, and then the port is free for another', async context => {
      const port = await open({ address: LOOPBACK, port: 0, handler: () => {} });
      const client = await openClient(context);
      const number = port.port;
      const answer = once(client, 'message');
      send(port, 'goodbye', port.adopt(LOOPBACK, client.address().port, 'client'));
      await port.close();
      assert.equal(String((await answer)[0]), 'goodbye');
      assert.equal(port.reserve(), -1);
      await port.close();
      const next = await open({ address: LOOPBACK, port: number, handler: () => {} });
      await next.close();
    });
  });
}
