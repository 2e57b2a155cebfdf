/** The JSON payloads of a link between focuses: its greeting, calls, and their answers. */
import { type Static, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { DecodeError } from '../../protocol/errors.ts';

const HelloSchema = Type.Object({
  focusId: Type.String({ minLength: 1, maxLength: 64 }),
  /** Another one: the process of before is gone, with all that it had in memory. */
  bootId: Type.String({ minLength: 1, maxLength: 64 }),
});
export type Hello = Static<typeof HelloSchema>;

const CallSchema = Type.Object({ method: Type.String({ maxLength: 64 }), body: Type.Unknown() });
export type Call = Static<typeof CallSchema>;

/** `code`: one of focus/errors.ts, or one that only focuses tell each other (`not-home`). */
const AnswerSchema = Type.Union([
  Type.Object({ ok: Type.Literal(true), value: Type.Unknown() }),
  Type.Object({ ok: Type.Literal(false), code: Type.String({ maxLength: 64 }), detail: Type.String() }),
]);
export type CallAnswer = Static<typeof AnswerSchema>;

export const readHello = reader(HelloSchema, 'peer-hello');
export const readCall = reader(CallSchema, 'peer-call');
export const readAnswer = reader(AnswerSchema, 'peer-answer');

export function writeJson(value: Hello | Call | CallAnswer): Uint8Array {
  // A value that is not there has no place in JSON; null does.
  return Buffer.from(JSON.stringify(value, (_key, one) => (one === undefined ? null : one)));
}

/** Of a decoder that throws DecodeError with `reason`. */
function reader<S extends TSchema>(schema: S, reason: string): (bytes: Uint8Array) => Static<S> {
  return bytes => {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      throw new DecodeError(reason);
    }
    if (!Value.Check(schema, value)) throw new DecodeError(reason);
    return value as Static<S>;
  };
}
