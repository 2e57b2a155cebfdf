/** The promise of the project in real Chromium: pages on different bridges, in different regions or in one, see, hear and message each other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Network, type NetworkOptions, startNetwork } from '../../infra/local/network.ts';
import { eventually } from './eventually.ts';
import { isAloneSpeaking, type PageBrowser, type PageUser, startBrowser, tileOf } from './page-browser.ts';
import { LOOKS } from './page-capture.ts';
import { identityOf, joinRecorded, receivedBy, sendData, sourcesPublishedBy, unpublishCamera } from './page-room.ts';

const ROOM = 'bridges';
/** Shorter than the default of 15 s, so that the test is. */
const RESUME_TIMEOUT_MS = 3_000;
/** Without a graphics card most of a browser's time goes into painting; a second is measured here, and nothing about looks. */
const SMALL = { width: 480, height: 320 };

interface Setup {
  readonly name: string;
  readonly options: NetworkOptions;
  /** Regions of Ada, Grace and Junko. */
  readonly regions: readonly [string, string, string];
  readonly summary: string;
}

const SETUPS: readonly Setup[] = [
  {
    name: 'three pages in three regions',
    options: { regions: ['eu', 'us', 'ap'] },
    regions: ['eu', 'us', 'ap'],
    summary: '3 participants, 3 bridges, 3 regions',
  },
  {
    name: 'three pages on two bridges of one region',
    options: { regions: ['eu'], bridgesPerRegion: 2, focus: { 'placement.participants_per_bridge_max': 2 } },
    regions: ['eu', 'eu', 'eu'],
    summary: '3 participants, 2 bridges, 1 region',
  },
];

let browser: PageBrowser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

for (const setup of SETUPS)
  describe(setup.name, { timeout: 90_000 }, () => {
    let network: Network;
    let ada: PageUser;
    let grace: PageUser;
    let junko: PageUser;
    let everybody: readonly PageUser[];

    before(async () => {
      const focus = { ...setup.options.focus, 'signal.resume_timeout_ms': RESUME_TIMEOUT_MS };
      const options = { ...setup.options, focus, portBase: 'free' } as const;
      network = await startNetwork(options);
      ada = await browser.open('Ada Lovelace', LOOKS.ada, SMALL);
      grace = await browser.open('Grace Hopper', LOOKS.grace, SMALL);
      junko = await browser.open('Junko Tabei', LOOKS.junko, SMALL);
      everybody = [ada, grace, junko];
      await Promise.all(everybody.map((user, index) => join(user, setup.regions[index]!)));
    });

    after(async () => {
      for (const user of everybody ?? []) await user.page.context().close();
      await network?.close();
    });

    function join(user: PageUser, region: string, isPublishing = true): Promise<void> {
      return joinRecorded(user, { pageUrl: network.pageUrl, room: ROOM, region, isPublishing });
    }

    test('each sees the moving pictures of both others, and hears both', async () => {
      for (const viewer of everybody) {
        await viewer.sees(setup.summary, ({ summary }) => summary.startsWith(setup.summary));
        for (const other of everybody) await viewer.seesMovingPicture(other);
        await viewer.hearsVoices(2);
      }
    });

    test('messages reach all others or the named one, reliable and lossy', async () => {
      const to = [await identityOf(junko)];
      await sendData(grace, 'for Junko', { reliable: true, to });
      await sendData(grace, 'for Junko, lossy', { reliable: false, to });
      // What comes after them on the same channels shows that they would have been there.
      await sendData(grace, 'for all', { reliable: true });
      await sendData(grace, 'for all, lossy', { reliable: false });
      const named = [`${grace.name}: for Junko`, `${grace.name}: for Junko, lossy (lossy)`];
      const forAll = [`${grace.name}: for all`, `${grace.name}: for all, lossy (lossy)`];
      await hasReceived(junko, [...named, ...forAll]);
      await hasReceived(ada, forAll);
      await hasReceived(grace, []);
    });

    test('a muted microphone is shown to all, and the one who speaks is outlined for everybody', async () => {
      for (const silent of [grace, junko]) await silent.click('#control-microphone');
      for (const viewer of everybody) {
        for (const silent of [grace, junko]) await viewer.seesTile(silent, 'muted', tile => tile.isMuted);
        await viewer.sees('that Ada alone speaks', view => isAloneSpeaking(view, ada));
      }
    });

    test('a late joiner sees all moving, and is gone for all when they leave', async () => {
      const late = await browser.open('Late Guest', LOOKS.ada, SMALL);
      await join(late, setup.regions[1], false);
      for (const other of everybody) {
        // How soon is measured by meetings.test.ts and `bench -- join`: four encoding browsers on two cores say little about it.
        await late.seesMovingPicture(other);
      }
      await late.click('#control-leave');
      for (const viewer of everybody) {
        await viewer.sees('that the guest left', view => tileOf(view, late) === undefined);
      }
      assert.deepEqual(late.complaints, []);
    });

    test('an unpublished camera is gone for all, while its owner stays', async () => {
      const identity = await identityOf(grace);
      await unpublishCamera(grace);
      for (const viewer of everybody) await viewer.seesTile(grace, 'without a picture', tile => !tile.picture);
      for (const viewer of [ada, junko]) {
        assert.deepEqual(await sourcesPublishedBy(viewer, identity), ['microphone'], viewer.name);
      }
    });

    test('a page that crashes is gone for the others once its time to resume is over', async () => {
      const crashedAtMs = performance.now();
      await crash(junko);
      for (const viewer of [ada, grace]) {
        await viewer.sees('that Junko is gone', view => tileOf(view, junko) === undefined, RESUME_TIMEOUT_MS + 5_000);
        await viewer.sees('two who are left', ({ summary }) => summary.startsWith('2 participants'));
      }
      const goneAfterMs = performance.now() - crashedAtMs;
      assert.ok(
        goneAfterMs >= RESUME_TIMEOUT_MS,
        `after ${goneAfterMs.toFixed(0)} ms: it must have said that it leaves`,
      );
      const endpoints = () => network.bridges.reduce((sum, { bridge }) => sum + bridge.endpointCount, 0);
      await eventually('the bridges have two endpoints left', 2_000, () => endpoints() === 2, endpoints);
    });

    test('no page had an error in its scripts or a complaint of the browser', () => {
      for (const user of everybody) assert.deepEqual(user.complaints, [], user.name);
    });
  });

/** Waits until exactly these were received, lossy ones marked as such. Lossy and reliable ones may overtake each other. */
async function hasReceived(user: PageUser, texts: readonly string[]): Promise<void> {
  let received: string[] = [];
  await eventually(
    `${user.name} has ${texts.length} messages`,
    5_000,
    async () => {
      const messages = await receivedBy(user);
      received = messages.map(({ from, text, isLossy }) => `${from}: ${text}${isLossy ? ' (lossy)' : ''}`);
      return received.length >= texts.length;
    },
    () => received,
  );
  assert.deepEqual(received.toSorted(), texts.toSorted());
}

/** Ends the page's process as the system would: no script of it runs any more, nothing is sent. */
async function crash(user: PageUser): Promise<void> {
  const session = await user.page.context().newCDPSession(user.page);
  const crashed = new Promise(resolve => user.page.once('crash', resolve));
  // There is nobody left to answer it.
  session.send('Page.crash').catch(() => {});
  await crashed;
}
