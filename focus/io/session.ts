import type { Participant } from '../conference/participant.ts';
import type { SignalMessage } from '../conference/room-output.ts';

/** Where a participant's messages go: its signalling socket. */
export interface SignalSink {
  readonly isOpen: boolean;
  send(message: SignalMessage): void;
  /** After what was sent; `reason` is for the client's developer. */
  close(reason: string): void;
}

export interface Session {
  readonly sink: SignalSink;
  /** Signs a token for the participant as it is now; for another room if one is given. */
  readonly freshToken: (participant: Participant, room?: string) => Promise<string>;
}
