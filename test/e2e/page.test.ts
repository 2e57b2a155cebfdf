/**
 * The meeting page in real Chromium: three people in three regions do what people do in a meeting, with the page's own buttons.
 *
 * The picture in the README is taken by this test: `CAUSEWAY_SCREENSHOT=docs/meeting.png node --test --test-force-exit test/e2e/page.test.ts`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { type Network, startNetwork } from '../../infra/local/network.ts';
import {
  DESKTOP,
  HEARD_ENERGY,
  isAloneSpeaking,
  type PageBrowser,
  type PageUser,
  PHONE,
  startBrowser,
  tileOf,
} from './page-browser.ts';
import { LOOKS } from './page-capture.ts';
import type { View } from './page-view.ts';

const ROOM = 'standup';
const SCREENSHOT_PATH = process.env['CAUSEWAY_SCREENSHOT'];

describe('the meeting page in a browser', { timeout: 120_000 }, () => {
  let network: Network;
  let browser: PageBrowser;
  let ada: PageUser;
  let grace: PageUser;
  let junko: PageUser;
  let everybody: readonly PageUser[];

  before(async () => {
    const focus = { 'room.auto_create': false };
    [network, browser] = await Promise.all([startNetwork({ portBase: 'free', focus }), startBrowser()]);
    const rooms = new RoomServiceClient(network.focusUrl, network.key, network.secret);
    await rooms.createRoom({ name: ROOM });
    ada = await browser.open('Ada Lovelace', LOOKS.ada);
    grace = await browser.open('Grace Hopper', LOOKS.grace);
    junko = await browser.open('Junko Tabei', LOOKS.junko);
    everybody = [ada, grace, junko];
  });

  after(async () => {
    await browser?.close();
    await network?.close();
  });

  test('a room that does not exist is said so in the lobby, and the form can be used again', async () => {
    await grace.page.goto(`${network.pageUrl}?room=nowhere&name=Grace&camera=0&join=1`);
    await grace.sees(
      'that there is no such room',
      view => view.isInLobby && view.lobbyError === 'This room does not exist, and it cannot be created by joining.',
    );
    await grace.page.waitForSelector('#join:enabled');
    grace.complaints.length = 0;
  });

  test('one types a name and a room, picks a region and is in the meeting', async () => {
    await ada.page.goto(network.pageUrl);
    await ada.click('#join');
    await ada.sees('what is missing', view => view.lobbyError === 'Your name is missing.');
    await ada.page.fill('#name', ada.name);
    await ada.page.fill('#room', ROOM);
    await ada.page.selectOption('#region', 'eu');
    await ada.click('#join');
    await ada.sees('the meeting', view => !view.isInLobby && view.summary === '1 participant, 1 bridge, 1 region');
  });

  test('a link with room, name and region leads right into it', async () => {
    for (const [user, region] of [
      [grace, 'us'],
      [junko, 'ap'],
    ] as const) {
      const query = new URLSearchParams({ room: ROOM, name: user.name, region, join: '1' });
      await user.page.goto(`${network.pageUrl}?${query}`);
    }
    for (const user of everybody) {
      await user.sees('three on three bridges in three regions', view =>
        view.summary.startsWith('3 participants, 3 bridges, 3 regions'),
      );
    }
  });

  test('each sees the moving pictures of both others, and they are theirs', async () => {
    for (const viewer of everybody) for (const other of everybody) await viewer.seesMovingPicture(other);
  });

  test('each hears both others', async () => {
    for (const listener of everybody) await listener.hearsVoices(2);
  });

  test('every tile shows region, bridge and round trip', async () => {
    for (const viewer of everybody) {
      for (const [index, other] of everybody.entries()) {
        const region = ['eu', 'us', 'ap'][index]!;
        await viewer.seesTile(
          other,
          `in region ${region} with its round trip`,
          tile =>
            tile.region === region &&
            tile.place === `${region} ${region}-1` &&
            /^\d+ ms$/.test(tile.roundTrip) &&
            tile.roundTripMs! < 5_000,
        );
      }
    }
  });

  test('a muted microphone is shown to all, and its voice is not heard', async () => {
    for (const silent of [grace, junko]) await silent.click('#control-microphone');
    for (const viewer of everybody) {
      for (const silent of [grace, junko]) await viewer.seesTile(silent, 'muted', tile => tile.isMuted);
      await viewer.seesTile(ada, 'not muted', tile => !tile.isMuted);
    }
    for (const listener of [grace, junko]) await hearsOneVoice(listener);
  });

  test('the one who speaks is outlined for everybody, and nobody else', async () => {
    for (const viewer of everybody) {
      await viewer.sees('that Ada alone speaks', view => isAloneSpeaking(view, ada));
    }
  });

  test('a chat message appears at both others, and is counted while the chat is closed', async () => {
    const text = 'Morning! All three regions are up.';
    await say(ada, text);
    await ada.sees('their own message', ({ messages }) => messages.at(-1) === `You: ${text}`);
    for (const user of [grace, junko]) {
      await user.sees('one unread message', ({ unread }) => unread === '1');
      await user.click('#control-chat');
      await user.sees(
        'it, and none unread',
        ({ messages, unread }) => messages.at(-1) === `${ada.name}: ${text}` && unread === '',
      );
    }
    await say(grace, 'I hear you as if you were next door.');
    await say(junko, 'Same from Singapore. Shall we start?');
    for (const user of everybody) await user.sees('three messages', ({ messages }) => messages.length === 3);
  });

  if (SCREENSHOT_PATH !== undefined) {
    test('the picture for the README is taken', async () => {
      // Three pages that start at once keep a small machine busy, and for a while the round trips show it.
      const isCalm = ({ tiles }: View) => tiles.every(({ roundTripMs }) => (roundTripMs ?? Infinity) < 50);
      await grace.sees(
        'a calm meeting in which Ada speaks',
        view => isAloneSpeaking(view, ada) && isCalm(view),
        40_000,
      );
      await grace.page.screenshot({ path: SCREENSHOT_PATH });
    });
  }

  test('markup in a chat message stays text', async () => {
    const text = '<b>bold</b> & <img src=x onerror="document.body.remove()">';
    await say(junko, text);
    await grace.sees('the markup', ({ messages }) => messages.at(-1) === `${junko.name}: ${text}`);
  });

  test('on a phone everything fits the width, with and without the chat', async () => {
    await grace.page.setViewportSize(PHONE);
    await fitsWidth(grace, '#chat, #chat *');
    await grace.click('#chat-close');
    await fitsWidth(grace, '.meeting-head, .meeting-head *, .tile, .tile .chip, .controls button');
    await grace.page.setViewportSize(DESKTOP);
  });

  test('whoever unmutes is heard and outlined again', async () => {
    await ada.click('#control-microphone');
    await grace.click('#control-microphone');
    for (const viewer of everybody) {
      await viewer.seesTile(ada, 'muted', tile => tile.isMuted);
      await viewer.seesTile(grace, 'not muted', tile => !tile.isMuted);
      await viewer.sees('that Grace alone speaks', view => isAloneSpeaking(view, grace));
    }
    for (const listener of [ada, junko]) await hearsOneVoice(listener);
  });

  test('a camera that is off leaves initials, and brings its picture back when it is on', async () => {
    await junko.click('#control-camera');
    for (const viewer of everybody) await viewer.seesTile(junko, 'without a picture', tile => !tile.picture);
    await junko.click('#control-camera');
    for (const viewer of everybody) await viewer.seesMovingPicture(junko);
    for (const viewer of [ada, grace]) {
      await viewer.seesTile(junko, 'in full size', ({ picture }) => picture?.widthPx === 640, 'camera', 20_000);
    }
  });

  test('a shared screen is a tile beside the camera, at phone width too, and goes away', async () => {
    await junko.click('#control-screen');
    for (const viewer of [ada, grace]) {
      const isMoving = ({ picture }: { picture?: { frames: number } | undefined }) => (picture?.frames ?? 0) >= 3;
      await viewer.seesTile(junko, 'moving', isMoving, 'screen');
      await viewer.seesMovingPicture(junko);
    }
    await grace.page.setViewportSize(PHONE);
    await fitsWidth(grace, '.meeting-head *, .stage, .stage .tile, .grid, .controls button');
    await grace.page.setViewportSize(DESKTOP);
    await junko.click('#control-screen');
    for (const viewer of everybody) {
      await viewer.sees("that Junko's screen is gone", view => tileOf(view, junko, 'screen') === undefined);
    }
  });

  test('whoever leaves is back in the lobby, which fits a phone, and gone for the others', async () => {
    await junko.click('#control-leave');
    await junko.sees('the lobby', view => view.isInLobby && view.lobbyError === 'You left the meeting.');
    for (const viewer of [ada, grace]) {
      await viewer.sees(
        'that Junko left',
        view => tileOf(view, junko) === undefined && view.summary === '2 participants, 2 bridges, 2 regions',
      );
    }
    await junko.page.setViewportSize(PHONE);
    await fitsWidth(junko, '.lobby, .lobby *');
  });

  test('no page had an error in its scripts or a complaint of the browser', () => {
    for (const user of everybody) assert.deepEqual(user.complaints, [], user.name);
  });

  test('outside development a token that is none, or signed by somebody else, is explained', async () => {
    const focus = { development: false, keys: { production: 'a secret of more than 32 characters' } };
    const production = await startNetwork({ regions: ['eu'], portBase: 'free', focus });
    try {
      await junko.page.goto(`${production.pageUrl}?camera=0`);
      await junko.page.fill('#token', 'not a token');
      await junko.click('#join');
      await junko.sees('that it is none', ({ lobbyError }) => lobbyError.startsWith('This is not an access token.'));
      const token = new AccessToken('production', 'another secret of more than 32 characters', { identity: 'junko' });
      token.addGrant({ roomJoin: true, room: ROOM });
      await junko.page.fill('#token', await token.toJwt());
      await junko.click('#join');
      await junko.sees(
        'that the server does not accept it',
        view => view.isInLobby && /^The server does not accept the token: .*Ask for a new one\.$/.test(view.lobbyError),
      );
    } finally {
      await production.close();
    }
  });

  /** What is still in jitter buffers plays out; from then on one voice grows, and the others stand still for as long as it takes to hear that one. */
  async function hearsOneVoice(listener: PageUser): Promise<void> {
    let before = new Map<string, number>();
    await listener.sees('one growing voice', ({ sounds }) => {
      const growth = sounds.map(({ trackId, energy }) => energy - (before.get(trackId) ?? 0));
      const [loudest = 0, next = 0] = growth.toSorted((a, b) => b - a);
      if (loudest < HEARD_ENERGY) return false;
      const isFirst = before.size === 0;
      before = new Map(sounds.map(({ trackId, energy }) => [trackId, energy]));
      return !isFirst && next < HEARD_ENERGY / 100;
    });
  }

  async function say(user: PageUser, text: string): Promise<void> {
    if (!(await user.page.isVisible('#chat'))) await user.click('#control-chat');
    await user.page.fill('#chat-text', text);
    await user.page.press('#chat-text', 'Enter');
  }

  /** Nothing scrolls sideways, and nothing that `selector` finds is cut off at an edge. */
  async function fitsWidth(user: PageUser, selector: string): Promise<void> {
    await user.page.waitForFunction(
      ({ selector: wanted, widthPx }) => {
        const isInside = (element: Element) => {
          const { left, right } = element.getBoundingClientRect();
          return left >= 0 && right <= widthPx;
        };
        const isScrollable = document.documentElement.scrollWidth > widthPx;
        const elements = [...document.querySelectorAll(wanted)];
        return innerWidth === widthPx && !isScrollable && elements.length > 0 && elements.every(isInside);
      },
      { selector, widthPx: PHONE.width },
      { timeout: 5_000 },
    );
  }
});
