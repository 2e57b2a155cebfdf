/** A meeting from joining to its end: the room, and the parts of the page that show it. */
import {
  ConnectionState,
  DisconnectReason,
  EngineEvent,
  type RemoteTrack,
  Room,
  RoomEvent,
  Track,
  VideoPresets,
} from 'livekit-client';
import type { Access } from './access.ts';
import { Chat } from './chat.ts';
import { Controls } from './controls.ts';
import { byId } from './dom.ts';
import { explainDeviceFailure, explainDisconnect } from './explain.ts';
import { Grid } from './grid.ts';
import { type Notice, showNotice } from './notices.ts';
import { pollPaths } from './paths.ts';
import type { Preview } from './preview.ts';

/** Whatever of these happens, the page is made anew from the room: no event has to be understood, and none can be missed for long. */
const SHOWN_EVENTS = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.Reconnected,
] as const;

/**
 * Joins and shows the room until it is over; `onEnd` gets the reason in words. Rejects when the room cannot be entered, with nothing left
 * open. Devices that fail are explained and left out.
 */
export async function enterMeeting(
  access: Access,
  preview: Preview,
  onEnd: (text: string, wasMeant: boolean) => void,
): Promise<void> {
  const room = new Room({
    // Tiles that are small or hidden ask for less, and what nobody asks for is not encoded.
    adaptiveStream: true,
    dynacast: true,
    videoCaptureDefaults: { resolution: VideoPresets.h720.resolution },
    publishDefaults: { videoCodec: 'vp8', simulcast: true },
  });
  playAudio(room);
  try {
    await room.connect(access.serverUrl, access.token);
  } catch (error) {
    await room.disconnect();
    throw error;
  }
  const close = openPage(room, access);
  room.once(RoomEvent.Disconnected, reason => {
    close();
    onEnd(explainDisconnect(reason), reason === DisconnectReason.CLIENT_INITIATED);
  });
  await publishDevices(room, preview);
}

/** Returns what closes the page's parts again. */
function openPage(room: Room, access: Access): () => void {
  const showFailure = (text: string) => void showNotice(text, { kind: 'error' });
  const grid = new Grid(room);
  const chat = new Chat(room, { showUnread: count => controls.showUnread(count), showFailure });
  const controls = new Controls(room, chat, showFailure);
  const show = () => {
    grid.show();
    controls.show();
  };
  for (const event of SHOWN_EVENTS) room.on(event, show);
  const stopWatching = watchConnection(room);
  let token = access.token;
  room.engine.on(EngineEvent.TokenRefreshed, refreshed => {
    token = refreshed;
  });
  const paths = pollPaths(
    access,
    () => token,
    answer => grid.showPaths(answer),
  );
  byId('meeting-room', HTMLHeadingElement).textContent = access.room;
  document.title = `${access.room} · Causeway`;
  byId('lobby', HTMLElement).hidden = true;
  byId('meeting', HTMLElement).hidden = false;
  show();
  return () => {
    paths.close();
    stopWatching();
    controls.close();
    chat.close();
    grid.close();
    byId('audio', HTMLDivElement).replaceChildren();
    document.title = 'Causeway';
    byId('meeting', HTMLElement).hidden = true;
    byId('lobby', HTMLElement).hidden = false;
  };
}

/** Says so while the connection is away. */
function watchConnection(room: Room): () => void {
  let notice: Notice | undefined;
  const away = (text: string) => {
    notice?.close();
    notice = showNotice(text, { kind: 'waiting' });
  };
  const back = () => {
    notice?.close();
    notice = undefined;
  };
  room.on(RoomEvent.SignalReconnecting, () => away('The server is away. The meeting goes on while we reconnect…'));
  room.on(RoomEvent.Reconnecting, () => away('The connection was lost. Reconnecting…'));
  room.on(RoomEvent.Reconnected, back);
  return back;
}

/** Audio plays by itself, unless the browser waits for a click first: then it is asked for. */
function playAudio(room: Room): void {
  const container = byId('audio', HTMLDivElement);
  room.on(RoomEvent.TrackSubscribed, track => {
    if (track.kind === Track.Kind.Audio) container.append(track.attach());
  });
  room.on(RoomEvent.TrackUnsubscribed, (track: RemoteTrack) => {
    if (track.kind === Track.Kind.Audio) for (const element of track.detach()) element.remove();
  });
  let question: Notice | undefined;
  const askForSound = () => {
    question?.close();
    question = undefined;
    if (room.canPlaybackAudio || room.state !== ConnectionState.Connected) return;
    const action = { label: 'Turn sound on', run: () => void room.startAudio() };
    question = showNotice('The browser keeps the sound off until you press a button.', { kind: 'question', action });
  };
  room.on(RoomEvent.AudioPlaybackStatusChanged, askForSound);
  room.once(RoomEvent.Connected, askForSound);
  room.once(RoomEvent.Disconnected, () => question?.close());
}

/** Camera and microphone at the same time; one that fails does not hold up the other. */
async function publishDevices(room: Room, preview: Preview): Promise<void> {
  const { localParticipant } = room;
  const camera = async () => {
    const track = preview.takeTrack();
    if (track !== undefined) await localParticipant.publishTrack(track, { source: Track.Source.Camera });
    else if (preview.wantsCamera) await localParticipant.setCameraEnabled(true);
  };
  const microphone = async () => {
    if (preview.wantsMicrophone) await localParticipant.setMicrophoneEnabled(true);
  };
  const explain = (device: 'camera' | 'microphone') => (error: unknown) => {
    // Whoever has left in the meantime does not miss it.
    if (room.state === ConnectionState.Disconnected) return;
    showNotice(`${explainDeviceFailure(device, error)} You are in the meeting without it.`, { kind: 'error' });
  };
  await Promise.all([camera().catch(explain('camera')), microphone().catch(explain('microphone'))]);
}
