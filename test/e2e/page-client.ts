/** livekit-client in Chromium without the page around it: a test says itself what it publishes, watches and asks for. */
import type { Room, SimulationScenario } from 'livekit-client';
import type { PageBrowser, PageUser } from './page-browser.ts';
import { LOOKS } from './page-capture.ts';

/** Without a graphics card most of a browser's time goes into painting. */
const VIEWPORT = { width: 320, height: 240 };

/** What can be asked for of somebody's camera: an encoding, or none at all while the subscription stays. */
export type Wish = 'low' | 'medium' | 'high' | 'nothing';

/** What the page has of somebody's camera. */
interface Picture {
  readonly video: HTMLVideoElement;
  frames: number;
  widthPx: number;
}

declare global {
  interface Window {
    client: {
      readonly room: Room;
      /** By identity. */
      readonly pictures: Map<string, Picture>;
      readonly messages: string[];
    };
  }
}

export class PageClient {
  readonly user: PageUser;

  private constructor(user: PageUser) {
    this.user = user;
  }

  /** In a window of its own, connected to nothing. `pageUrl` is any page of the network that has livekit-client. */
  static async open(browser: PageBrowser, name: string, pageUrl: string): Promise<PageClient> {
    const user = await browser.open(name, LOOKS.ada, VIEWPORT);
    await user.page.goto(pageUrl);
    return new PageClient(user);
  }

  /** With one PeerConnection, or with two as older clients have. */
  async connect(url: string, token: string, singlePeerConnection = true): Promise<void> {
    await this.user.page.evaluate(connect, { url, token, singlePeerConnection });
  }

  /** Lets the connection fail in one of the SDK's own ways; resolves when the client has recovered by itself. */
  fail(scenario: SimulationScenario): Promise<void> {
    return this.user.page.evaluate(recover, scenario);
  }

  send(text: string, reliable: boolean): Promise<void> {
    return this.user.page.evaluate(
      ({ text: sent, reliable: isReliable }) =>
        window.client.room.localParticipant.publishData(new TextEncoder().encode(sent), { reliable: isReliable }),
      { text, reliable },
    );
  }

  /** Texts that came, oldest first. */
  messages(): Promise<string[]> {
    return this.user.page.evaluate(() => window.client.messages);
  }

  /** Frames of somebody's camera that were shown. */
  framesOf(identity: string): Promise<number> {
    return this.user.page.evaluate(of => window.client.pictures.get(of)?.frames ?? 0, identity);
  }

  /** As this client is told it; undefined for who is not there. */
  sidOf(identity: string): Promise<string | undefined> {
    return this.user.page.evaluate(of => window.client.room.remoteParticipants.get(of)?.sid, identity);
  }

  /** A moving picture of that size, with as many encodings as livekit-client makes of it. */
  async publishCamera(width: number, height: number): Promise<void> {
    await this.user.page.evaluate(publishCanvas, { width, height });
  }

  /** Asks for an encoding of somebody's camera; resolves after how many ms a frame at least that wide was shown. */
  wish(identity: string, wish: Wish, widthPxMin: number, withinMs: number): Promise<number> {
    return this.user.page.evaluate(ask, { identity, wish, widthPxMin, withinMs });
  }

  /** Subscribes to somebody's camera, or ends that; resolves after how many ms its first frame was shown (when ending, at once). */
  subscribe(identity: string, isSubscribed: boolean, withinMs: number): Promise<number> {
    return this.user.page.evaluate(subscribe, { identity, isSubscribed, withinMs });
  }

  async widthOf(identity: string): Promise<number> {
    return this.user.page.evaluate(of => window.client.pictures.get(of)?.widthPx ?? 0, identity);
  }

  async close(): Promise<void> {
    await this.user.page.evaluate(() => window.client?.room.disconnect());
    await this.user.page.context().close();
  }
}

/** This and what follows runs inside the page, so it can use nothing of this file. */
async function connect(to: { url: string; token: string; singlePeerConnection: boolean }): Promise<void> {
  const { Room: PageRoom, RoomEvent, Track } = await import('livekit-client');
  const room = new PageRoom({ dynacast: true, adaptiveStream: false, singlePeerConnection: to.singlePeerConnection });
  const pictures = new Map<string, Picture>();
  const messages: string[] = [];
  window.client = { room, pictures, messages };
  room.on(RoomEvent.DataReceived, payload => messages.push(new TextDecoder().decode(payload)));
  room.on(RoomEvent.TrackSubscribed, (track, _publication, { identity }) => {
    if (track.kind !== Track.Kind.Video) return;
    const video = track.attach() as HTMLVideoElement;
    video.muted = true;
    document.body.prepend(video);
    const picture: Picture = { video, frames: 0, widthPx: 0 };
    pictures.set(identity, picture);
    const handleFrame: VideoFrameRequestCallback = (_now, { width }) => {
      picture.frames++;
      picture.widthPx = width;
      video.requestVideoFrameCallback(handleFrame);
    };
    video.requestVideoFrameCallback(handleFrame);
  });
  room.on(RoomEvent.TrackUnsubscribed, (track, _publication, { identity }) => {
    for (const element of track.detach()) element.remove();
    pictures.delete(identity);
  });
  await room.connect(to.url, to.token);
}

async function recover(scenario: SimulationScenario): Promise<void> {
  const { RoomEvent } = await import('livekit-client');
  const { room } = window.client;
  const recovered = new Promise<void>(resolve => room.once(RoomEvent.Reconnected, () => resolve()));
  await room.simulateScenario(scenario);
  await recovered;
}

async function publishCanvas({ width, height }: { width: number; height: number }): Promise<void> {
  const { Track } = await import('livekit-client');
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d')!;
  let frame = 0;
  setInterval(() => {
    context.fillStyle = '#3a607a';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#e2be78';
    context.fillRect((frame++ * 16) % width, height / 4, width / 8, height / 2);
  }, 100);
  const [track] = canvas.captureStream(10).getVideoTracks();
  await window.client.room.localParticipant.publishTrack(track, { source: Track.Source.Camera, videoCodec: 'vp8' });
}

async function ask(request: { identity: string; wish: Wish; widthPxMin: number; withinMs: number }): Promise<number> {
  const { Track, VideoQuality } = await import('livekit-client');
  const { identity, wish, widthPxMin, withinMs } = request;
  const publication = window.client.room.remoteParticipants.get(identity)!.getTrackPublication(Track.Source.Camera)!;
  const startedMs = performance.now();
  const qualities = { low: VideoQuality.LOW, medium: VideoQuality.MEDIUM, high: VideoQuality.HIGH };
  publication.setEnabled(wish !== 'nothing');
  if (wish === 'nothing') return 0;
  publication.setVideoQuality(qualities[wish]);
  const before = window.client.pictures.get(identity)!.frames;
  for (;;) {
    const picture = window.client.pictures.get(identity);
    const elapsedMs = performance.now() - startedMs;
    if (picture !== undefined && picture.frames > before && picture.widthPx >= widthPxMin) return elapsedMs;
    if (elapsedMs > withinMs) throw new Error(`${picture?.widthPx} px after ${elapsedMs} ms, not ${widthPxMin}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function subscribe(request: { identity: string; isSubscribed: boolean; withinMs: number }): Promise<number> {
  const { Track } = await import('livekit-client');
  const { identity, isSubscribed, withinMs } = request;
  const publication = window.client.room.remoteParticipants.get(identity)!.getTrackPublication(Track.Source.Camera)!;
  const startedMs = performance.now();
  publication.setSubscribed(isSubscribed);
  while (isSubscribed && (window.client.pictures.get(identity)?.frames ?? 0) === 0) {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs > withinMs) throw new Error(`no frame after ${elapsedMs} ms`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  return performance.now() - startedMs;
}
