/** The page's own room, for what its buttons do not do: messages to some and lossy ones, and times that only the page can take. */
import type { Room } from 'livekit-client';
import type { PageUser } from './page-browser.ts';

export interface Received {
  /** Name of the sender. */
  readonly from: string;
  readonly text: string;
  readonly isLossy: boolean;
}

declare global {
  interface Window {
    room: Room;
    connectedAtMs: number;
    /** Data with the topic `test`, in order of arrival. */
    received: Received[];
    /** When the tiles of an identity presented their frames, in ms of the page's clock; the first ones are kept. */
    presentedAtMs: Record<string, number[]>;
  }
}

const TOPIC = 'test';

export interface Visit {
  readonly pageUrl: string;
  readonly room: string;
  readonly region: string;
  /** Comes with camera and microphone, or only to look on. */
  readonly isPublishing?: boolean;
}

/** Opens the lobby through a link, begins to record, and joins with the page's button. Resolves when the meeting is shown. */
export async function joinRecorded(user: PageUser, visit: Visit): Promise<void> {
  const query = new URLSearchParams({ room: visit.room, name: user.name, region: visit.region });
  if (visit.isPublishing === false) for (const device of ['camera', 'microphone']) query.set(device, '0');
  await user.page.goto(`${visit.pageUrl}?${query}`);
  await user.page.evaluate(recordRoom, TOPIC);
  await user.click('#join');
  await user.sees('the meeting', view => !view.isInLobby);
}

export function identityOf(user: PageUser): Promise<string> {
  return user.page.evaluate(() => window.room.localParticipant.identity);
}

/** Sends to all, or to the named ones only. */
export function sendData(user: PageUser, text: string, options: { reliable: boolean; to?: string[] }): Promise<void> {
  return user.page.evaluate(
    ({ text: sent, reliable, to, topic }) =>
      window.room.localParticipant.publishData(new TextEncoder().encode(sent), {
        reliable,
        topic,
        ...(to === undefined ? {} : { destinationIdentities: to }),
      }),
    { text, topic: TOPIC, ...options },
  );
}

export function receivedBy(user: PageUser): Promise<Received[]> {
  return user.page.evaluate(() => window.received);
}

/** Ms from being connected to the `count`th frame in the tile of an identity; undefined while it is not there. */
export function framePresentedAfterMs(user: PageUser, identity: string, count: number): Promise<number | undefined> {
  return user.page.evaluate(
    ({ identity: of, index }) => {
      const presentedAtMs = window.presentedAtMs[of]?.[index];
      return presentedAtMs === undefined ? undefined : presentedAtMs - window.connectedAtMs;
    },
    { identity, index: count - 1 },
  );
}

/** Runs inside the page before it joins. The import map gives it the very module that the page's own modules have. */
async function recordRoom(topic: string): Promise<void> {
  const framesKept = 10;
  const { Room: PageRoom, RoomEvent, DataPacket_Kind } = await import('livekit-client');
  window.received = [];
  window.presentedAtMs = {};
  const { on } = PageRoom.prototype;
  // The page listens to its room before it connects: that is the first that is heard of it.
  PageRoom.prototype.on = function (this: Room, ...listener: Parameters<typeof on>) {
    PageRoom.prototype.on = on;
    window.room = this;
    this.once(RoomEvent.Connected, () => {
      window.connectedAtMs = performance.now();
    });
    this.on(RoomEvent.DataReceived, (payload, participant, kind, receivedTopic) => {
      if (receivedTopic !== topic) return;
      const text = new TextDecoder().decode(payload);
      window.received.push({ from: participant?.name ?? '', text, isLossy: kind === DataPacket_Kind.LOSSY });
    });
    return on.apply(this, listener);
  } as typeof on;
  new MutationObserver(changes => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node instanceof HTMLElement && node.matches('.tile')) watch(node);
    }
  }).observe(document.body, { childList: true, subtree: true });

  function watch(tile: HTMLElement): void {
    const video = tile.querySelector('video');
    if (video === null) return;
    const times: number[] = [];
    window.presentedAtMs[tile.dataset['identity'] ?? ''] = times;
    const next = () => {
      if (times.push(performance.now()) < framesKept) video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  }
}
