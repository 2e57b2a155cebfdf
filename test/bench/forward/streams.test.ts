import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RtpPacket, readUint16, writeUint16 } from '../../../protocol/rtp/packet.ts';
import { Vp8Descriptor } from '../../../protocol/rtp/vp8.ts';
import type { GeneratorEndpoint } from './generator-endpoint.ts';
import { type GeneratorSocket, OUTGOING_BYTES } from './io/generator-socket.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { speechProgram, videoProgram } from './media-program.ts';
import { streamTag } from './payload.ts';
import { EXTENSION_IDS, PAYLOAD_TYPES, PublishedStream } from './published-stream.ts';
import { ReceivedStream, Verification } from './received-stream.ts';

const SSRC = 0x4000_0002;
const TAG = streamTag(3, 2, 0);

/** An endpoint whose SRTP leaves packets as they are. */
const ENDPOINT = {
  index: 3,
  port: 9,
  srtp: {
    protectRtp: (_bytes: Uint8Array, _offset: number, length: number) => length,
    unprotectRtp: (_bytes: Uint8Array, _offset: number, length: number) => length,
  },
} as unknown as GeneratorEndpoint;

function wire(program = videoProgram(2_500_000, 30), firstFrame = 1) {
  const sent: Buffer[] = [];
  let nowUs = 1_000;
  const socket = {
    outgoing: Buffer.alloc(OUTGOING_BYTES),
    nowUs: () => nowUs++,
    reserve: () => 0,
    send: (_index: number, _port: number, offset: number, length: number) =>
      sent.push(Buffer.from(socket.outgoing.subarray(offset, offset + length))),
    flush: () => {},
  };
  let transportSequence = 0;
  const stream = new PublishedStream({
    endpoint: ENDPOINT,
    socket: socket as unknown as GeneratorSocket,
    program,
    ssrc: SSRC,
    rtxSsrc: SSRC + 1,
    tag: TAG,
    firstFrame,
    nextTransportSequence: () => transportSequence++,
  });
  stream.start(0, 1, 0, 1_000);
  return { stream, sent };
}

function decode(bytes: Buffer): RtpPacket {
  const packet = new RtpPacket();
  packet.decode(bytes, 0, bytes.length);
  return packet;
}

function isKeyFrame(bytes: Buffer): boolean {
  const packet = decode(bytes);
  const descriptor = new Vp8Descriptor();
  descriptor.decode(bytes, packet.payloadOffset, packet.payloadLength);
  return descriptor.startsKeyFrame;
}

function receiver(tag = TAG) {
  const verification = new Verification(new LatencyHistogram());
  return { verification, stream: new ReceivedStream(ENDPOINT, 5, 'video', tag, verification) };
}

test('a frame is a burst with one beginning, one end, and numbers in a row', () => {
  const { stream, sent } = wire();
  stream.handleTimeout(0, 1);
  const packets = sent.map(decode);
  assert.ok(packets.length > 20, 'the first frame is a key frame');
  assert.deepEqual(
    packets.map(({ sequence }) => sequence),
    packets.map((_, index) => index),
  );
  assert.deepEqual(
    packets.flatMap(({ marker }, index) => (marker ? [index] : [])),
    [packets.length - 1],
  );
  assert.deepEqual(
    sent.flatMap((bytes, index) => (isKeyFrame(bytes) ? [index] : [])),
    [0],
  );
  for (const [index, packet] of packets.entries()) {
    assert.ok(packet.findExtension(EXTENSION_IDS.transportCc));
    assert.equal(readUint16(packet.bytes, packet.elementOffset), index);
  }
});

test('media played faster comes as often as told, with a clock that stays true', () => {
  const { stream, sent } = wire(speechProgram());
  stream.handleTimeout(99, 4);
  assert.equal(sent.length, 20);
  const timestamps = sent.map(bytes => decode(bytes).timestamp);
  assert.equal(timestamps[1] - timestamps[0], 240);
  const packet = decode(sent[0]);
  assert.ok(packet.findExtension(EXTENSION_IDS.audioLevel));
});

test('what is long overdue is skipped, not sent in one go', () => {
  const { stream, sent } = wire(speechProgram());
  stream.handleTimeout(1_000, 1);
  assert.equal(sent.length, 6);
  assert.equal(stream.framesSkipped, 45);
});

test('a key frame that is asked for comes with the next frame, but not twice within 300 ms', () => {
  const { stream, sent } = wire();
  const keyFramesUntil = (nowMs: number) => {
    stream.handleTimeout(nowMs, 1);
    return sent.filter(isKeyFrame).length;
  };
  assert.equal(keyFramesUntil(0), 1);
  stream.wantsKeyFrame = true;
  assert.equal(keyFramesUntil(100), 1);
  assert.equal(keyFramesUntil(200), 1);
  assert.equal(keyFramesUntil(300), 2);
});

test('every packet is verified, RTX too, and the right one is recovered', () => {
  const { stream, sent } = wire();
  stream.handleTimeout(0, 1);
  const { verification, stream: received } = receiver();
  const lost = 4;
  for (const [index, bytes] of sent.entries()) {
    if (index !== lost) received.handle(bytes, 0, bytes.length, 5_000, 1);
  }
  assert.deepEqual([...received.count.missing.keys()], [lost]);
  const media = sent.length;
  stream.resend(lost);
  const rtx = decode(sent[media]);
  assert.deepEqual(
    [rtx.payloadType, rtx.ssrc, readUint16(rtx.bytes, rtx.payloadOffset)],
    [PAYLOAD_TYPES.rtx, SSRC + 1, lost],
  );
  received.handleRtx(sent[media], 0, sent[media].length, 0);
  assert.equal(received.count.missing.size, 0);
  assert.equal(received.count.recovered, 1);
  assert.equal(verification.verified, media);
  assert.equal(verification.faults.size, 0);
  assert.equal(verification.latency.count, media - 1);
});

test('a decoder is stuck from its first gap on, until that is filled or a key frame begins after it', () => {
  const { stream, sent } = wire();
  stream.handleTimeout(0, 1);
  const keyFramePackets = sent.length;
  stream.wantsKeyFrame = true;
  for (const nowMs of [100, 200, 300]) stream.handleTimeout(nowMs, 1);
  const { stream: received } = receiver();
  const next = sent.findIndex((bytes, index) => index > keyFramePackets && isKeyFrame(bytes));
  for (let index = 0; index < next; index++) {
    if (index !== 1) received.handle(sent[index], 0, sent[index].length, index * 1_000, 1);
  }
  assert.equal(received.stuckSinceMs, 2);
  received.handle(sent[next], 0, sent[next].length, 500_000, 1);
  assert.equal(received.stuckSinceMs, undefined);
  assert.deepEqual([...received.count.missing.keys()], [1]);
});

test('a changed byte, and a packet of another source, are found', () => {
  const { stream, sent } = wire();
  stream.handleTimeout(0, 1);
  const changed = Buffer.from(sent[0]);
  changed[200] ^= 1;
  const { verification, stream: received } = receiver();
  received.handle(changed, 0, changed.length, 5_000, 1);
  const other = receiver(streamTag(3, 1, 0));
  other.stream.handle(sent[0], 0, sent[0].length, 5_000, 1);
  assert.deepEqual([...verification.faults], [['pattern', 1]]);
  assert.deepEqual([...other.verification.faults], [['source', 1]]);
});

test('in the cheap mode the first packet and then one in so many is looked at, and all are counted', () => {
  const { stream, sent } = wire();
  for (let frame = 0; frame < 10; frame++) stream.handleTimeout(frame * 34, 1);
  const { verification, stream: received } = receiver();
  for (const bytes of sent) received.handle(bytes, 0, bytes.length, 5_000, 16);
  assert.equal(received.count.received, sent.length);
  assert.equal(verification.verified, Math.ceil(sent.length / 16));
  received.begin(3);
  const next = Buffer.from(sent[0]);
  for (let index = 0; index < 3; index++) {
    writeUint16(next, 2, sent.length + index);
    received.handle(next, 0, next.length, 5_000, 16);
  }
  assert.equal(verification.verified, Math.ceil(sent.length / 16) + 1);
});
