/** Who speaks in a conference: Volfin and Cohen, "Dominant Speaker Identification for Multipoint Videoconferencing" (2012). README.md tells it. */
import type { EndpointId } from '../../protocol/ids.ts';
import { SpeechActivity } from './speech-activity.ts';

/** Time between two decisions. */
export const DECISION_INTERVAL_MS = 300;
/** Endpoints listened to at once; a further one pushes out the one that has been silent longest, never the dominant. */
export const SPEAKERS_MAX = 512;

/** How much more active than the dominant speaker one must be, as ln(candidate / dominant), on each of the three scales. */
const IMMEDIATE_LEAD_MIN = 3;
const MEDIUM_LEAD_MIN = 2;
const LONG_LEAD_MIN = 0;

/** The dominant speaker of one conference. Same levels at the same times, same decisions. */
export class DominantSpeaker {
  /** Undefined until somebody has spoken, and after the dominant one has left until somebody speaks. Silence changes nothing. */
  dominant: EndpointId | undefined;
  readonly #speakers = new Map<EndpointId, SpeechActivity>();
  #decideAtMs = -1;

  /** Endpoints listened to, at most {@link SPEAKERS_MAX}. */
  get endpoints(): number {
    return this.#speakers.size;
  }

  /** One audio packet's level (RFC 6464: 0 is loudest, 127 silence), about every 20 ms while the endpoint speaks. */
  handleLevel(nowMs: number, endpointId: EndpointId, level: number): void {
    let speaker = this.#speakers.get(endpointId);
    if (speaker === undefined) {
      if (this.#speakers.size === SPEAKERS_MAX) this.#forgetQuietest();
      speaker = new SpeechActivity(nowMs);
      this.#speakers.set(endpointId, speaker);
    }
    speaker.handleLevel(nowMs, 127 - (level & 0x7f));
  }

  /** When `handleTimeout` decides next; -1 before its first call. */
  get dueMs(): number {
    return this.#decideAtMs;
  }

  removeEndpoint(endpointId: EndpointId): void {
    this.#speakers.delete(endpointId);
    if (this.dominant === endpointId) this.dominant = undefined;
  }

  /** Call at least every 40 ms or so. True when `dominant` has changed. */
  handleTimeout(nowMs: number): boolean {
    if (this.#decideAtMs < 0) this.#decideAtMs = nowMs + DECISION_INTERVAL_MS;
    if (nowMs < this.#decideAtMs) return false;
    this.#decideAtMs = nowMs + DECISION_INTERVAL_MS;
    for (const speaker of this.#speakers.values()) speaker.evaluate(nowMs);
    const chosen = this.#choose();
    if (chosen === this.dominant) return false;
    this.dominant = chosen;
    return true;
  }

  #choose(): EndpointId | undefined {
    const dominant = this.dominant === undefined ? undefined : this.#speakers.get(this.dominant);
    let chosen = this.dominant;
    let chosenSpeaker: SpeechActivity | undefined;
    for (const [endpointId, speaker] of this.#speakers) {
      if (speaker === dominant || !speaker.hasSpoken) continue;
      if (dominant !== undefined && !outdoes(speaker, dominant)) continue;
      if (chosenSpeaker !== undefined && !isMoreActive(speaker, endpointId, chosenSpeaker, chosen!)) continue;
      chosen = endpointId;
      chosenSpeaker = speaker;
    }
    return chosen;
  }

  #forgetQuietest(): void {
    let quietest: EndpointId | undefined;
    let spokeMs = Number.POSITIVE_INFINITY;
    for (const [endpointId, speaker] of this.#speakers) {
      if (endpointId === this.dominant || speaker.spokeMs >= spokeMs) continue;
      quietest = endpointId;
      spokeMs = speaker.spokeMs;
    }
    if (quietest !== undefined) this.#speakers.delete(quietest);
  }
}

function outdoes(candidate: SpeechActivity, dominant: SpeechActivity): boolean {
  return (
    Math.log(candidate.immediateScore / dominant.immediateScore) > IMMEDIATE_LEAD_MIN &&
    Math.log(candidate.mediumScore / dominant.mediumScore) > MEDIUM_LEAD_MIN &&
    Math.log(candidate.longScore / dominant.longScore) > LONG_LEAD_MIN
  );
}

/** Best medium score first, as the paper has it; then the longer speech, then the lower ID, so that bridges agree on ties. */
function isMoreActive(a: SpeechActivity, aId: EndpointId, b: SpeechActivity, bId: EndpointId): boolean {
  if (a.mediumScore !== b.mediumScore) return a.mediumScore > b.mediumScore;
  if (a.longScore !== b.longScore) return a.longScore > b.longScore;
  return aId < bId;
}
