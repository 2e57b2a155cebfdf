/** One field of a snapshot: a byte that says which format, then JSON. Protobuf messages are inside as base64. */
import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';

/**
 * Grows when fields cannot be read any more by whoever knew the format before. What is merely added is optional for the reader, and passed over by older ones.
 */
export const FORMAT = 1;
/** Of one field. Largest in practice: many sections and everybody's wishes, about 200 kB. */
export const FIELD_BYTES_MAX = 1 << 20;

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** `json` is a whole JSON text. Null: it is too long to be kept. */
export function writeField(json: string): Uint8Array | null {
  const bytes = Buffer.from(`\0${json}`, 'utf8');
  bytes[0] = FORMAT;
  return bytes.byteLength > FIELD_BYTES_MAX ? null : bytes;
}

/** Checked by `validator`; never throws. What only makes sense together is checked by whoever puts it together. */
export function readField<Schema extends TSchema>(
  bytes: Uint8Array,
  validator: Validator<Record<never, never>, Schema>,
): Read<Static<Schema>> {
  if (bytes.byteLength === 0) return unreadable('it is empty');
  if (bytes.byteLength > FIELD_BYTES_MAX) return unreadable(`it has more than ${FIELD_BYTES_MAX} bytes`);
  if (bytes[0] !== FORMAT) return unreadable(`its format is ${bytes[0]}, only ${FORMAT} can be read`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1).toString('utf8'));
  } catch {
    return unreadable('it is no JSON');
  }
  if (!validator.Check(value)) return unreadable('it is not of the shape that its format has');
  return { ok: true, value: value as Static<Schema> };
}

export function unreadable(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

export function compile<Schema extends TSchema>(schema: Schema): Validator<Record<never, never>, Schema> {
  return Compile(schema);
}

/** A kind of protobuf message. */
export interface MessageKind<T> {
  fromBinary(bytes: Uint8Array): T;
}

export function messageText(message: { toBinary(): Uint8Array }): string {
  return Buffer.from(message.toBinary()).toString('base64');
}

/** Undefined when it is no such message. */
export function readMessage<T>(type: MessageKind<T>, text: string): T | undefined {
  try {
    return type.fromBinary(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}
