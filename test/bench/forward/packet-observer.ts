import type { ReceivedStream } from './received-stream.ts';

/** Hears of every packet that a load generator sends and verifies, as it happens: for accounts that are kept packet by packet. Times are of the generator's clock, in µs. */
export interface PacketObserver {
  /** A packet has been published. `bytes`: RTP header, descriptor and payload, without extensions. `isAsked`: of a key frame that somebody asked for. */
  sent(
    tag: number,
    number: number,
    frame: number,
    isKeyFrame: boolean,
    isAsked: boolean,
    bytes: number,
    sentUs: number,
  ): void;
  /** A whole packet has come, for the first time or again. */
  received(stream: ReceivedStream, tag: number, number: number, sentUs: number, receivedUs: number): void;
}
