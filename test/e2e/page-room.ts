/** The page's own room, for what its buttons do not do: messages to some and lossy ones and unpublishing. */
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
    /** Data with the topic `test`, in order of arrival. */
    received: Received[];
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

/** Turning the camera off in the page mutes it; this takes it away. */
export function unpublishCamera(user: PageUser): Promise<void> {
  return user.page.evaluate(async () => {
    const { localParticipant } = window.room;
    for (const { track } of localParticipant.videoTrackPublications.values()) {
      if (track !== undefined) await localParticipant.unpublishTrack(track);
    }
  });
}

/** Sources of the tracks that `viewer` knows an identity to publish. */
export function sourcesPublishedBy(viewer: PageUser, identity: string): Promise<string[]> {
  return viewer.page.evaluate(of => {
    const publications = window.room.remoteParticipants.get(of)?.trackPublications.values() ?? [];
    return [...publications].map(({ source }) => source);
  }, identity);
}

/** Runs inside the page before it joins. The import map gives it the very module that the page's own modules have. */
async function recordRoom(topic: string): Promise<void> {
  const { Room: PageRoom, RoomEvent, DataPacket_Kind } = await import('livekit-client');
  window.received = [];
  const { on } = PageRoom.prototype;
  // The page listens to its room before it connects: that is the first that is heard of it.
  PageRoom.prototype.on = function (this: Room, ...listener: Parameters<typeof on>) {
    PageRoom.prototype.on = on;
    window.room = this;
    this.on(RoomEvent.DataReceived, (payload, participant, kind, receivedTopic) => {
      if (receivedTopic !== topic) return;
      const text = new TextDecoder().decode(payload);
      window.received.push({ from: participant?.name ?? '', text, isLossy: kind === DataPacket_Kind.LOSSY });
    });
    return on.apply(this, listener);
  } as typeof on;
}
