/**
 * The `join_request` query parameter of `/rtc/v1`: a WrappedJoinRequest in base64url (RFC 4648 section 5; padding is optional, and the plain
 * alphabet is taken too), which holds a JoinRequest, as it is or gzipped.
 */
import { gunzipSync } from 'node:zlib';
import { JoinRequest, WrappedJoinRequest, WrappedJoinRequest_Compression } from '@livekit/protocol';
import { FocusError } from '../errors.ts';

/** Of the parameter, in characters; LiveKit's server stops at its HTTP server's 1 MiB of headers. */
export const JOIN_REQUEST_CHARACTERS_MAX = 1 << 20;
/** Of the JoinRequest once unpacked: what a small gzip could grow to is bounded. */
const JOIN_REQUEST_BYTES_MAX = 1 << 20;

/** Throws FocusError `invalid-join-request`. */
export function readJoinRequest(parameter: string | undefined): JoinRequest {
  if (parameter === undefined || parameter === '') throw invalid('join_request is required');
  if (parameter.length > JOIN_REQUEST_CHARACTERS_MAX) throw invalid('join request too large');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(parameter)) throw invalid('cannot base64 decode wrapped join request');
  const wrapped = decode(
    () => WrappedJoinRequest.fromBinary(Buffer.from(parameter, 'base64url')),
    'wrapped join request',
  );
  const bytes = unwrap(wrapped);
  return decode(() => JoinRequest.fromBinary(bytes), 'join request');
}

/** The inverse, for tests and for tools that speak to a focus. */
export function writeJoinRequest(request: JoinRequest): string {
  const wrapped = new WrappedJoinRequest({ joinRequest: request.toBinary() });
  return Buffer.from(wrapped.toBinary()).toString('base64url');
}

function unwrap({ compression, joinRequest }: WrappedJoinRequest): Uint8Array {
  if (compression === WrappedJoinRequest_Compression.NONE) return joinRequest;
  if (compression !== WrappedJoinRequest_Compression.GZIP) throw invalid('unknown compression');
  try {
    return gunzipSync(joinRequest, { maxOutputLength: JOIN_REQUEST_BYTES_MAX });
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw invalid(isTooLarge ? 'join request too large' : 'cannot read decompressed join request');
  }
}

function decode<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch {
    throw invalid(`cannot unmarshal ${what}`);
  }
}

function invalid(detail: string): FocusError {
  return new FocusError('invalid-join-request', detail);
}
