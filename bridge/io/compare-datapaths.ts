/** What must hold before a bridge trusts its packets to a datapath: it makes the same bytes as the other, refuses what the other refuses, and datagrams arrive. */
import { HEADER_BYTES, TAG_BYTES } from '../../protocol/octo/header.ts';
import {
  MASTER_KEY_BYTES,
  masterSaltBytes,
  SRTP_PROFILES,
  type SrtpKeys,
  type SrtpProfile,
} from '../../protocol/srtp/profiles.ts';
import { SLOT_BYTES } from '../arena.ts';
import type { DatagramHandler, DatagramPort } from './datagram-port.ts';
import type { Datapath } from './datapath.ts';

/** Payload sizes: nothing, less than and exactly a cipher's block, audio, a full video packet. */
const PAYLOADS = [0, 1, 15, 16, 17, 120, 1188];
const RTP_HEADER_BYTES = 12;
const SETTLE_MS = 1_000;

/** Room for one packet of SLOT_BYTES. */
interface Place {
  readonly bytes: Buffer;
  readonly offset: number;
}

/** Rejects with an Error that says what differs. Takes a few milliseconds. */
export async function compareDatapaths(tested: Datapath, trusted: Datapath): Promise<void> {
  const mailbox = new Mailbox();
  const port = await tested.openPort<Mailbox>({
    address: '127.0.0.1',
    port: 0,
    arenaSlots: 8,
    handler: mailbox.handler,
  });
  try {
    const slot = { bytes: port.outgoing, offset: port.reserve() };
    // Packets are protected in slots of the port, and some elsewhere.
    for (const place of [slot, { bytes: Buffer.alloc(SLOT_BYTES), offset: 0 }]) {
      for (const profile of SRTP_PROFILES) compareSrtp(tested, trusted, profile, place);
      compareFrames(tested, trusted, place);
    }
    port.cancel(slot.offset);
    await mailbox.sendToItself(port);
  } finally {
    await port.close();
  }
}

function compareSrtp(tested: Datapath, trusted: Datapath, profile: SrtpProfile, place: Place): void {
  const name = `SRTP profile ${profile}`;
  const sender = tested.createSrtpSession(profile, srtpKeys(profile, 1, 2));
  const reference = trusted.createSrtpSession(profile, srtpKeys(profile, 1, 2));
  const receiver = tested.createSrtpSession(profile, srtpKeys(profile, 2, 1));
  try {
    for (const [index, payload] of PAYLOADS.entries()) {
      const rtp = pattern(RTP_HEADER_BYTES + payload);
      rtp.set([0x80, 96, 0, index, 0, 0, 0, 0, 0, 0, 0, 1]);
      comparePacket(`${name}, RTP of ${rtp.length} bytes`, rtp, place, {
        protect: ({ bytes, offset }, length) => sender.protectRtp(bytes, offset, length),
        expect: ({ bytes, offset }, length) => reference.protectRtp(bytes, offset, length),
        unprotect: ({ bytes, offset }, length) => receiver.unprotectRtp(bytes, offset, length),
      });
      const rtcp = pattern(8 + payload);
      rtcp.set([0x80, 200, 0, 0, 0, 0, 0, 1]);
      comparePacket(`${name}, RTCP of ${rtcp.length} bytes`, rtcp, place, {
        protect: ({ bytes, offset }, length) => sender.protectRtcp(bytes, offset, length),
        expect: ({ bytes, offset }, length) => reference.protectRtcp(bytes, offset, length),
        unprotect: ({ bytes, offset }, length) => receiver.unprotectRtcp(bytes, offset, length),
      });
    }
  } finally {
    for (const session of [sender, reference, receiver]) session.close();
  }
}

function compareFrames(tested: Datapath, trusted: Datapath, place: Place): void {
  const [key, salt] = [pattern(16), pattern(12)];
  const sealer = tested.frameCiphers.sealer(key, salt);
  const reference = trusted.frameCiphers.sealer(key, salt);
  const opener = tested.frameCiphers.opener(key, salt);
  try {
    for (const payload of PAYLOADS) {
      // A sequence number of more than 32 bits.
      const sequence = 0x1234_5678_9abc + payload;
      const frame = pattern(HEADER_BYTES + payload);
      const seal =
        (by: typeof sealer) =>
        ({ bytes, offset }: Place, length: number) => {
          by.seal(bytes, offset, length, sequence);
          return length + TAG_BYTES;
        };
      comparePacket(`an Octo frame of ${frame.length} bytes`, frame, place, {
        protect: seal(sealer),
        expect: seal(reference),
        unprotect: ({ bytes, offset }, length) =>
          opener.open(bytes, offset, length, sequence) ? length - TAG_BYTES : -1,
      });
    }
  } finally {
    for (const cipher of [sealer, reference, opener]) cipher.close();
  }
}

interface Ways {
  protect(place: Place, length: number): number;
  expect(place: Place, length: number): number;
  unprotect(place: Place, length: number): number;
}

function comparePacket(what: string, plain: Buffer, place: Place, { protect, expect, unprotect }: Ways): void {
  const field = place.bytes.subarray(place.offset, place.offset + SLOT_BYTES);
  const expected = Buffer.alloc(SLOT_BYTES);
  plain.copy(expected);
  field.fill(0);
  plain.copy(field);
  const length = protect(place, plain.length);
  if (length !== expect({ bytes: expected, offset: 0 }, plain.length) || !field.equals(expected))
    throw new Error(`${what} is protected differently`);
  field[length - 1] ^= 1;
  const forged = Buffer.from(field);
  if (unprotect(place, length) >= 0 || !field.equals(forged)) throw new Error(`${what} is taken although it is forged`);
  field[length - 1] ^= 1;
  if (unprotect(place, length) !== plain.length || !field.subarray(0, plain.length).equals(plain))
    throw new Error(`${what} does not come back`);
}

/** Datagrams of one size and a shorter one, to the port's own address: batched sending, segmentation, and receiving. */
class Mailbox {
  readonly #sent = [1200, 1200, 1200, 700].map((length, index) => pattern(length).fill(index, 0, 1));
  readonly #received: Buffer[] = [];
  readonly #isFull = Promise.withResolvers<void>();

  /** Of what others send to this port by chance, nothing counts. */
  readonly handler: DatagramHandler<Mailbox> = (bytes, offset, length, peer) => {
    if (peer.owner !== this) return;
    this.#received.push(Buffer.from(bytes.subarray(offset, offset + length)));
    if (this.#received.length === this.#sent.length) this.#isFull.resolve();
  };

  async sendToItself(port: DatagramPort<Mailbox>): Promise<void> {
    const self = port.adopt('127.0.0.1', port.port, this);
    for (const datagram of this.#sent) {
      const slot = port.reserve();
      datagram.copy(port.outgoing, slot);
      port.commit(slot, datagram.length, self);
    }
    const deadline = setTimeout(this.#isFull.resolve, SETTLE_MS);
    await this.#isFull.promise;
    clearTimeout(deadline);
    if (this.#received.length < this.#sent.length)
      throw new Error(`of ${this.#sent.length} datagrams sent to itself, ${this.#received.length} arrived`);
    if (!Buffer.concat(this.#received).equals(Buffer.concat(this.#sent)))
      throw new Error('datagrams sent to itself arrive changed, or in another order');
  }
}

function srtpKeys(profile: SrtpProfile, local: number, remote: number): SrtpKeys {
  return {
    localKey: Buffer.alloc(MASTER_KEY_BYTES, local),
    localSalt: Buffer.alloc(masterSaltBytes(profile), local + 2),
    remoteKey: Buffer.alloc(MASTER_KEY_BYTES, remote),
    remoteSalt: Buffer.alloc(masterSaltBytes(profile), remote + 2),
  };
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 0xff));
}
