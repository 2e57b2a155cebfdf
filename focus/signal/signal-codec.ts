/** Frames of the signalling socket: protobuf in binary frames, or its JSON form in text frames. The server answers in the form it was last asked in. */
import { SignalRequest, SignalResponse } from '@livekit/protocol';
import { DecodeError } from '../../protocol/errors.ts';
import type { SignalMessage } from '../conference/room-output.ts';

export type FrameForm = 'binary' | 'text';

/** Throws DecodeError for bytes that are no SignalRequest. */
export function decodeRequest(form: FrameForm, data: Uint8Array): SignalRequest {
  try {
    if (form === 'binary') return SignalRequest.fromBinary(data);
    return SignalRequest.fromJsonString(Buffer.from(data).toString('utf8'), { ignoreUnknownFields: true });
  } catch {
    throw new DecodeError('signal-request');
  }
}

export function encodeResponse(form: FrameForm, message: SignalMessage): Uint8Array | string {
  const response = new SignalResponse({ message });
  return form === 'binary' ? response.toBinary() : response.toJsonString();
}
