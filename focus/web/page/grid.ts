/** All tiles of the meeting: kept in step with the room, laid out to fill the page. */
import { type Participant, type Room, Track } from 'livekit-client';
import { byId } from './dom.ts';
import { tileSize } from './grid-layout.ts';
import type { Paths } from './paths.ts';
import { Tile, type TileState } from './tile.ts';

const GAP_PX = 10;

export class Grid {
  readonly #room: Room;
  readonly #grid = byId('grid', HTMLElement);
  readonly #stage = byId('stage', HTMLElement);
  readonly #summary = byId('meeting-summary', HTMLParagraphElement);
  readonly #tiles = new Map<string, Tile>();
  readonly #resized: ResizeObserver;
  #paths: Paths = new Map();

  constructor(room: Room) {
    this.#room = room;
    this.#resized = new ResizeObserver(() => this.#layOut());
    this.#resized.observe(this.#grid);
  }

  /** Makes the page what the room is. Cheap to call too often, so every event of the room ends here. */
  show(): void {
    const local = this.#room.localParticipant;
    const participants = [local, ...this.#room.remoteParticipants.values()];
    const shown = new Set<string>();
    for (const participant of participants) {
      this.#showTile(shown, participant, 'camera');
      if (videoOf(participant, Track.Source.ScreenShare) !== undefined) this.#showTile(shown, participant, 'screen');
    }
    for (const [key, tile] of this.#tiles) {
      if (shown.has(key)) continue;
      tile.remove();
      this.#tiles.delete(key);
    }
    this.#stage.hidden = this.#stage.childElementCount === 0;
    this.#summary.textContent = summarise(participants);
    this.#showRoundTrips();
    this.#layOut();
  }

  showPaths(paths: Paths): void {
    this.#paths = paths;
    this.#showRoundTrips();
  }

  close(): void {
    this.#resized.disconnect();
    for (const tile of this.#tiles.values()) tile.remove();
    this.#tiles.clear();
    this.#stage.hidden = true;
  }

  #showTile(shown: Set<string>, participant: Participant, kind: 'camera' | 'screen'): void {
    const key = `${kind} ${participant.identity}`;
    shown.add(key);
    let tile = this.#tiles.get(key);
    if (tile === undefined) {
      tile = new Tile(participant.identity, kind);
      this.#tiles.set(key, tile);
      (kind === 'screen' ? this.#stage : this.#grid).append(tile.element);
    }
    tile.show(stateOf(participant, kind, participant === this.#room.localParticipant));
  }

  #showRoundTrips(): void {
    const local = this.#room.localParticipant.identity;
    for (const [key, tile] of this.#tiles) {
      const identity = tile.element.dataset['identity'] ?? '';
      if (!key.startsWith('camera')) continue;
      // The hop to the own bridge is the same in every path.
      const trip = identity === local ? this.#paths.values().next().value : this.#paths.get(identity);
      tile.showRoundTrip(trip, identity === local);
    }
  }

  #layOut(): void {
    const tiles = [...this.#tiles].filter(([key]) => key.startsWith('camera')).map(([, tile]) => tile);
    const { clientWidth, clientHeight } = this.#grid;
    const isStrip = !this.#stage.hidden;
    // Beside a shared screen tiles have one size, and the strip scrolls.
    const isRow = isStrip && clientWidth > clientHeight;
    const size = isStrip
      ? {
          widthPx: isRow ? Math.floor(clientHeight * 1.3) : clientWidth,
          heightPx: isRow ? clientHeight : Math.floor(clientWidth / 1.6),
        }
      : tileSize(tiles.length, clientWidth, clientHeight, GAP_PX);
    for (const tile of tiles) tile.setSize(size.widthPx, size.heightPx);
  }
}

function stateOf(participant: Participant, kind: 'camera' | 'screen', isLocal: boolean): TileState {
  const isScreen = kind === 'screen';
  const { attributes } = participant;
  return {
    name: participant.name || participant.identity,
    isLocal,
    isScreen,
    video: videoOf(participant, isScreen ? Track.Source.ScreenShare : Track.Source.Camera),
    isMirrored: isLocal && !isScreen,
    isMicrophoneOn: participant.isMicrophoneEnabled,
    isSpeaking: participant.isSpeaking,
    quality: participant.connectionQuality,
    region: attributes['causeway.region'],
    bridge: attributes['causeway.bridge'],
  };
}

function videoOf(participant: Participant, source: Track.Source): Track | undefined {
  const publication = participant.getTrackPublication(source);
  return publication === undefined || publication.isMuted ? undefined : publication.track;
}

/** "3 participants, 3 bridges, 3 regions": who is here, by what every participant says of itself. */
function summarise(participants: readonly Participant[]): string {
  const distinct = (attribute: string) =>
    new Set(participants.map(participant => participant.attributes[attribute]).filter(value => value !== undefined))
      .size;
  return [
    count(participants.length, 'participant'),
    count(distinct('causeway.bridge'), 'bridge'),
    count(distinct('causeway.region'), 'region'),
  ].join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
