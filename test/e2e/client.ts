/** A stock LiveKit client (@livekit/rtc-node, which is libwebrtc) that records what it sees and hears. */
import {
  AudioStream,
  type ConnectionQuality,
  type DisconnectReason,
  LocalAudioTrack,
  type LocalTrackPublication,
  LocalVideoTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  type VideoCodec,
  VideoStream,
} from '@livekit/rtc-node';
import { AccessToken, type VideoGrant } from 'livekit-server-sdk';
import { meanLuma, SyntheticCamera, SyntheticMicrophone, toneHzOf, toneShare } from './synthetic-media.ts';

export const API_KEY = 'devkey';
export const API_SECRET = 'secret';

/** Share of a frame's power that must be the publisher's tone. */
const TONE_SHARE_MIN = 0.5;

export interface Seen {
  frames: number;
  firstFrameAtMs: number;
  lastFrameAtMs: number;
  /** When each frame was shown, performance.now(). */
  readonly shownAtMs: number[];
  luma: number;
  width: number;
  height: number;
}

export interface Message {
  readonly from: string;
  readonly text: string;
  readonly topic: string | undefined;
  readonly atMs: number;
}

export async function accessToken(identity: string, room: string, grant: Partial<VideoGrant> = {}): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, { identity, name: identity, ttl: 600 });
  token.addGrant({ roomJoin: true, room, ...grant });
  return token.toJwt();
}

export class Client {
  readonly identity: string;
  readonly index: number;
  readonly room = new Room();
  /** By identity of the publisher. */
  readonly seen = new Map<string, Seen>();
  /** Audio frames of 10 ms in which the publisher's own tone was heard, by identity. */
  readonly heard = new Map<string, number>();
  /** When each of those frames was heard, performance.now(). */
  readonly heardAtMs = new Map<string, number[]>();
  readonly messages: Message[] = [];
  /** Every list of speakers, loudest first. */
  readonly speakers: string[][] = [];
  readonly muted = new Set<string>();
  readonly qualities = new Map<string, ConnectionQuality>();
  disconnectedBecause: DisconnectReason | undefined;
  connectedInMs = 0;
  camera: SyntheticCamera | undefined;
  microphone: SyntheticMicrophone | undefined;
  readonly publications: LocalTrackPublication[] = [];
  readonly #tonesByIdentity: (identity: string) => number;

  constructor(identity: string, index: number, indexOf: (identity: string) => number) {
    this.identity = identity;
    this.index = index;
    this.#tonesByIdentity = other => toneHzOf(indexOf(other));
    this.#record();
  }

  async connect(
    url: string,
    roomName: string,
    grant: Partial<VideoGrant> = {},
    { dynacast = false } = {},
  ): Promise<this> {
    const token = await accessToken(this.identity, roomName, grant);
    const startedAt = performance.now();
    await this.room.connect(url, token, { autoSubscribe: true, dynacast });
    this.connectedInMs = performance.now() - startedAt;
    return this;
  }

  async publishCamera(
    options: { simulcast?: boolean; codec?: VideoCodec; width?: number; height?: number } = {},
  ): Promise<LocalTrackPublication> {
    this.camera = new SyntheticCamera(this.index, options.width, options.height);
    const track = LocalVideoTrack.createVideoTrack('camera', this.camera.source);
    const publishOptions = new TrackPublishOptions({
      source: TrackSource.SOURCE_CAMERA,
      simulcast: options.simulcast ?? true,
      ...(options.codec === undefined ? {} : { videoCodec: options.codec }),
    });
    return this.#keep(await this.room.localParticipant!.publishTrack(track, publishOptions));
  }

  async publishMicrophone(): Promise<LocalTrackPublication> {
    this.microphone = new SyntheticMicrophone(this.index);
    const track = LocalAudioTrack.createAudioTrack('microphone', this.microphone.source);
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
    return this.#keep(await this.room.localParticipant!.publishTrack(track, options));
  }

  async send(text: string, options: { reliable: boolean; to?: string[]; topic?: string }): Promise<void> {
    await this.room.localParticipant!.publishData(new TextEncoder().encode(text), {
      reliable: options.reliable,
      destination_identities: options.to ?? [],
      topic: options.topic ?? 'test',
    });
  }

  others(): string[] {
    return [...this.room.remoteParticipants.keys()].sort();
  }

  attributesOf(identity: string): Record<string, string> {
    return this.room.remoteParticipants.get(identity)?.attributes ?? {};
  }

  async close(): Promise<void> {
    await this.camera?.stop();
    await this.microphone?.stop();
    await this.room.disconnect();
  }

  #keep(publication: LocalTrackPublication): LocalTrackPublication {
    this.publications.push(publication);
    return publication;
  }

  #record(): void {
    const { room } = this;
    room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
      if (track.kind === TrackKind.KIND_VIDEO) void this.#watch(track, participant.identity);
      else void this.#listen(track, participant.identity);
    });
    room.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) => {
      this.messages.push({
        from: participant?.identity ?? '',
        text: new TextDecoder().decode(payload),
        topic,
        atMs: performance.now(),
      });
    });
    room.on(RoomEvent.ActiveSpeakersChanged, speakers => this.speakers.push(speakers.map(({ identity }) => identity)));
    room.on(RoomEvent.TrackMuted, (publication, participant) =>
      this.muted.add(`${participant.identity}/${publication.name}`),
    );
    room.on(RoomEvent.TrackUnmuted, (publication, participant) =>
      this.muted.delete(`${participant.identity}/${publication.name}`),
    );
    room.on(RoomEvent.ConnectionQualityChanged, (quality, participant) =>
      this.qualities.set(participant.identity, quality),
    );
    room.on(RoomEvent.Disconnected, reason => {
      this.disconnectedBecause = reason;
    });
  }

  async #watch(track: RemoteTrack, identity: string): Promise<void> {
    for await (const { frame } of new VideoStream(track)) {
      const now = performance.now();
      const seen = this.seen.get(identity) ?? {
        frames: 0,
        firstFrameAtMs: now,
        lastFrameAtMs: now,
        shownAtMs: [],
        luma: 0,
        width: 0,
        height: 0,
      };
      const picture = frame.type === VideoBufferType.I420 ? frame : frame.convert(VideoBufferType.I420);
      seen.frames++;
      seen.lastFrameAtMs = now;
      seen.shownAtMs.push(now);
      seen.luma = meanLuma(picture);
      seen.width = frame.width;
      seen.height = frame.height;
      this.seen.set(identity, seen);
    }
  }

  async #listen(track: RemoteTrack, identity: string): Promise<void> {
    const toneHz = this.#tonesByIdentity(identity);
    const times = this.heardAtMs.get(identity) ?? [];
    this.heardAtMs.set(identity, times);
    for await (const frame of new AudioStream(track)) {
      if (toneShare(frame.data, frame.sampleRate, toneHz) < TONE_SHARE_MIN) continue;
      this.heard.set(identity, (this.heard.get(identity) ?? 0) + 1);
      times.push(performance.now());
    }
  }
}
