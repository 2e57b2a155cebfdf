/** Texts of parts that are large and change seldom: each is made once, and forgotten with its part. */
import type { TrackInfo } from '@livekit/protocol';
import { messageText } from './field.ts';
import { Trace, traceInfo } from './trace.ts';

/** Of objects that are never changed in place. */
export class Texts {
  readonly #texts = new WeakMap<object, string>();

  of<Part extends object>(part: Part, write: (part: Part) => string): string {
    let text = this.#texts.get(part);
    if (text === undefined) {
      text = write(part);
      this.#texts.set(part, text);
    }
    return text;
  }

  /** Protobuf messages take longer to write than all the rest. */
  ofMessage(message: { toBinary(): Uint8Array }): string {
    return this.of(message, messageText);
  }
}

/** Of what is told of tracks, which is changed in place. */
export class InfoTexts {
  readonly #known = new WeakMap<TrackInfo, { readonly trace: Trace; text: string }>();

  of(info: TrackInfo): string {
    let known = this.#known.get(info);
    if (known === undefined) {
      known = { trace: new Trace(), text: '' };
      this.#known.set(info, known);
    }
    traceInfo(known.trace, info);
    if (!known.trace.finish()) known.text = messageText(info);
    return known.text;
  }
}
