/** The home's side of the links: carries out what other focuses ask for their clients and their callers. */
import type { Logger } from 'pino';
import { DecodeError } from '../../protocol/errors.ts';
import { FocusError } from '../errors.ts';
import type { Opening } from '../peers/opening.ts';
import type { CallAnswer } from '../peers/peer-messages.ts';
import type { Store } from '../store/store.ts';
import type { PeerHandler, RelayedClient } from './peer-route.ts';
import { openSession, type SessionOpenerOptions } from './session-opener.ts';
import type { Takeovers } from './takeovers.ts';

/** Carries out one kind of call. Throws DecodeError for a body that no focus sends; FocusError becomes the answer. */
export type CallHandler = (body: unknown, from: string) => Promise<CallAnswer> | CallAnswer;

export interface PeerHomeOptions {
  readonly focusId: string;
  readonly sessions: SessionOpenerOptions;
  readonly store: Store;
  readonly takeovers: Takeovers;
  readonly calls: Readonly<Record<string, CallHandler>>;
  readonly log: Logger;
  readonly isClosing: () => boolean;
}

/** What an entry is told when the room does not live here: it asks the store again. */
export const NOT_HOME = 'not-home';

export function createPeerHome(options: PeerHomeOptions): PeerHandler {
  const { focusId, sessions, store, takeovers, calls, log } = options;
  const { host } = sessions;

  /** Whether the session's room lives here; brings it here when it did so before a restart. */
  async function isHomeOf({ admission, place }: Opening): Promise<boolean> {
    const known = host.room(admission.room);
    if (known !== undefined) return place === null || place.conference.conferenceId === known.identity.conferenceId;
    const conference = place?.conference ?? (await store.conference(admission.room));
    if (conference === undefined || conference.owner !== focusId || host.hasEnded(conference.conferenceId))
      return false;
    return host.isHomeOf(conference) || (await takeovers.take(conference)) !== undefined;
  }

  async function open(from: string, opening: Opening, client: RelayedClient): Promise<void> {
    const { admission, region, place } = opening;
    if (options.isClosing() || !(await isHomeOf(opening))) {
      client.refuse(NOT_HOME);
      return;
    }
    client.accept();
    const opened = await openSession(sessions, client, admission, region, { by: { focusId: from, place }, place });
    if (opened === undefined) return;
    const { room, participant } = opened;
    client.listen(
      message => {
        // As for a socket: what one that was replaced by a resume still brings is of the past.
        if (host.session(participant.sid)?.sink === client) host.handleRequest(room, participant, message);
      },
      () => host.handleSignalLost(room, participant, client),
    );
  }

  return {
    handleOpening(from, opening, client) {
      open(from, opening, client).catch(error => {
        log.warn({ room: opening.admission.room, peer: from, error: String(error) }, 'relayed session not opened');
        client.refuse(NOT_HOME);
      });
    },
    async handleCall(from, method, body) {
      const handle = Object.hasOwn(calls, method) ? calls[method] : undefined;
      if (handle === undefined) return { ok: false, code: 'unknown-method', detail: method };
      try {
        return await handle(body, from);
      } catch (error) {
        if (error instanceof DecodeError) throw error;
        if (error instanceof FocusError) return { ok: false, code: error.code, detail: error.message };
        log.error({ peer: from, method, error: String(error) }, 'a call of another focus failed');
        return { ok: false, code: 'internal', detail: '' };
      }
    },
  };
}
