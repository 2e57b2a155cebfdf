/** Stock clients with two PeerConnections (`/rtc`), in one meeting with those that have one, over two regions. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';
import { type OlderServer, startOlderServer } from './older-server.ts';
import { lumaOf } from './synthetic-media.ts';

const ROOM = 'two-connections';
const LUMA_TOLERANCE = 8;

describe('rtc-node with two PeerConnections beside rtc-node with one', { timeout: 120_000 }, () => {
  let meeting: Meeting;
  let older: OlderServer;
  /** On the older path, both: ada in eu, bob in us. */
  let ada: Client;
  let bob: Client;
  /** On the current one, in eu. */
  let chi: Client;
  const names = ['ada', 'bob', 'chi'];

  before(async () => {
    meeting = await startMeeting(ROOM, { regions: ['eu', 'us'] });
    older = await startOlderServer(meeting.network.pageUrl);
    const client = (identity: string) => new Client(identity, names.indexOf(identity), other => names.indexOf(other));
    ada = await client('ada').connect(`${older.url}/region/eu`, ROOM);
    bob = await client('bob').connect(`${older.url}/region/us`, ROOM);
    chi = await client('chi').connect(regionUrl(meeting.network, 'eu'), ROOM);
    for (const each of [ada, bob, chi]) {
      await each.publishMicrophone();
      await each.publishCamera();
    }
  });

  after(async () => {
    await Promise.allSettled([ada, bob, chi].map(client => client?.close()));
    await older.close();
    await meeting.close();
  });

  test('the two are on the older path', () => {
    assert.deepEqual(older.opened, ['/region/eu/rtc', '/region/us/rtc']);
  });

  test('each sees and hears both others, and they are theirs', async () => {
    for (const viewer of [ada, bob, chi]) {
      for (const publisher of [ada, bob, chi]) {
        if (viewer === publisher) continue;
        const who = `${viewer.identity} of ${publisher.identity}`;
        await eventually(
          `20 frames: ${who}`,
          10_000,
          () => (viewer.seen.get(publisher.identity)?.frames ?? 0) >= 20,
          () => [...viewer.seen.keys()],
        );
        const { luma } = viewer.seen.get(publisher.identity)!;
        assert.ok(Math.abs(luma - lumaOf(publisher.index)) < LUMA_TOLERANCE, `${who}: luma ${luma.toFixed(0)}`);
        await eventually(`the tone: ${who}`, 10_000, () => (viewer.heard.get(publisher.identity) ?? 0) >= 50);
      }
    }
  });

  test('messages of both kinds reach both others once, and not their sender', async () => {
    for (const sender of [ada, chi]) {
      for (const reliable of [true, false]) {
        const text = `from ${sender.identity}, ${reliable ? 'reliable' : 'lossy'}`;
        await sender.send(text, { reliable });
        for (const receiver of [ada, bob, chi]) {
          if (receiver === sender) continue;
          await eventually(`${receiver.identity} gets "${text}"`, 5_000, () =>
            receiver.messages.some(message => message.text === text),
          );
        }
      }
    }
    await bob.send('the last', { reliable: true });
    await bob.send('for ada only', { reliable: true, to: ['ada'] });
    await eventually('ada gets what is for her', 5_000, () => ada.messages.some(({ text }) => text === 'for ada only'));
    assert.ok(!chi.messages.some(({ text }) => text === 'for ada only'));
    for (const client of [ada, bob, chi]) {
      const texts = client.messages.map(({ text }) => text);
      assert.equal(new Set(texts).size, texts.length, `${client.identity} got ${texts.join('; ')}`);
      assert.ok(!client.messages.some(({ from }) => from === client.identity), 'nobody gets their own');
    }
  });
});
