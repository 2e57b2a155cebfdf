import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BridgeId, ConferenceId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { FRAME_CLOSE, HEADER_BYTES, writeHeader } from '../../protocol/octo/header.ts';
import { cutSessionKeys, EXPORTER_BYTES } from '../../protocol/octo/keys.ts';
import { SLOT_BYTES } from '../arena.ts';
import { DEFAULT_FEC_SETTINGS } from './fec-policy.ts';
import type { Handshake, HandshakeOptions } from './handshake.ts';
import { Link } from './link.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkSession } from './link-session.ts';
import { CLASS_VIDEO } from './media-class.ts';
import type { RelaySink } from './relay-sink.ts';

const CONFERENCE = 1 as ConferenceId;
const KEYS = Buffer.from(Array.from({ length: EXPORTER_BYTES }, (_, index) => index));

/** A link that is up with a peer whose keys the test has. */
class TrustingLink {
  nowMs = 1000;
  readonly link: Link;
  readonly peer = new LinkSession(0, cutSessionKeys(KEYS, 'server'), createLinkCounters(), PORTABLE_FRAME_CIPHERS);
  #sent = 0;

  constructor() {
    const outgoing = Buffer.alloc(SLOT_BYTES);
    let finish = () => {};
    const startHandshake = (options: HandshakeOptions): Handshake => {
      finish = () => options.onKeys(cutSessionKeys(KEYS, 'client'));
      return {
        isCommitted: false,
        handleDatagram: () => true,
        handleNudge: () => {},
        handleTimeout: () => {},
        close: () => {},
      };
    };
    const sink: RelaySink = {
      onRelayedPacket: () => {},
      onRelayedMessage: () => {},
      onKeyFrameRequest: () => {},
      onWanted: () => {},
      onWithheld: () => {},
      onFramesLost: () => {},
      onLinkState: () => {},
    };
    this.link = new Link({
      selfId: 'a' as BridgeId,
      peer: {
        bridgeId: 'b',
        region: 'b',
        octo: { address: 'b', port: 4096 },
        fingerprint: { algorithm: 'sha-256', value: '' },
      },
      wire: { outgoing, sendsRuns: false, reserve: () => 0, commit: () => this.#sent++ },
      startHandshake,
      ciphers: PORTABLE_FRAME_CIPHERS,
      sink,
      fec: DEFAULT_FEC_SETTINGS,
      random: () => 0.5,
      nowMs: () => this.nowMs,
      onFailed: () => {},
    });
    this.link.dialogue.addConference(this.nowMs, CONFERENCE);
    this.link.handleTimeout(this.nowMs);
    finish();
  }

  /** Datagrams sent since the last call. */
  takeSent(): number {
    const sent = this.#sent;
    this.#sent = 0;
    return sent;
  }

  /** A frame that the peer has sealed, whatever is in it. */
  receive(type: number, source: number, layer: number, conferenceId: number, endpointId: number, payload: Uint8Array) {
    const bytes = Buffer.alloc(SLOT_BYTES);
    writeHeader(bytes, 0, type, source, layer, conferenceId, endpointId, 0);
    bytes.set(payload, HEADER_BYTES);
    const length = this.peer.seal(this.nowMs, bytes, 0, HEADER_BYTES + payload.length, false, CLASS_VIDEO);
    this.link.handleDatagram(this.nowMs, bytes, 0, length);
  }
}

const smallNumbers = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 7, 255), { maxLength: 60 })
  .map(numbers => Uint8Array.from(numbers));
const payload = fc.oneof(fc.uint8Array({ maxLength: 1164 }), fc.uint8Array({ maxLength: 40 }), smallNumbers);
const frame = fc.record({
  type: fc.integer({ min: 0, max: 15 }).filter(type => type !== FRAME_CLOSE),
  source: fc.integer({ min: 0, max: 255 }),
  layer: fc.constantFrom(0, 0, 1, 2, 3, 255),
  conferenceId: fc.constantFrom(0, 1, 1, 1, 2),
  endpointId: fc.constantFrom(0, 1, 2, 0xffffffff),
  payload,
});

test('whatever an authentic peer puts into frames of any type, the link stays up, and answers with a few frames each', () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 40 }), frames => {
      const world = new TrustingLink();
      world.takeSent();
      for (const { type, source, layer, conferenceId, endpointId, payload: bytes } of frames) {
        world.nowMs += 1;
        world.receive(type, source, layer, conferenceId, endpointId, bytes);
        const answers = world.takeSent();
        // A NACK of all that was ever sent brings all of it; nothing else brings more than an answer and what was due.
        assert.ok(type === 7 || answers <= 4, `type ${type}: ${answers} answers`);
      }
      for (let tick = 0; tick < 20; tick++) {
        world.nowMs += 10;
        world.link.handleTimeout(world.nowMs);
      }
      assert.equal(world.link.state, 'up');
      assert.equal(world.link.counters.forged + world.link.counters.malformed, 0);
      assert.equal(world.link.counters.packetsIn, frames.length);
    }),
    { numRuns: 300 },
  );
});

test('a NACK of an unknown kind, or of no whole number of blocks, is a violation', () => {
  const world = new TrustingLink();
  world.receive(7, 0, 3, 0, 0xffffffff, Buffer.alloc(8));
  world.receive(7, 0, 0, 0, 0xffffffff, Buffer.alloc(12));
  world.receive(7, 0, 1, 0, 0xffffffff, Buffer.alloc(0));
  assert.equal(world.link.counters.violations, 3);
  for (const kind of [0, 1, 2]) world.receive(7, 0, kind, 0, 0xffffffff, Buffer.alloc(8));
  assert.equal(world.link.counters.violations, 3);
});

test('a NACK that names everything there is brings no more repeats than were sent and may be', () => {
  const world = new TrustingLink();
  for (let index = 0; index < 20; index++) {
    world.link.sendPacket(world.nowMs, CONFERENCE, 3 as never, 1 as never, 0, CLASS_VIDEO, Buffer.alloc(500), 0, 500);
  }
  world.nowMs += 50;
  const nack = Buffer.alloc(8 * 128);
  for (let block = 0; block < 128; block++) {
    nack.writeUInt32BE(block * 33, block * 8);
    nack.writeUInt32BE(0xffffffff, block * 8 + 4);
  }
  world.takeSent();
  world.receive(7, 0, 0, 0, 0xffffffff, nack);
  assert.equal(world.link.counters.retransmitted, 20);
  assert.ok(world.takeSent() <= 20 + 2, 'and one notice of each kind');
});
