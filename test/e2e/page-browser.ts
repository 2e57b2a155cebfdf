/** Chromium with people in it: each has a window of their own, a drawn face and a voice. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumPath } from '../system-parts.ts';
import { installCamera, type Looks, writeVoice } from './page-capture.ts';
import { recordPeerConnections, type TileView, type View, viewOf } from './page-view.ts';

const POLL_MS = 50;
/** A join takes well below a second; the rest is for a busy machine. */
const WITHIN_MS = 10_000;
/** How far a colour channel may be from what was drawn, after a camera's and an encoder's conversions. */
const COLOUR_TOLERANCE = 24;
/** The voice has some 0.02 per second; comfort noise and silence are thousands of times below. */
export const HEARD_ENERGY = 0.005;
export const DESKTOP = { width: 1_280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export interface PageBrowser {
  /** Opens a window of its own, with its own storage, of the size of a desktop's unless said otherwise. */
  open(name: string, looks: Looks, viewport?: typeof DESKTOP): Promise<PageUser>;
  close(): Promise<void>;
}

/** Starts Chromium without a window. Every microphone in it speaks, always, until it is muted. */
export async function startBrowser(): Promise<PageBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-page-'));
  const voicePath = join(folder, 'voice.wav');
  writeVoice(voicePath);
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream=device-count=1,fps=5',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${voicePath}`,
      '--auto-accept-this-tab-capture',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
  return {
    async open(name, looks, viewport = DESKTOP) {
      const context = await browser.newContext({ viewport, locale: 'en-GB' });
      await context.addInitScript(recordPeerConnections);
      await context.addInitScript(installCamera, looks);
      return new PageUser(name, looks, await context.newPage());
    },
    async close() {
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One person at one page. */
export class PageUser {
  readonly name: string;
  readonly looks: Looks;
  readonly page: Page;
  /** Errors that the page's scripts did not catch, and what the browser complained about. */
  readonly complaints: string[] = [];

  constructor(name: string, looks: Looks, page: Page) {
    this.name = name;
    this.looks = looks;
    this.page = page;
    page.on('pageerror', error => this.complaints.push(error.message));
    page.on('console', message => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  /** Waits until the page shows it; fails with `what` and all that it shows instead. */
  async sees(what: string, claim: (view: View) => boolean, withinMs = WITHIN_MS): Promise<View> {
    const startedAt = performance.now();
    for (;;) {
      const view = await viewOf(this.page);
      if (claim(view)) return view;
      if (performance.now() - startedAt > withinMs) {
        const complaints = this.complaints.length > 0 ? `; complaints: ${this.complaints.join('; ')}` : '';
        assert.fail(
          `${this.name} does not see ${what} within ${withinMs} ms, but ${JSON.stringify(view)}${complaints}`,
        );
      }
      await delay(POLL_MS);
    }
  }

  /** Waits until the tile of somebody, or of their screen, shows it. */
  async seesTile(
    of: PageUser,
    what: string,
    claim: (tile: TileView) => boolean,
    kind: TileView['kind'] = 'camera',
    withinMs = WITHIN_MS,
  ): Promise<TileView> {
    const isMeant = (view: View) => tileOf(view, of, kind);
    const view = await this.sees(
      `${of.name}'s ${kind} ${what}`,
      shown => {
        const tile = isMeant(shown);
        return tile !== undefined && claim(tile);
      },
      withinMs,
    );
    return isMeant(view)!;
  }

  /** Moving: more frames than at first sight; theirs: in front of their wall. */
  async seesMovingPicture(other: PageUser): Promise<void> {
    const first = await this.seesTile(other, 'with a picture', tile => tile.picture !== undefined);
    await this.seesTile(
      other,
      'moving in front of the right wall',
      ({ picture }) =>
        picture !== undefined &&
        picture.frames >= first.picture!.frames + 3 &&
        picture.edge.every((channel, index) => Math.abs(channel - other.looks.wall[index]!) < COLOUR_TOLERANCE),
    );
  }

  /** Waits until so many voices, and no others, have been heard. */
  async hearsVoices(count: number): Promise<void> {
    await this.sees(
      `${count} voices`,
      ({ sounds }) => sounds.length === count && sounds.every(({ energy }) => energy > HEARD_ENERGY),
    );
  }

  click(selector: string): Promise<void> {
    return this.page.click(selector);
  }
}

/** The tile of somebody's camera or screen, if there is one. */
export function tileOf(view: View, user: PageUser, kind: TileView['kind'] = 'camera'): TileView | undefined {
  return view.tiles.find(tile => tile.kind === kind && tile.name.startsWith(user.name));
}

export function isAloneSpeaking(view: View, speaker: PageUser): boolean {
  const speaking = view.tiles.filter(({ isSpeaking }) => isSpeaking);
  return speaking.length === 1 && speaking[0] === tileOf(view, speaker);
}
