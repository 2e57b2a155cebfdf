/** Stock clients in three regions whose bridges are 80 ms and a few lost datagrams apart: what a meeting is on a network as it is. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MeshProxy } from '../wan/io/mesh-proxy.ts';
import type { Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, startMeeting } from './meeting.ts';

const HOST = '127.0.0.1';
const REGIONS = ['eu', 'us', 'ap'];
const SETTINGS = { delayMs: 40, lossShare: 0.02 };
const SEED = 4;
const [EU, US] = [0, 1];

describe(`a meeting over links of 80 ms that lose 2 %, seed ${SEED}`, { timeout: 120_000 }, () => {
  let mesh: MeshProxy;
  let meeting: Meeting;
  let ada: Client;
  let bob: Client;
  let chi: Client;

  before(async () => {
    const standIns = REGIONS.map(() => ({ host: HOST, port: 0 }));
    mesh = await MeshProxy.open({ standIns, seed: SEED, forth: SETTINGS, back: SETTINGS });
    const octoAdvertisedPorts = standIns.map((_, place) => mesh.standIn(place).port);
    meeting = await startMeeting('bad-network', { regions: REGIONS, octoAdvertisedPorts });
    for (const [place, { octoPort }] of meeting.network.bridges.entries()) {
      mesh.attach(place, { host: HOST, port: octoPort });
    }
    ada = await meeting.join('ada', 'eu');
    bob = await meeting.join('bob', 'us');
    chi = await meeting.join('chi', 'ap');
    for (const client of [ada, bob, chi]) {
      await client.publishMicrophone();
      await client.publishCamera();
    }
  });

  after(async () => {
    await meeting?.close();
    await mesh?.close();
  });

  test('each sees and hears both others', async () => {
    for (const [viewer, publisher] of pairs()) {
      await eventually(
        `${viewer.identity} sees and hears ${publisher.identity}`,
        15_000,
        () => isSeen(viewer, publisher, 15) && isHeard(viewer, publisher, 50),
        () => [viewer.seen.get(publisher.identity)?.frames, viewer.heard.get(publisher.identity)],
      );
    }
  });

  test('all of it went over the bad network, and it was bad', () => {
    const directions = mesh.paths.flatMap(path => [path.counters('forth'), path.counters('back')]);
    for (const { sent } of directions) assert.ok(sent > 100, `${sent} datagrams`);
    assert.ok(directions.some(({ lost }) => lost > 0));
    for (const { bridge } of meeting.network.bridges) {
      for (const { rttMs } of bridge.describeLinks()) assert.ok((rttMs ?? 0) >= 79, `a round trip of ${rttMs} ms`);
    }
  });

  test('reliable messages are whole and in order, long ones too, both ways at once', async () => {
    const textsOf = (client: Client) =>
      Array.from({ length: 30 }, (_, index) => `${client.identity} ${index} ${'y'.repeat(index * 500)}`);
    await Promise.all(
      [ada, bob].map(async client => {
        for (const text of textsOf(client)) await client.send(text, { reliable: true, topic: 'loss' });
      }),
    );
    for (const [receiver, sender] of pairs().filter(([, from]) => from !== chi)) {
      await hasAll(receiver, sender, 'loss', textsOf(sender));
    }
  });

  test('a link that is cut leaves the others as they are, and is as before when it is healed', async () => {
    cut(true);
    await eventually('both ends call it down', 10_000, () => linkStates(EU, US).every(state => state !== 'up'));
    // What had arrived before may still be shown: from here on it is the network.
    const shownBefore = bob.seen.get('ada')!.frames;
    const texts = Array.from({ length: 10 }, (_, index) => `into the cut ${index}`);
    for (const text of texts) await ada.send(text, { reliable: true, topic: 'cut' });
    const chiBefore = chi.seen.get('ada')!.frames;
    await eventually('chi goes on seeing ada', 10_000, () => chi.seen.get('ada')!.frames >= chiBefore + 30);
    await hasAll(chi, ada, 'cut', texts);
    const duringCut = bob.seen.get('ada')!.frames - shownBefore;
    assert.ok(duringCut < 5, `bob was shown ${duringCut} frames of ada over a cut link`);
    assert.deepEqual(textsFrom(bob, ada, 'cut'), []);

    cut(false);
    const [seenBefore, heardBefore] = [bob.seen.get('ada')!.frames, bob.heard.get('ada') ?? 0];
    await eventually('the link is up', 10_000, () => linkStates(EU, US).every(state => state === 'up'));
    await eventually(
      'bob sees and hears ada again',
      10_000,
      () => isSeen(bob, ada, seenBefore + 15) && isHeard(bob, ada, heardBefore + 50),
      () => [bob.seen.get('ada')?.frames, bob.heard.get('ada')],
    );
    await hasAll(bob, ada, 'cut', texts);
  });

  function cut(isCut: boolean): void {
    mesh.change(EU, US, { isCut });
    mesh.change(US, EU, { isCut });
  }

  /** What the two bridges say of their link. */
  function linkStates(a: number, b: number): (string | undefined)[] {
    const { bridges } = meeting.network;
    const state = (from: number, to: number) =>
      bridges[from].bridge.describeLinks().find(({ bridgeId }) => bridgeId === bridges[to].bridgeId)?.state;
    return [state(a, b), state(b, a)];
  }

  function pairs(): (readonly [Client, Client])[] {
    const all = [ada, bob, chi];
    return all.flatMap(viewer => all.filter(other => other !== viewer).map(publisher => [viewer, publisher] as const));
  }
});

function isSeen(viewer: Client, { identity }: Client, frames: number): boolean {
  return (viewer.seen.get(identity)?.frames ?? 0) >= frames;
}

function isHeard(listener: Client, { identity }: Client, frames: number): boolean {
  return (listener.heard.get(identity) ?? 0) >= frames;
}

function textsFrom(receiver: Client, sender: Client, topic: string): string[] {
  return receiver.messages.filter(one => one.topic === topic && one.from === sender.identity).map(({ text }) => text);
}

async function hasAll(receiver: Client, sender: Client, topic: string, texts: readonly string[]): Promise<void> {
  await eventually(
    `${receiver.identity} has all of ${sender.identity}'s messages`,
    15_000,
    () => textsFrom(receiver, sender, topic).length >= texts.length,
    () => textsFrom(receiver, sender, topic).length,
  );
  assert.deepEqual(textsFrom(receiver, sender, topic), texts);
}
