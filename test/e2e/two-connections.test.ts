/** Stock clients with two PeerConnections (`/rtc`), in one meeting with those that have one, over two regions. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DisconnectReason, type RemoteParticipant, RoomEvent } from '@livekit/rtc-node';
import { accessToken, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';
import { type OlderServer, startOlderServer } from './older-server.ts';
import { type PageBrowser, startBrowser } from './page-browser.ts';
import { PageClient } from './page-client.ts';
import { lumaOf } from './synthetic-media.ts';

const ROOM = 'two-connections';
const LUMA_TOLERANCE = 8;
/** SimulateScenarioKind of the SDK, which rtc-node takes and does not export. */
const SIGNAL_RECONNECT = 0;
const NODE_FAILURE = 2;

/** Between two frames, of which the second came after `sinceMs`. */
function longestGapMs(shownAtMs: readonly number[], sinceMs: number): number {
  return Math.max(...shownAtMs.map((at, index) => (at < sinceMs || index === 0 ? 0 : at - shownAtMs[index - 1]!)));
}

describe('rtc-node with two PeerConnections beside rtc-node with one', { timeout: 180_000 }, () => {
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
          20_000,
          () => (viewer.seen.get(publisher.identity)?.frames ?? 0) >= 20,
          () => [...viewer.seen.keys()],
        );
        const { luma } = viewer.seen.get(publisher.identity)!;
        assert.ok(Math.abs(luma - lumaOf(publisher.index)) < LUMA_TOLERANCE, `${who}: luma ${luma.toFixed(0)}`);
        await eventually(`the tone: ${who}`, 20_000, () => (viewer.heard.get(publisher.identity) ?? 0) >= 50);
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
          await eventually(`${receiver.identity} gets "${text}"`, 20_000, () =>
            receiver.messages.some(message => message.text === text),
          );
        }
      }
    }
    await bob.send('the last', { reliable: true });
    await bob.send('for ada only', { reliable: true, to: ['ada'] });
    await eventually('ada gets what is for her', 20_000, () =>
      ada.messages.some(({ text }) => text === 'for ada only'),
    );
    assert.ok(!chi.messages.some(({ text }) => text === 'for ada only'));
    for (const client of [ada, bob, chi]) {
      const texts = client.messages.map(({ text }) => text);
      assert.equal(new Set(texts).size, texts.length, `${client.identity} got ${texts.join('; ')}`);
      assert.ok(!client.messages.some(({ from }) => from === client.identity), 'nobody gets their own');
    }
  });

  for (const path of ['older', 'current'] as const) {
    test(`on the ${path} path a client whose signalling drops resumes its session: nobody notices, media and messages go on`, async context => {
      const client = path === 'older' ? ada : chi;
      const noticed: string[] = [];
      const note = (participant: RemoteParticipant) => {
        if (participant.identity === client.identity) noticed.push('left');
      };
      bob.room.on(RoomEvent.ParticipantDisconnected, note);
      const sidAtBob = () => bob.room.remoteParticipants.get(client.identity)?.sid;
      const sid = sidAtBob();
      const resumed = new Promise<void>(resolve => client.room.once(RoomEvent.Reconnected, () => resolve()));
      const before = { sent: bob.seen.get(client.identity)!.frames, got: client.seen.get('bob')!.frames };
      const startedAt = performance.now();
      await client.room.simulateScenario(SIGNAL_RECONNECT);
      await resumed;
      const [shown, got] = [() => bob.seen.get(client.identity)!.frames, () => client.seen.get('bob')!.frames];
      await eventually(
        'frames both ways',
        20_000,
        () => shown() - before.sent > 30 && got() - before.got > 30,
        () => ({ shownOfIt: shown() - before.sent, shownToIt: got() - before.got }),
      );
      for (const [viewer, publisher] of [
        [bob, client],
        [client, bob],
      ] as const) {
        const gapMs = longestGapMs(viewer.seen.get(publisher.identity)!.shownAtMs, startedAt);
        context.diagnostic(`longest time without a frame at ${viewer.identity}: ${gapMs.toFixed(0)} ms`);
      }
      await client.send(`back on ${path}`, { reliable: true });
      await bob.send(`hello on ${path}`, { reliable: true });
      await eventually(
        'messages both ways',
        20_000,
        () =>
          bob.messages.some(({ text }) => text === `back on ${path}`) &&
          client.messages.some(({ text }) => text === `hello on ${path}`),
      );
      assert.equal(sidAtBob(), sid);
      assert.deepEqual(noticed, []);
      bob.room.off(RoomEvent.ParticipantDisconnected, note);
    });

    test(`on the ${path} path a client whose server is gone comes back as a new session with all its tracks`, async () => {
      const client = path === 'older' ? ada : chi;
      const sidAtBob = () => bob.room.remoteParticipants.get(client.identity)?.sid;
      const sid = sidAtBob();
      const reconnected = new Promise<void>(resolve => client.room.once(RoomEvent.Reconnected, () => resolve()));
      await client.room.simulateScenario(NODE_FAILURE);
      await reconnected;
      const before = { sent: bob.seen.get(client.identity)!.frames, got: client.seen.get('bob')!.frames };
      await eventually(
        'frames both ways',
        20_000,
        () =>
          bob.seen.get(client.identity)!.frames - before.sent > 20 && client.seen.get('bob')!.frames - before.got > 20,
      );
      assert.notEqual(sidAtBob(), sid);
      assert.equal(client.disconnectedBecause, undefined);
      await client.send(`anew on ${path}`, { reliable: true });
      await eventually('bob hears of it', 20_000, () => bob.messages.some(({ text }) => text === `anew on ${path}`));
    });
  }

  test('a track that ends is gone at the others, and the next one takes its place', async () => {
    const [audio, video] = ada.publications;
    assert.ok(audio !== undefined && video !== undefined);
    for (const publication of ada.room.localParticipant!.trackPublications.values()) {
      await ada.room.localParticipant!.unpublishTrack(publication.sid!);
    }
    await eventually(
      'bob has none of it',
      20_000,
      () => [...bob.room.remoteParticipants.get('ada')!.trackPublications.values()].length === 0,
    );
    const before = bob.seen.get('ada')!.frames;
    await ada.publishCamera();
    await eventually('bob sees the new one', 20_000, () => bob.seen.get('ada')!.frames - before > 20);
  });

  test('who may not publish can still send messages, who may not subscribe still gets them', async () => {
    const [viewer, speaker] = ['vic', 'sue'].map(name => new Client(name, 3, other => names.indexOf(other)));
    const to = `${older.url}/region/us`;
    await viewer.connect(to, ROOM, { canPublish: false, canPublishData: true });
    await speaker.connect(to, ROOM, { canSubscribe: false, canPublishData: true });
    await speaker.publishCamera();
    await eventually('the viewer sees ada', 20_000, () => (viewer.seen.get('ada')?.frames ?? 0) > 10);
    await eventually('the viewer sees the speaker', 20_000, () => (viewer.seen.get('sue')?.frames ?? 0) > 10);
    for (const [from, to] of [
      [viewer, speaker],
      [speaker, viewer],
      [ada, speaker],
    ] as const) {
      const text = `${from.identity} to ${to.identity}`;
      await from.send(text, { reliable: true, to: [to.identity] });
      await eventually(text, 20_000, () => to.messages.filter(message => message.text === text).length === 1);
    }
    assert.equal(speaker.seen.size, 0);
    await Promise.all([viewer.close(), speaker.close()]);
  });

  test('who leaves is gone at once, and nothing of it stays on its bridge', async () => {
    const bridge = meeting.network.bridges.find(({ region }) => region === 'us')!.bridge;
    // Who was here for the test before may still be on the way out.
    await eventually('bob publishes and receives, alone', 10_000, () => bridge.endpointCount === 2);
    await bob.close();
    await eventually('ada sees it', 20_000, () => !ada.others().includes('bob'));
    await eventually('the bridge has no endpoint left', 2_000, () => bridge.endpointCount === 0);
    assert.equal(bob.disconnectedBecause, DisconnectReason.CLIENT_INITIATED);
  });
});

describe('livekit-client with two PeerConnections beside one with one', { timeout: 180_000 }, () => {
  const room = `${ROOM}-page`;
  let browser: PageBrowser;
  let meeting: Meeting;
  /** Two connections, in eu. */
  let grace: PageClient;
  /** One, in us. */
  let junko: PageClient;

  before(async () => {
    browser = await startBrowser();
    meeting = await startMeeting(room, { regions: ['eu', 'us'] });
    grace = await PageClient.open(browser, 'grace', meeting.network.pageUrl);
    junko = await PageClient.open(browser, 'junko', meeting.network.pageUrl);
    await grace.connect(regionUrl(meeting.network, 'eu'), await accessToken('grace', room), false);
    await junko.connect(regionUrl(meeting.network, 'us'), await accessToken('junko', room));
    await grace.publishCamera(320, 240);
    await junko.publishCamera(320, 240);
  });

  after(async () => {
    await grace?.close();
    await junko?.close();
    await browser?.close();
    await meeting?.close();
  });

  /** Frames and messages, both ways. */
  async function areConnected(what: string): Promise<void> {
    const [shownBefore, gotBefore] = [await junko.framesOf('grace'), await grace.framesOf('junko')];
    await eventually(
      `${what}: junko sees grace`,
      20_000,
      async () => (await junko.framesOf('grace')) > shownBefore + 5,
    );
    await eventually(`${what}: grace sees junko`, 20_000, async () => (await grace.framesOf('junko')) > gotBefore + 5);
    for (const reliable of [true, false]) {
      const text = `${what}, ${reliable ? 'reliable' : 'lossy'}`;
      await reaches(grace, junko, `${text}, of grace`, reliable);
      await reaches(junko, grace, `${text}, of junko`, reliable);
    }
  }

  /** Sends until one arrives: what it is given while its own reconnect is under way, livekit-client keeps for a resume, and after a full reconnect there is none. */
  async function reaches(from: PageClient, to: PageClient, text: string, reliable: boolean): Promise<void> {
    let sent = 0;
    await eventually(`it arrives: ${text}`, 20_000, async () => {
      await from.send(`${++sent}: ${text}`, reliable);
      await delay(100);
      return (await to.messages()).some(message => message.endsWith(text));
    });
  }

  test('they see each other and read each other', async () => {
    const endpoints = meeting.network.bridges.map(({ region, bridge }) => [region, bridge.endpointCount]);
    assert.deepEqual(endpoints, [
      ['eu', 2],
      ['us', 1],
    ]);
    await areConnected('at first');
  });

  test('a subscription that is ended and begun again is shown again', async () => {
    await grace.subscribe('junko', false, 0);
    await eventually('it is not shown', 20_000, async () => (await grace.framesOf('junko')) === 0);
    await grace.subscribe('junko', true, 10_000);
    await areConnected('again');
  });

  test('signalling that drops is resumed, with the same session', async () => {
    for (const client of [grace, junko]) {
      const [seer, identity] = client === grace ? [junko, 'grace'] : [grace, 'junko'];
      const sid = await seer.sidOf(identity);
      await client.fail('signal-reconnect');
      await areConnected(`after the resume of ${identity}`);
      assert.equal(await seer.sidOf(identity), sid);
    }
  });

  test('a full reconnect brings everything back in a new session', async () => {
    for (const client of [grace, junko]) {
      const [seer, identity] = client === grace ? [junko, 'grace'] : [grace, 'junko'];
      const sid = await seer.sidOf(identity);
      await client.fail('full-reconnect');
      await areConnected(`after the full reconnect of ${identity}`);
      assert.notEqual(await seer.sidOf(identity), sid);
    }
  });

  test('nobody gets a message twice, nor their own', async () => {
    for (const client of [grace, junko]) {
      const messages = await client.messages();
      assert.equal(new Set(messages).size, messages.length, messages.join('; '));
      assert.ok(!messages.some(text => text.endsWith(`of ${client === grace ? 'grace' : 'junko'}`)));
    }
  });
});
