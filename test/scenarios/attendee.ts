/** A stock client in a meeting under test, with a record of all that its user would notice: frames, messages in order, events, and when. */
import { RoomEvent } from '@livekit/rtc-node';
import { Client } from '../e2e/client.ts';
import { eventually } from '../e2e/eventually.ts';
import type { Deployment } from './deployment.ts';

export interface Noticed {
  readonly what: string;
  readonly atMs: number;
}

/** Small pictures: what is measured is when they come, and two cores carry the whole network. */
const PICTURE = { width: 320, height: 180, simulcast: false } as const;
/** A first frame may wait for a key frame and a slow machine. */
const FIRST_FRAME_MS_MAX = 20_000;

export class Attendee {
  readonly client: Client;
  /** What the SDK told its application since the last `forget`, with performance.now(). */
  readonly noticed: Noticed[] = [];
  /** Sequence numbers of data messages, by sender. */
  readonly sequences = new Map<string, number[]>();
  #sent = 0;

  private constructor(client: Client) {
    this.client = client;
    const note = (what: string) => void this.noticed.push({ what, atMs: performance.now() });
    const { room } = client;
    room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => note(`${identity} left`));
    room.on(RoomEvent.ParticipantConnected, ({ identity }) => note(`${identity} came`));
    room.on(RoomEvent.TrackUnpublished, (_publication, { identity }) => note(`${identity} unpublished`));
    room.on(RoomEvent.TrackUnsubscribed, (_track, _publication, { identity }) => note(`${identity} unsubscribed`));
    room.on(RoomEvent.LocalTrackUnpublished, () => note('own track unpublished'));
    room.on(RoomEvent.Reconnecting, () => note('reconnecting'));
    room.on(RoomEvent.Reconnected, () => note('reconnected'));
    room.on(RoomEvent.Disconnected, reason => note(`disconnected ${reason}`));
    room.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) => {
      if (topic !== SEQUENCE_TOPIC || participant === undefined) return;
      const list = this.sequences.get(participant.identity) ?? [];
      list.push(Number(new TextDecoder().decode(payload)));
      this.sequences.set(participant.identity, list);
    });
  }

  /** Joins as a client in `region`, through the load balancer, whose first choice is the focus at place `favourite`; publishes a camera. */
  static async join(
    deployment: Deployment,
    room: string,
    identity: string,
    { region, favourite = 0, index = 0, publishes = true }: JoinOptions,
  ): Promise<Attendee> {
    const attendee = new Attendee(new Client(identity, index, () => 0));
    await attendee.client.connect(await deployment.clientUrl(region, favourite), room);
    if (publishes) await attendee.client.publishCamera(PICTURE);
    return attendee;
  }

  get identity(): string {
    return this.client.identity;
  }

  /** When each frame of `publisher` was decoded, performance.now(). */
  framesOf(publisher: string): readonly number[] {
    return this.client.seen.get(publisher)?.shownAtMs ?? [];
  }

  /** Until it has decoded `more` frames of `publisher` from now on. Answers ms. */
  async sees(publisher: string, more = 5, withinMs = FIRST_FRAME_MS_MAX): Promise<number> {
    const before = this.framesOf(publisher).length;
    return eventually(
      `${this.identity} sees ${publisher}`,
      withinMs,
      () => this.framesOf(publisher).length >= before + more,
      () => ({ frames: this.framesOf(publisher).length - before, noticed: this.noticed.map(({ what }) => what) }),
    );
  }

  /** The next number of its sequence, to everybody, reliably. */
  async sendNext(): Promise<number> {
    const sequence = this.#sent++;
    await this.client.send(String(sequence), { reliable: true, topic: SEQUENCE_TOPIC });
    return sequence;
  }

  has(what: string): boolean {
    return this.noticed.some(entry => entry.what === what);
  }

  /** What it noticed of others' coming and going, and of its own way out. */
  get goings(): string[] {
    return this.noticed.map(({ what }) => what).filter(what => what !== 'reconnecting' && what !== 'reconnected');
  }

  forget(): void {
    this.noticed.length = 0;
  }

  async leave(): Promise<void> {
    await this.client.close();
  }
}

export interface JoinOptions {
  readonly region: string;
  readonly favourite?: number;
  /** Of its picture. */
  readonly index?: number;
  readonly publishes?: boolean;
}

const SEQUENCE_TOPIC = 'sequence';
