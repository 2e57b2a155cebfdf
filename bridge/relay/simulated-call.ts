/**
 * For tests: a call over a {@link SimulatedPair}, audio (50 packets a second) and video (30 pictures a second, a key frame every two seconds), and what becomes
 * of each packet.
 */
import assert from 'node:assert/strict';
import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { CLASS_AUDIO, CLASS_KEY_FRAME, CLASS_VIDEO, type MediaClass } from './media-class.ts';
import type { SimulatedPair } from './simulated-pair.ts';

export const CONFERENCE = 1 as ConferenceId;
const ALICE = 2 as EndpointId;
const MICROPHONE = 0 as SourceId;
const CAMERA = 1 as SourceId;
const AUDIO_BYTES = 100;
const VIDEO_BYTES = 1150;
const PICTURES_PER_SECOND = 30;
const KEY_FRAME_PICTURES = 60;
const KEY_FRAME_TIMES = 4;

export interface SentPacket {
  readonly number: number;
  readonly mediaClass: MediaClass;
  readonly atMs: number;
}

/** What became of the packets that were sent. */
export interface CallResult {
  readonly sent: readonly SentPacket[];
  /** By packet number: how much longer than the path's own delay it took. */
  readonly addedMs: ReadonlyMap<number, number>;
  readonly duplicates: number;
}

export class SimulatedCall {
  readonly sent: SentPacket[] = [];
  readonly #pair: SimulatedPair;
  readonly #videoPacketsPerPicture: number;
  #nextAudioMs: number;
  #nextPictureMs: number;
  #pictures = 0;

  /** Brings the link up. `videoBps` 0: audio alone. */
  constructor(pair: SimulatedPair, videoBps: number) {
    this.#pair = pair;
    this.#videoPacketsPerPicture = videoBps / 8 / VIDEO_BYTES / PICTURES_PER_SECOND;
    this.share();
    pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 10_000);
    this.#nextAudioMs = pair.nowMs;
    this.#nextPictureMs = pair.nowMs + 3;
  }

  /** The conference on both bridges: again after one has started anew. */
  share(): void {
    this.#pair.share(CONFERENCE);
  }

  /** Silence until then. */
  skipTo(nowMs: number): void {
    this.#nextAudioMs = nowMs;
    this.#nextPictureMs = nowMs + 3;
  }

  /** a talks to b for so long; packets leave whenever they are due, ticks are every 10 ms. */
  run(durationMs: number): void {
    const endMs = this.#pair.nowMs + durationMs;
    while (this.#pair.nowMs < endMs) {
      const untilMs = Math.min(endMs, this.#nextAudioMs, this.#nextPictureMs);
      if (untilMs > this.#pair.nowMs) this.#pair.run(untilMs - this.#pair.nowMs);
      const { nowMs } = this.#pair;
      if (nowMs >= this.#nextAudioMs) {
        this.#send(CLASS_AUDIO);
        this.#nextAudioMs += 20;
      }
      if (nowMs >= this.#nextPictureMs) this.#sendPicture();
    }
  }

  #sendPicture(): void {
    this.#nextPictureMs += 1000 / PICTURES_PER_SECOND;
    const isKeyFrame = this.#pictures % KEY_FRAME_PICTURES === 0;
    const perPicture = this.#videoPacketsPerPicture;
    const before = Math.floor(this.#pictures * perPicture);
    const packets = Math.floor(++this.#pictures * perPicture) - before;
    const times = isKeyFrame ? KEY_FRAME_TIMES : 1;
    for (let packet = 0; packet < packets * times; packet++) this.#send(isKeyFrame ? CLASS_KEY_FRAME : CLASS_VIDEO);
  }

  #send(mediaClass: MediaClass): void {
    const { relay, link } = this.#pair.a;
    assert.ok(link);
    const number = this.sent.length;
    const bytes = packetOf(number, mediaClass);
    this.sent.push({ number, mediaClass, atMs: this.#pair.nowMs });
    const source = mediaClass === CLASS_AUDIO ? MICROPHONE : CAMERA;
    relay.sendPacket(link, CONFERENCE, ALICE, source, 0, mediaClass, bytes, 0, bytes.length);
  }

  /** Lets the last packets arrive, checks each that came byte for byte, and says how late it was. */
  end(): CallResult {
    this.#pair.run(1500);
    const addedMs = new Map<number, number>();
    let duplicates = 0;
    for (const packet of this.#pair.b.packets) {
      const number = packet.bytes.readUInt32BE(4);
      const { mediaClass, atMs } = this.sent[number];
      assert.ok(packet.bytes.equals(packetOf(number, mediaClass)), `packet ${number} came changed`);
      assert.equal(packet.conferenceId, CONFERENCE);
      assert.equal(packet.endpointId, ALICE);
      assert.equal(packet.sourceId, mediaClass === CLASS_AUDIO ? MICROPHONE : CAMERA);
      if (addedMs.has(number)) duplicates++;
      addedMs.set(number, packet.atMs - atMs - this.#pair.path.delayMs);
    }
    return { sent: this.sent, addedMs, duplicates };
  }
}

/** Of its own length and content, so that a repaired one is told from another. */
function packetOf(number: number, mediaClass: MediaClass): Buffer {
  const bytes = Buffer.alloc((mediaClass === CLASS_AUDIO ? AUDIO_BYTES : VIDEO_BYTES) - (number % 50), number % 251);
  bytes.writeUInt32BE(0x80600000);
  bytes.writeUInt32BE(number, 4);
  return bytes;
}

/** The value that the given share of `values` does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
