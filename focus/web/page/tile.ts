import type { ConnectionQuality, Track } from 'livekit-client';
import { create } from './dom.ts';
import { icon } from './icons.ts';

/** What a tile shows. Given whole each time: a tile never has to be told what changed. */
export interface TileState {
  readonly name: string;
  readonly isLocal: boolean;
  readonly isScreen: boolean;
  /** Undefined while there is no picture: the initials stand in. */
  readonly video: Track | undefined;
  readonly isMirrored: boolean;
  readonly isMicrophoneOn: boolean;
  readonly isSpeaking: boolean;
  readonly quality: ConnectionQuality;
  /** Undefined until the server has said. */
  readonly region: string | undefined;
  readonly bridge: string | undefined;
}

/** A round trip with its hops, ms; null is not measured yet. */
export interface RoundTrip {
  readonly own: number | null;
  readonly link: number | null;
  readonly theirs: number | null;
  readonly total: number | null;
}

/** Below this width region, bridge, quality and name do not fit side by side. */
const SMALL_PX = 230;

/**
 * One participant's camera, or their screen. What tests and styles need to know is on the element: data-identity, data-kind, data-region,
 * data-bridge, data-rtt-ms, and the class is-speaking.
 */
export class Tile {
  readonly element: HTMLElement;
  readonly #video = create('video', '');
  readonly #avatar = create('div', 'avatar');
  readonly #initials = create('span', '');
  readonly #name = create('span', '');
  readonly #muted = create('span', 'muted');
  readonly #place = create('div', 'chip place');
  readonly #rtt = create('div', 'chip rtt');
  readonly #quality = create('div', 'chip quality', create('i', ''), create('i', ''), create('i', ''));
  #attached: Track | undefined;

  constructor(identity: string, kind: 'camera' | 'screen') {
    this.#video.playsInline = true;
    this.#video.autoplay = true;
    this.#video.muted = true;
    this.#avatar.append(this.#initials);
    this.#muted.append(icon('microphone-off'));
    this.#rtt.hidden = true;
    const top = create('div', 'tile-top', this.#place, this.#rtt);
    const bottom = create('div', 'tile-bottom', create('div', 'chip name', this.#muted, this.#name), this.#quality);
    this.element = create('article', 'tile', this.#avatar, this.#video, top, bottom);
    this.element.dataset['identity'] = identity;
    this.element.dataset['kind'] = kind;
    this.element.classList.toggle('is-screen', kind === 'screen');
    this.element.style.setProperty('--hue', String(hueOf(identity)));
  }

  show(state: TileState): void {
    const { element } = this;
    const label = state.isLocal ? `${state.name} (you)` : state.name;
    this.#name.textContent = state.isScreen ? `${label}: screen` : label;
    this.#initials.textContent = initialsOf(state.name);
    this.#attach(state.video);
    this.#video.classList.toggle('mirrored', state.isMirrored);
    element.classList.toggle('is-speaking', state.isSpeaking && !state.isScreen);
    this.#muted.hidden = state.isScreen || state.isMicrophoneOn;
    this.#showPlace(state.region, state.bridge);
    this.#quality.dataset['quality'] = state.quality;
    this.#quality.hidden = state.isScreen || state.quality === 'unknown';
    this.#quality.title = `Connection: ${state.quality}`;
    const microphone = state.isMicrophoneOn ? 'microphone on' : 'microphone off';
    element.setAttribute('aria-label', `${label}, ${microphone}${state.isSpeaking ? ', speaking' : ''}`);
  }

  /** `own` tiles show the hop to their bridge; all others the way to the other person and back. */
  showRoundTrip(trip: RoundTrip | undefined, isLocal: boolean): void {
    const totalMs = isLocal ? trip?.own : trip?.total;
    this.#rtt.hidden = totalMs === undefined || totalMs === null;
    if (trip === undefined || totalMs === undefined || totalMs === null) {
      delete this.element.dataset['rttMs'];
      return;
    }
    this.#rtt.textContent = `${Math.round(totalMs)} ms`;
    this.#rtt.title = isLocal
      ? 'Round trip between you and your bridge'
      : `Round trip: you and your bridge ${ms(trip.own)}, between the bridges ${ms(trip.link)}, their bridge and them ${ms(trip.theirs)}`;
    this.element.dataset['rttMs'] = String(Math.round(totalMs));
  }

  setSize(widthPx: number, heightPx: number): void {
    this.element.style.setProperty('--tile-width', `${widthPx}px`);
    this.element.style.setProperty('--tile-height', `${heightPx}px`);
    this.element.classList.toggle('is-small', widthPx < SMALL_PX);
  }

  remove(): void {
    this.#attach(undefined);
    this.element.remove();
  }

  #showPlace(region: string | undefined, bridge: string | undefined): void {
    this.#place.hidden = region === undefined;
    if (region === undefined) return;
    this.element.dataset['region'] = region;
    this.element.dataset['bridge'] = bridge ?? '';
    this.#place.style.setProperty('--region-hue', String(hueOf(region)));
    this.#place.replaceChildren(create('span', '', region), create('em', '', bridge ?? ''));
    this.#place.title = `Region ${region}, served by bridge ${bridge ?? 'unknown'}`;
  }

  #attach(track: Track | undefined): void {
    if (track !== this.#attached) {
      this.#attached?.detach(this.#video);
      this.#attached = track;
      track?.attach(this.#video);
    }
    this.#video.hidden = track === undefined;
    this.#avatar.hidden = track !== undefined;
  }
}

function ms(value: number | null): string {
  return value === null ? 'not measured' : `${Math.round(value)} ms`;
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map(word => [...(word ?? '')][0] ?? '');
  return letters.join('').toUpperCase() || '?';
}

/** Always the same hue for the same text, and a quite different one for texts that differ little: FNV-1a, spread by the golden ratio. */
function hueOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  return Math.round(((hash * 0.618034) % 1) * 360);
}
