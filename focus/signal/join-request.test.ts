import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ConnectionSettings, JoinRequest, WrappedJoinRequest, WrappedJoinRequest_Compression } from '@livekit/protocol';
import fc from 'fast-check';
import { FocusError } from '../errors.ts';
import { readJoinRequest, writeJoinRequest } from './join-request.ts';

const request = new JoinRequest({
  connectionSettings: new ConnectionSettings({ autoSubscribe: true }),
  participantSid: 'PA_1',
  metadata: '>>>???',
});

function wrap(joinRequest: Uint8Array, compression: WrappedJoinRequest_Compression): string {
  return Buffer.from(new WrappedJoinRequest({ joinRequest, compression }).toBinary()).toString('base64');
}

function refusal(parameter: string | undefined): string {
  try {
    readJoinRequest(parameter);
    return 'none';
  } catch (error) {
    assert.ok(error instanceof FocusError && error.code === 'invalid-join-request', String(error));
    return error.message;
  }
}

test('plain and gzipped requests are read, in either alphabet, padded or not', () => {
  const plain = wrap(request.toBinary(), WrappedJoinRequest_Compression.NONE);
  const gzipped = wrap(gzipSync(request.toBinary()), WrappedJoinRequest_Compression.GZIP);
  const urlSafe = gzipped.replaceAll('+', '-').replaceAll('/', '_');
  for (const parameter of [plain, gzipped, urlSafe, urlSafe.replaceAll('=', ''), writeJoinRequest(request)]) {
    assert.ok(readJoinRequest(parameter).equals(request));
  }
});

test('what cannot be read is refused with the stage that failed', () => {
  assert.match(refusal(undefined), /join_request is required/);
  assert.match(refusal('%%%'), /base64/);
  assert.match(refusal('AAAA'), /wrapped join request/);
  assert.match(refusal(wrap(Buffer.from('nonsense'), WrappedJoinRequest_Compression.GZIP)), /decompressed/);
  assert.match(refusal(wrap(Buffer.of(0xff), WrappedJoinRequest_Compression.NONE)), /cannot unmarshal join request/);
});

test('a small gzip that unpacks to more than a megabyte is refused', () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  assert.match(refusal(wrap(bomb, WrappedJoinRequest_Compression.GZIP)), /too large/);
});

test('no text makes it throw anything but a refusal', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.base64String(),
        fc.uint8Array().map(bytes => Buffer.from(bytes).toString('base64url')),
      ),
      text => {
        refusal(text);
      },
    ),
  );
});
