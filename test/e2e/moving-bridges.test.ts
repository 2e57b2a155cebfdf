/** Participants that go on at another bridge, by order or because theirs has died: stock clients, whose session, tracks and subscriptions stay. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RoomEvent } from '@livekit/rtc-node';
import type { MoveOutcome } from '../../focus/conference/endpoint-mover.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { type BridgeProcess, ProcessNetwork } from './bridge-process.ts';
import { API_KEY, API_SECRET, accessToken, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type OlderServer, startOlderServer } from './older-server.ts';
import { type PageBrowser, startBrowser } from './page-browser.ts';
import { PageClient } from './page-client.ts';

const BRIDGES = ['one', 'two', 'three'];
/** All share a machine with the clients: none is to be full. */
const BRIDGE_SETTINGS = { CAUSEWAY_LIMITS_CPU: '8', CAUSEWAY_LIMITS_EVENT_LOOP_DELAY_MS: '10000' };
const NAMES = ['ada', 'bob'];
/** Media is to be back in 2 s from the end of a bridge, of which finding out may take one. On a machine of the size of this test's, which all share. */
const GAP_MS_MAX = 2_000;
const MESSAGE_PERIOD_MS = 25;
/** Of a bridge that is killed all know after so long, also when this machine is busy: messages sent later are whole. */
const KNOWN_MS = 500;

/** What others would hear of somebody who leaves, or ends a track, and comes again. */
const DISTURBANCES = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.Disconnected,
] as const;

/** A focus, and three bridges in processes of their own. Each takes one participant, so that all of them are somewhere else; the one that is left over is where one can go. */
class Bridges {
  readonly network = new ProcessNetwork({
    keys: { [API_KEY]: API_SECRET },
    'placement.participants_per_bridge_max': 1,
  });
  readonly #running = new Map<string, BridgeProcess>();

  static async start(): Promise<Bridges> {
    const bridges = new Bridges();
    await bridges.network.start();
    for (const name of BRIDGES) bridges.#running.set(name, bridges.network.startBridge(name, 'eu', BRIDGE_SETTINGS));
    const count = async () => (await bridges.network.bridges()).length;
    await eventually('all bridges are known', 60_000, async () => (await count()) === BRIDGES.length, count);
    return bridges;
  }

  get host() {
    return this.network.focus.host;
  }

  /** Where SDKs connect. */
  get url(): string {
    return this.network.focus.url.replace('http', 'ws');
  }

  /** Ends a bridge's process as a power cut would; resolves when it has ended. */
  async kill(name: string): Promise<void> {
    const bridge = this.#running.get(name)!;
    bridge.kill('SIGKILL');
    await bridge.ended;
  }

  close(): Promise<void> {
    return this.network.close();
  }
}

/** The longest time without anything between two moments, ms. */
function gapMs(times: readonly number[], fromMs: number, toMs: number): number {
  const within = [fromMs, ...times.filter(at => at > fromMs && at < toMs), toMs];
  return Math.round(Math.max(...within.slice(1).map((at, index) => at - within[index])));
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

class Pair {
  readonly bridges: Bridges;
  readonly room: string;
  readonly ada: Client;
  readonly bob: Client;
  readonly disturbances: string[] = [];
  readonly older: OlderServer | undefined;

  private constructor(bridges: Bridges, room: string, ada: Client, bob: Client, older: OlderServer | undefined) {
    this.bridges = bridges;
    this.room = room;
    this.ada = ada;
    this.bob = bob;
    this.older = older;
  }

  static async start(room: string, connections: 1 | 2): Promise<Pair> {
    const bridges = await Bridges.start();
    const older = connections === 2 ? await startOlderServer(bridges.url) : undefined;
    const client = async (identity: string) => {
      const made = new Client(identity, NAMES.indexOf(identity), other => NAMES.indexOf(other));
      await made.connect(older?.url ?? bridges.url, room);
      await made.publishMicrophone();
      await made.publishCamera();
      return made;
    };
    const pair = new Pair(bridges, room, await client('ada'), await client('bob'), older);
    await pair.seeEachOther('at first');
    for (const each of [pair.ada, pair.bob]) {
      for (const event of DISTURBANCES) {
        each.room.on(event, () => pair.disturbances.push(`${each.identity} hears ${event}`));
      }
    }
    return pair;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.ada.close(), this.bob.close()]);
    await this.older?.close();
    await this.bridges.close();
  }

  bridgeOf(client: Client): string {
    const participant = this.bridges.host.room(this.room)?.participants.get(client.identity);
    assert.ok(participant !== undefined, `${client.identity} is in the room`);
    return participant.bridgeId;
  }

  async seeEachOther(when: string): Promise<void> {
    for (const [viewer, publisher] of [
      [this.ada, 'bob'],
      [this.bob, 'ada'],
    ] as const) {
      const frames = viewer.seen.get(publisher)?.frames ?? 0;
      const heard = viewer.heard.get(publisher) ?? 0;
      await eventually(
        `${viewer.identity} sees and hears ${publisher} ${when}`,
        20_000,
        () =>
          (viewer.seen.get(publisher)?.frames ?? 0) > frames + 10 && (viewer.heard.get(publisher) ?? 0) > heard + 20,
        () => [viewer.seen.get(publisher)?.frames, viewer.heard.get(publisher)],
      );
    }
  }

  /** Orders the move of ada; `to`: null leaves the choice to placement. */
  async move(to: string | null, cause: 'operator' | 'bridge-lost') {
    const { host } = this.bridges;
    const room = host.room(this.room)!;
    return host.mover.moveEndpoint(room, room.participants.get('ada')!, to as BridgeId | null, cause);
  }

  /** Both send numbered messages while `act` runs and for a second after; answers what each side did not get, or got twice or out of turn. */
  async messagesDuring(topic: string, act: () => Promise<void>): Promise<Record<string, string[]>> {
    let isOver = false;
    const send = async (from: Client) => {
      let sent = 0;
      while (!isOver) {
        await from.send(`${++sent}`, { reliable: true, topic });
        await delay(MESSAGE_PERIOD_MS);
      }
      return sent;
    };
    const sending = Promise.all([send(this.ada), send(this.bob)]);
    await act();
    await delay(1_000);
    isOver = true;
    const [fromAda, fromBob] = await sending;
    const texts = (client: Client) =>
      client.messages.filter(message => message.topic === topic).map(({ text }) => text);
    const last = (client: Client, sent: number) => texts(client).at(-1) === `${sent}`;
    await eventually(
      `the last message of ${topic}`,
      10_000,
      () => last(this.bob, fromAda) && last(this.ada, fromBob),
      () => [
        fromAda,
        texts(this.bob).length,
        texts(this.bob).at(-1),
        fromBob,
        texts(this.ada).length,
        texts(this.ada).at(-1),
      ],
    );
    return { 'from ada': faultsOf(texts(this.bob), fromAda), 'from bob': faultsOf(texts(this.ada), fromBob) };
  }

  /** Gaps in what each decodes of the other, in ms. */
  gaps(fromMs: number): Record<string, number> {
    const nowMs = performance.now();
    return {
      'bob sees ada': gapMs(this.bob.seen.get('ada')!.shownAtMs, fromMs, nowMs),
      'bob hears ada': gapMs(this.bob.heardAtMs.get('ada')!, fromMs, nowMs),
      'ada sees bob': gapMs(this.ada.seen.get('bob')!.shownAtMs, fromMs, nowMs),
      'ada hears bob': gapMs(this.ada.heardAtMs.get('bob')!, fromMs, nowMs),
    };
  }

  /** The session as both know it. */
  identities(): unknown {
    const tracks = (client: Client) => client.publications.map(({ sid }) => sid);
    const remote = (client: Client) =>
      [...client.room.remoteParticipants.values()].map(({ sid, trackPublications }) => [
        sid,
        [...trackPublications.keys()],
      ]);
    return [this.ada, this.bob].map(client => [client.room.localParticipant!.sid, tracks(client), remote(client)]);
  }
}

/** What becomes of an order to move, given again for as long as the move before is too young. */
async function whenSettled(order: () => Promise<MoveOutcome>): Promise<MoveOutcome> {
  for (;;) {
    const outcome = await order();
    if (outcome.kind === 'moved' || outcome.reason !== 'moved-just-now') return outcome;
    await delay(50);
  }
}

function faultsOf(texts: readonly string[], sent: number): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const [index, text] of texts.entries()) {
    if (seen.has(text)) faults.push(`${text} twice`);
    else if (index > 0 && Number(text) < Number(texts[index - 1])) faults.push(`${text} after ${texts[index - 1]}`);
    seen.add(text);
  }
  for (let number = 1; number <= sent; number++) if (!seen.has(`${number}`)) faults.push(`${number} missing`);
  return faults;
}

for (const connections of [1, 2] as const) {
  describe(`rtc-node with ${connections} PeerConnection(s)`, { timeout: 180_000 }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(`moving-${connections}`, connections);
    });
    after(() => pair?.close());

    test('moved by order: nothing of the session changes, nobody hears of it, no message is lost or doubled', async context => {
      const before = pair.identities();
      const from = pair.bridgeOf(pair.ada);
      const startedMs = performance.now();
      const faults = await pair.messagesDuring('order', async () => {
        const outcome = await pair.move(null, 'operator');
        assert.ok(outcome.kind === 'moved', JSON.stringify(outcome));
        context.diagnostic(`from ${outcome.from} to ${outcome.to} in ${Math.round(outcome.tookMs)} ms`);
        assert.equal(outcome.from, from);
        assert.equal(pair.bridgeOf(pair.ada), outcome.to);
      });
      await pair.seeEachOther('after the move');
      const gaps = pair.gaps(startedMs);
      context.diagnostic(`gaps in ms: ${JSON.stringify(gaps)}`);
      context.diagnostic(`messages: ${JSON.stringify(faults)}`);
      assert.deepEqual(pair.identities(), before);
      assert.deepEqual(pair.disturbances, []);
      assert.deepEqual(faults, { 'from ada': [], 'from bob': [] });
      for (const [what, gap] of Object.entries(gaps)) assert.ok(gap < GAP_MS_MAX, `${what} after ${gap} ms`);
      await eventually('bob knows her bridge', 2_000, () => {
        return pair.bob.attributesOf('ada')['causeway.bridge'] === pair.bridgeOf(pair.ada);
      });
    });

    test('moved away and back again as soon as that is allowed, she ends where the last order sent her', async () => {
      const there = pair.bridgeOf(pair.ada);
      const free = BRIDGES.find(name => name !== there && name !== pair.bridgeOf(pair.bob))!;
      for (const to of [free, there]) {
        const outcome = await whenSettled(() => pair.move(to, 'operator'));
        assert.equal(outcome.kind, 'moved', JSON.stringify(outcome));
      }
      assert.deepEqual(await pair.move(free, 'operator'), { kind: 'not-moved', reason: 'moved-just-now' });
      assert.deepEqual(await pair.move(there, 'operator'), { kind: 'not-moved', reason: 'same-bridge' });
      await pair.seeEachOther('after two moves');
      assert.equal(pair.bridgeOf(pair.ada), there);
      assert.deepEqual(pair.disturbances, []);
    });

    test('her bridge is killed: she goes on at another, in the same session', async context => {
      const before = pair.identities();
      const startedMs = performance.now();
      const faults = await pair.messagesDuring('killed', async () => {
        await pair.bridges.kill(pair.bridgeOf(pair.ada));
        const outcome = await pair.move(null, 'bridge-lost');
        assert.ok(outcome.kind === 'moved', JSON.stringify(outcome));
        context.diagnostic(`from ${outcome.from} to ${outcome.to} in ${Math.round(outcome.tookMs)} ms`);
      });
      await pair.seeEachOther('after the kill');
      const gaps = pair.gaps(startedMs);
      context.diagnostic(`gaps in ms, the end being known at once: ${JSON.stringify(gaps)}`);
      context.diagnostic(`messages: ${JSON.stringify(faults)}`);
      assert.deepEqual(pair.identities(), before);
      assert.deepEqual(pair.disturbances, []);
      // What the bridge had taken when it died, or was on its way to it before the others knew, is lost; nothing comes twice or out of turn, and nothing is lost later.
      for (const [who, found] of Object.entries(faults)) {
        const lost = found.filter(fault => fault.endsWith(' missing')).map(fault => Number.parseInt(fault, 10));
        assert.equal(lost.length, found.length, `${who}: ${found.join(', ')}`);
        assert.deepEqual(lost, range(lost[0] ?? 1, lost.length), `${who}: one gap`);
        assert.ok((lost.at(-1) ?? 0) * MESSAGE_PERIOD_MS < KNOWN_MS, `${who}: ${found.join(', ')}`);
      }
      for (const [what, gap] of Object.entries(gaps)) assert.ok(gap < GAP_MS_MAX, `${what} after ${gap} ms`);
    });
  });
}

/** Frames of somebody as Chromium shows them, with their times on this process's clock, from now until `stop`. */
function watchFrames(viewer: PageClient, identity: string): { readonly times: number[]; stop(): Promise<void> } {
  const times: number[] = [];
  let isOver = false;
  const watching = (async () => {
    let shown = await viewer.framesOf(identity);
    while (!isOver) {
      const now = await viewer.framesOf(identity);
      if (now > shown) times.push(performance.now());
      shown = now;
      await delay(20);
    }
  })();
  return {
    times,
    stop() {
      isOver = true;
      return watching;
    },
  };
}

for (const connections of [1, 2] as const) {
  describe(`livekit-client with ${connections} PeerConnection(s)`, { timeout: 180_000 }, () => {
    const room = `moving-page-${connections}`;
    let bridges: Bridges;
    let browser: PageBrowser;
    let grace: PageClient;
    let junko: PageClient;

    before(async () => {
      [bridges, browser] = await Promise.all([Bridges.start(), startBrowser()]);
      const page = `${bridges.network.focus.url}/`;
      grace = await PageClient.open(browser, 'grace', page);
      junko = await PageClient.open(browser, 'junko', page);
      for (const [name, client] of [
        ['grace', grace],
        ['junko', junko],
      ] as const) {
        await client.connect(bridges.url, await accessToken(name, room), connections === 1);
        await client.publishCamera(320, 240);
      }
      for (const [viewer, publisher] of [
        [grace, 'junko'],
        [junko, 'grace'],
      ] as const) {
        await eventually(`${publisher} is seen`, 30_000, async () => (await viewer.framesOf(publisher)) > 5);
        // Its very first reliable message livekit-client does not repeat after a resume.
        await viewer.send(`the first to ${publisher}`, true);
      }
    });

    after(async () => {
      await grace?.close();
      await junko?.close();
      await browser?.close();
      await bridges?.close();
    });

    for (const cause of ['operator', 'bridge-lost'] as const) {
      const title = cause === 'operator' ? 'moved by order' : 'her bridge is killed';
      test(`${title}: pictures go on both ways, in the same session, and messages arrive once`, async context => {
        const sid = await junko.sidOf('grace');
        const [seen, own] = [watchFrames(junko, 'grace'), watchFrames(grace, 'junko')];
        const startedMs = performance.now();
        const { host } = bridges;
        const participant = host.room(room)!.participants.get('grace')!;
        if (cause === 'bridge-lost') await bridges.kill(participant.bridgeId);
        const outcome = await host.mover.moveEndpoint(host.room(room)!, participant, null, cause);
        assert.ok(outcome.kind === 'moved', JSON.stringify(outcome));
        context.diagnostic(`from ${outcome.from} to ${outcome.to} in ${Math.round(outcome.tookMs)} ms`);
        const texts = [`${cause} of grace`, `${cause} of junko`];
        await grace.send(texts[0], true);
        await junko.send(texts[1], true);
        await eventually('junko reads grace', 20_000, async () => (await junko.messages()).includes(texts[0]));
        await eventually('grace reads junko', 20_000, async () => (await grace.messages()).includes(texts[1]));
        const frames = await junko.framesOf('grace');
        await eventually('junko sees grace', 20_000, async () => (await junko.framesOf('grace')) > frames + 5);
        const nowMs = performance.now();
        await Promise.all([seen.stop(), own.stop()]);
        const gaps = {
          'junko sees grace': gapMs(seen.times, startedMs, nowMs),
          'grace sees junko': gapMs(own.times, startedMs, nowMs),
        };
        context.diagnostic(`gaps in ms: ${JSON.stringify(gaps)}`);
        assert.equal(await junko.sidOf('grace'), sid);
        for (const client of [grace, junko]) {
          const messages = await client.messages();
          assert.equal(new Set(messages).size, messages.length, messages.join('; '));
        }
        for (const [what, gap] of Object.entries(gaps)) assert.ok(gap < GAP_MS_MAX, `${what} after ${gap} ms`);
      });
    }
  });
}
