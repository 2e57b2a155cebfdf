/** Reliable data between stock clients in two regions: streams, calls, and a receiver that does not keep up. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Endpoint } from '../../bridge/endpoint.ts';
import { BACKLOG_BYTES_MAX } from '../../bridge/receiver-pace.ts';
import type { Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, startMeeting } from './meeting.ts';

const FILE_BYTES = 5_000_000;
/** More than all that may wait on the way: in the SDK (2 MiB), with the bridge and on the link (256 KiB each). */
const LARGE_FILE_BYTES = 6_000_000;

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The next byte stream on `topic`, whole. */
function nextFile(client: Client, topic: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.room.registerByteStreamHandler(topic, reader => {
      client.room.unregisterByteStreamHandler(topic);
      reader.readAll().then(chunks => resolve(Buffer.concat(chunks)), reject);
    });
  });
}

/** Sends `file` as a stream of chunks of the SDK's; `onProgress` hears how much of it the SDK has taken. */
async function sendFile(
  client: Client,
  topic: string,
  file: Buffer,
  onProgress: (bytes: number) => void = () => {},
): Promise<void> {
  const writer = await client.room.localParticipant!.streamBytes({ topic, totalSize: file.length });
  for (let position = 0; position < file.length; position += 50_000) {
    await writer.write(file.subarray(position, position + 50_000));
    onProgress(Math.min(file.length, position + 50_000));
  }
  await writer.close();
}

describe('data messages between two regions', { timeout: 120_000 }, () => {
  let meeting: Meeting;
  let ada: Client;
  let bob: Client;
  let cleo: Client;

  const bridgeIn = (region: string) => meeting.network.bridges.find(bridge => bridge.region === region)!.bridge;

  function endpointOf(client: Client, region: string): Endpoint {
    for (const conference of bridgeIn(region).conferences.values()) {
      for (const endpoint of conference.endpoints.values()) {
        if (endpoint.spec?.identity === client.identity) return endpoint;
      }
    }
    throw new Error(`${client.identity} is not in ${region}`);
  }

  before(async () => {
    meeting = await startMeeting('data', { regions: ['eu', 'us'] });
    ada = await meeting.join('ada', 'eu');
    bob = await meeting.join('bob', 'us');
    cleo = await meeting.join('cleo', 'eu');
    for (const client of [ada, bob, cleo]) {
      await eventually(`${client.identity} sees the others`, 5_000, () => client.others().length === 2);
    }
  });

  after(() => meeting.close());

  test('a file of 5 MB arrives whole in the other region and in the same', async () => {
    const file = randomBytes(FILE_BYTES);
    const [atBob, atCleo] = [nextFile(bob, 'file'), nextFile(cleo, 'file')];
    await sendFile(ada, 'file', file);
    assert.equal(hashOf(await atBob), hashOf(file));
    assert.equal(hashOf(await atCleo), hashOf(file));
    assert.equal(bridgeIn('eu').describeLinks()[0].messagesRefused, 0);
  });

  test('a text of 200 kB arrives whole', async () => {
    const text = 'grüße aus frankfurt '.repeat(10_000);
    const heard = new Promise<string>((resolve, reject) => {
      ada.room.registerTextStreamHandler('text', reader => void reader.readAll().then(resolve, reject));
    });
    await bob.room.localParticipant!.sendText(text, { topic: 'text' });
    assert.equal(await heard, text);
  });

  test('a remote procedure call crosses and comes back, while a file is under way', async () => {
    bob.room.localParticipant!.registerRpcMethod('shout', async ({ payload }) => payload.toUpperCase());
    const file = randomBytes(1_000_000);
    const atBob = nextFile(bob, 'beside-rpc');
    const sending = sendFile(ada, 'beside-rpc', file);
    for (const payload of ['one', 'two', 'three']) {
      const answer = await cleo.room.localParticipant!.performRpc({
        destinationIdentity: 'bob',
        method: 'shout',
        payload,
      });
      assert.equal(answer, payload.toUpperCase());
    }
    await sending;
    assert.equal(hashOf(await atBob), hashOf(file));
  });

  test('a receiver that does not keep up holds its sender in the other region, and nobody else; after that nothing is missing', async () => {
    const { transport } = endpointOf(bob, 'us');
    // Bob takes 100 kB/s of a backlog that does not end: slow, and worth waiting for.
    const startedAt = performance.now();
    Object.defineProperty(transport, 'dataBacklogBytes', { configurable: true, get: () => BACKLOG_BYTES_MAX });
    Object.defineProperty(transport, 'dataDrainedBytes', {
      configurable: true,
      get: () => 100 * (performance.now() - startedAt),
    });
    const file = randomBytes(LARGE_FILE_BYTES);
    const atBob = nextFile(bob, 'slow');
    let taken = 0;
    const sending = sendFile(ada, 'slow', file, bytes => {
      taken = bytes;
    });
    const adaAtBridge = () => {
      const endpoint = endpointOf(ada, 'eu');
      return bridgeIn('eu').messages.describeHeld(performance.now(), endpoint);
    };
    await eventually('ada is held', 10_000, () => adaAtBridge() !== null);
    assert.equal(adaAtBridge()?.because, 'peer-holds');
    assert.equal(bridgeIn('us').describeLinks()[0].sendersHeldHere, 1);
    let still = { taken: -1, sinceMs: 0 };
    await eventually('her SDK takes no more for a second', 15_000, () => {
      if (taken !== still.taken) still = { taken, sinceMs: performance.now() };
      return taken > 0 && performance.now() - still.sinceMs > 1_000;
    });
    assert.ok(taken < (file.length * 2) / 3, `${taken} bytes of ${file.length} were taken`);
    assert.notEqual(adaAtBridge(), null);

    await cleo.send('not held', { reliable: true, to: ['bob'] });
    await eventually('bob hears cleo', 2_000, () => bob.messages.some(({ text }) => text === 'not held'));
    assert.notEqual(adaAtBridge(), null);

    Reflect.deleteProperty(transport, 'dataBacklogBytes');
    Reflect.deleteProperty(transport, 'dataDrainedBytes');
    await sending;
    assert.equal(hashOf(await atBob), hashOf(file));
    assert.equal(adaAtBridge(), null);
  });

  test('a message that is too large for a bridge is refused by the client itself, and the next one arrives', async () => {
    const large = new Uint8Array(100_000);
    const options = { reliable: true, destination_identities: ['bob'], topic: 'large' };
    await assert.rejects(ada.room.localParticipant!.publishData(large, options));
    await ada.send('still here', { reliable: true, to: ['bob'] });
    await eventually('bob hears ada', 5_000, () => bob.messages.some(({ text }) => text === 'still here'));
  });
});
