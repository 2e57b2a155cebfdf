/** Does what a command line says, and answers what to print. */
import type {
  BridgeAnswer,
  FocusAnswer,
  LinkAnswer,
  MovedAnswer,
  PlacementAnswer,
  RoomAnswer,
  StatusAnswer,
} from '../answers.ts';
import type { Command, Connection } from '../command-line.ts';
import { operatorToken, participantToken } from '../tokens.ts';
import { movedView, participantsView, roomsView, statusView, whyView } from '../views.ts';
import { askFocus } from './ask-focus.ts';
import { drain } from './drain.ts';
import { drainFocus } from './drain-focus.ts';

export interface Printed {
  /** For people. */
  readonly text: string;
  /** For scripts. */
  readonly json: unknown;
}

/** A focus answers when the client's media is up on the other bridge, or it gives up: after a minute at the latest. */
const MOVE_TIMEOUT_MS = 65_000;

/** `write`: lines that come before the answer does, for people. Rejects with an Error whose message is for the user. */
export async function runCommand(
  command: Command,
  connection: Connection,
  nowMs: number,
  write: (text: string) => void = () => {},
): Promise<Printed> {
  const token = (rooms = {}) => operatorToken(connection, nowMs, rooms);
  const get = async <T>(path: string, answers: readonly number[] = []) =>
    askFocus<T>(connection, { path, token: await token(), answers });

  switch (command.kind) {
    case 'status': {
      const [readiness, { focuses }, { bridges }, { links, silent }] = await Promise.all([
        get<Pick<StatusAnswer, 'ready' | 'problems'>>('/readyz', [503]),
        get<{ focuses: FocusAnswer[] }>('/v1/focuses'),
        get<{ bridges: BridgeAnswer[] }>('/v1/bridges'),
        get<{ links: LinkAnswer[]; silent: string[] }>('/v1/links'),
      ]);
      const status = { ...readiness, focuses, bridges, links, silent };
      return { text: statusView(status), json: status };
    }
    case 'rooms': {
      const { rooms } = await get<{ rooms: RoomAnswer[] }>('/v1/rooms');
      return { text: roomsView(rooms, nowMs), json: rooms };
    }
    case 'participants': {
      const { rooms } = await get<{ rooms: RoomAnswer[] }>('/v1/rooms');
      const room = rooms.find(({ name }) => name === command.room);
      if (room === undefined) throw new Error(`no room ${command.room} is open; causeway rooms lists those that are`);
      return { text: participantsView(room), json: room.participants };
    }
    case 'why': {
      const placement = await get<PlacementAnswer>(`/v1/placements/${encodeURIComponent(command.participant)}`);
      return { text: whyView(placement, nowMs), json: placement };
    }
    case 'drain-focus':
      return drainFocus(command, connection, nowMs, write);
    case 'drain':
      return drain(command, connection, nowMs, write);
    case 'move': {
      const { participant, bridgeId, room } = command;
      const answer = await askFocus<MovedAnswer>(connection, {
        method: 'POST',
        path: `/v1/participants/${encodeURIComponent(participant)}/move`,
        token: await token(),
        body: { ...(bridgeId && { bridgeId }), ...(room && { room }) },
        timeoutMs: MOVE_TIMEOUT_MS,
      });
      return { text: movedView(answer), json: answer };
    }
    case 'move-room': {
      const { room, participant: identity, destination } = command;
      const answer = await askFocus<object>(connection, {
        method: 'POST',
        path: '/twirp/livekit.RoomService/MoveParticipant',
        token: await token({ room, destinationRoom: destination }),
        body: { room, identity, destination_room: destination },
      });
      return { text: `${identity} is on the way from ${room} to ${destination}\n`, json: answer };
    }
    case 'token': {
      const { room, identity, lifetimeSeconds } = command;
      const signed = await participantToken(connection, nowMs, command);
      const url = connection.url.replace(/^http/, 'ws');
      return { text: `${signed}\n`, json: { url, room, identity, lifetimeSeconds, token: signed } };
    }
  }
}
