/** What nobody in the whole mesh watches is not encoded, and begins again in time: publishers with dynacast in one region, who watches them in another. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FRESH_MS, PAUSE_MS } from '../../bridge/dynacast/layer-needs.ts';
import type { Source } from '../../bridge/source.ts';
import { accessToken, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';
import { DESKTOP, type PageBrowser, type PageUser, startBrowser } from './page-browser.ts';
import { LOOKS } from './page-capture.ts';
import { PageClient } from './page-client.ts';
import { joinRecorded } from './page-room.ts';

/** As large as it takes for three encodings: 320, 640 and 1280 pixels wide. */
const WIDTH = 1_280;
const HEIGHT = 720;
/** The drawn person's camera has two encodings: this wide, and half of it. */
const CAMERA_WIDTH = 640;
/** Tiles of this window are smaller than that. */
const SMALL = { width: 420, height: 320 };
/** Between two looks at what flows: a few frames. */
const LOOK_MS = 500;
/** What "a moment" may be on a machine that is busy with encoders in software; how long it took is printed. */
const MOMENT_MS = 3_000;
/** The same for what takes its time anyway. */
const SLACK_MS = 5_000;

interface Publisher {
  readonly identity: string;
  close(): Promise<void>;
}

let browser: PageBrowser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

const PUBLISHERS: readonly { title: string; publish: (meeting: Meeting, room: string) => Promise<Publisher> }[] = [
  {
    title: 'livekit-client in Chromium',
    async publish(meeting, room) {
      const client = await PageClient.open(browser, 'chromium', meeting.network.pageUrl);
      await client.connect(regionUrl(meeting.network, 'eu'), await accessToken('publisher', room));
      await client.publishCamera(WIDTH, HEIGHT);
      return { identity: 'publisher', close: () => client.close() };
    },
  },
  {
    title: 'the Rust SDK',
    async publish(meeting, room) {
      const client = new Client('publisher', 0, () => 0);
      await client.connect(regionUrl(meeting.network, 'eu'), room, {}, { dynacast: true });
      await client.publishCamera({ width: WIDTH, height: HEIGHT });
      return { identity: 'publisher', close: () => client.close() };
    },
  },
];

for (const { title, publish } of PUBLISHERS)
  describe(`published by ${title} in eu, watched in us`, { timeout: 120_000 }, () => {
    const room = `dynacast-${title}`;
    let meeting: Meeting;
    let publisher: Publisher;
    let viewer: PageClient;

    before(async () => {
      meeting = await startMeeting(room, { regions: ['eu', 'us'] });
      viewer = await PageClient.open(browser, 'viewer', meeting.network.pageUrl);
      await viewer.connect(regionUrl(meeting.network, 'us'), await accessToken('viewer', room));
      publisher = await publish(meeting, room);
    });

    after(async () => {
      await viewer?.close();
      await publisher?.close();
      await meeting?.close();
    });

    test('asked for low, the encodings above it stop', async () => {
      await eventually('the viewer has a picture', 15_000, async () => (await viewer.widthOf(publisher.identity)) > 0);
      await viewer.wish(publisher.identity, 'low', 1, SLACK_MS);
      await flows('the lowest layer only', meeting, [0], FRESH_MS + PAUSE_MS + SLACK_MS);
    });

    test('asked for high, it is there within a moment, and nobody had to ask for its key frame', async t => {
      const asked = keyFramesAsked(meeting);
      const tookMs = await viewer.wish(publisher.identity, 'high', WIDTH, SLACK_MS);
      await delay(1_000);
      const requests = keyFramesAsked(meeting) - asked;
      t.diagnostic(`the high layer was seen ${Math.round(tookMs)} ms after it was asked for; ${requests} PLIs`);
      assert.ok(tookMs < MOMENT_MS, `${tookMs} ms`);
      assert.ok(requests <= 3, `${requests} key frames were asked for`);
      await flows('what is watched, and what it falls back to', meeting, [0, 2], PAUSE_MS + SLACK_MS);
    });

    test('when nobody is to be sent anything, all of it stops; looked at again, it is back within a moment', async t => {
      await viewer.wish(publisher.identity, 'nothing', 0, 0);
      await flows('nothing', meeting, [], PAUSE_MS + SLACK_MS);
      const tookMs = await viewer.wish(publisher.identity, 'high', 1, SLACK_MS);
      t.diagnostic(`a first frame ${Math.round(tookMs)} ms after it was enabled again`);
      assert.ok(tookMs < MOMENT_MS, `${tookMs} ms`);
    });

    test('when the last subscriber has left, all of it stops; one who comes has a picture in time', async t => {
      await viewer.subscribe(publisher.identity, false, 0);
      await flows('nothing', meeting, [], PAUSE_MS + SLACK_MS);
      const tookMs = await viewer.subscribe(publisher.identity, true, SLACK_MS);
      t.diagnostic(`a first frame ${Math.round(tookMs)} ms after it was subscribed to`);
      assert.ok(tookMs < MOMENT_MS, `${tookMs} ms`);
    });
  });

describe('two people at the meeting page, one in eu and one in us', { timeout: 120_000 }, () => {
  const room = 'dynacast-page';
  let meeting: Meeting;
  let ada: PageUser;
  let grace: PageUser;

  before(async () => {
    meeting = await startMeeting(room, { regions: ['eu', 'us'] });
    ada = await browser.open('Ada Lovelace', LOOKS.ada, SMALL);
    grace = await browser.open('Grace Hopper', LOOKS.grace, SMALL);
    const { pageUrl } = meeting.network;
    await joinRecorded(ada, { pageUrl, room, region: 'eu' });
    await joinRecorded(grace, { pageUrl, room, region: 'us', isPublishing: false });
  });

  after(async () => {
    for (const user of [ada, grace]) await user?.page.context().close();
    await meeting?.close();
  });

  test('a small tile has only the small encoding made, a large one has the large one made too', async t => {
    await grace.seesMovingPicture(ada);
    await flows('the lowest layer only', meeting, [0], FRESH_MS + PAUSE_MS + SLACK_MS);
    const startedMs = performance.now();
    await grace.page.setViewportSize(DESKTOP);
    await grace.seesTile(ada, 'large', ({ picture }) => picture?.widthPx === CAMERA_WIDTH);
    t.diagnostic(`the large picture ${Math.round(performance.now() - startedMs)} ms after the window grew`);
    await flows('both layers that such a camera has', meeting, [0, 1], SLACK_MS);
  });

  test('a tile that is not on the screen has nothing made', async () => {
    await grace.page.evaluate(() => {
      document.querySelector<HTMLElement>('#grid')!.style.display = 'none';
    });
    await flows('nothing', meeting, [], PAUSE_MS + SLACK_MS);
  });
});

/** Waits until exactly those layers of the publisher's camera reach its bridge. */
async function flows(what: string, meeting: Meeting, layers: readonly number[], withinMs: number): Promise<void> {
  let flowing: number[] = [];
  const isSo = async () => {
    const { layers: all } = cameraAt(meeting);
    const before = all.map(({ lastPacketMs }) => lastPacketMs);
    await delay(LOOK_MS);
    flowing = all.filter(({ index, lastPacketMs }) => lastPacketMs > before[index]).map(({ index }) => index);
    return flowing.join() === layers.join();
  };
  await eventually(what, withinMs, isSo, () => flowing);
}

/** PLIs that the publisher was sent, for all its layers. */
function keyFramesAsked(meeting: Meeting): number {
  return cameraAt(meeting).layers.reduce((sum, { keyFrames }) => sum + keyFrames.sent, 0);
}

/** The publisher's camera as its own bridge has it. */
function cameraAt(meeting: Meeting): Source {
  const bridge = meeting.network.bridges.find(({ region }) => region === 'eu')!;
  const [conference] = bridge.bridge.conferences.values();
  const camera = [...conference.sources].find(({ kind, isLocal }) => kind === 'video' && isLocal);
  assert.ok(camera !== undefined, 'the publisher has no camera');
  return camera;
}
