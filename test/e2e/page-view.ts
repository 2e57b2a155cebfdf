/** What a meeting page shows, read from the page as a person would read it. */
import type { Page } from 'playwright-core';

type Colour = readonly [red: number, green: number, blue: number];

export interface TileView {
  readonly identity: string;
  /** As shown, with "(you)" and ": screen". */
  readonly name: string;
  readonly kind: 'camera' | 'screen';
  readonly region: string | undefined;
  /** Region and bridge as shown. */
  readonly place: string;
  /** As shown: "12 ms", or nothing. */
  readonly roundTrip: string;
  readonly roundTripMs: number | undefined;
  readonly isSpeaking: boolean;
  readonly isMuted: boolean;
  /** Undefined while the initials stand in for a picture. */
  readonly picture: PictureView | undefined;
}

export interface PictureView {
  /** Decoded since the picture was attached. */
  readonly frames: number;
  readonly widthPx: number;
  /** At the left edge, half way down: the wall of a drawn person. */
  readonly edge: Colour;
}

/** One audio track that is attached to a playing element. */
export interface SoundView {
  readonly trackId: string;
  /** The sum of squared samples times their duration (W3C webrtc-stats): grows by what can be heard. */
  readonly energy: number;
}

export interface View {
  readonly isInLobby: boolean;
  readonly lobbyError: string;
  readonly summary: string;
  readonly notices: string;
  readonly unread: string;
  /** "name: text", in their order. */
  readonly messages: readonly string[];
  readonly tiles: readonly TileView[];
  readonly sounds: readonly SoundView[];
}

declare global {
  interface Window {
    /** All that the page has made, closed ones too. */
    peerConnections: RTCPeerConnection[];
  }
}

/** Runs inside the page before its own modules: what was received is known to the peer connection only. */
export function recordPeerConnections(): void {
  window.peerConnections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      window.peerConnections.push(this);
    }
  };
}

export function viewOf(page: Page): Promise<View> {
  return page.evaluate(readView);
}

/** Runs inside the page, so it can use nothing of this file. */
async function readView(): Promise<View> {
  return {
    isInLobby: isShown('#lobby'),
    lobbyError: textOf(document, '#join-error'),
    summary: textOf(document, '#meeting-summary'),
    notices: textOf(document, '#notices'),
    unread: document.querySelector<HTMLElement>('#control-chat')?.dataset['count'] ?? '',
    messages: [...document.querySelectorAll('.chat-message')].map(
      message => `${textOf(message, 'b')}: ${textOf(message, 'p')}`,
    ),
    tiles: [...document.querySelectorAll<HTMLElement>('.tile')].map(readTile),
    sounds: await readSounds(),
  };

  function readTile(tile: HTMLElement): TileView {
    const { identity, kind, region, rttMs } = tile.dataset;
    return {
      identity: identity ?? '',
      kind: kind === 'screen' ? 'screen' : 'camera',
      name: textOf(tile, '.name'),
      region,
      place: textOf(tile, '.place').replace(/\s+/g, ' '),
      roundTrip: textOf(tile, '.rtt'),
      roundTripMs: rttMs === undefined ? undefined : Number(rttMs),
      isSpeaking: tile.classList.contains('is-speaking'),
      isMuted: !(tile.querySelector<HTMLElement>('.muted')?.hidden ?? true),
      picture: readPicture(tile.querySelector('video')!),
    };
  }

  function readPicture(video: HTMLVideoElement): PictureView | undefined {
    if (video.hidden || video.videoWidth === 0) return undefined;
    const context = new OffscreenCanvas(1, 1).getContext('2d')!;
    context.drawImage(video, 0, video.videoHeight * 0.45, 8, 8, 0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
    const frames = video.getVideoPlaybackQuality().totalVideoFrames;
    return { frames, widthPx: video.videoWidth, edge: [red, green, blue] };
  }

  async function readSounds(): Promise<SoundView[]> {
    const playing = new Set<string>();
    for (const audio of document.querySelectorAll('audio')) {
      if (audio.paused || audio.muted || !(audio.srcObject instanceof MediaStream)) continue;
      for (const track of audio.srcObject.getAudioTracks()) playing.add(track.id);
    }
    const sounds: SoundView[] = [];
    for (const connection of window.peerConnections) {
      if (connection.connectionState === 'closed') continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== 'inbound-rtp' || entry.kind !== 'audio' || !playing.has(entry.trackIdentifier)) continue;
        sounds.push({ trackId: entry.trackIdentifier, energy: entry.totalAudioEnergy });
      }
    }
    return sounds;
  }

  function textOf(parent: ParentNode, selector: string): string {
    // What styles hide is not shown, and textContent would have it.
    return (parent.querySelector<HTMLElement>(selector)?.innerText ?? '').trim();
  }

  function isShown(selector: string): boolean {
    return document.querySelector<HTMLElement>(selector)?.hidden === false;
  }
}
