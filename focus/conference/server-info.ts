/** What a participant is told of the server. To it, the server is the bridge that serves it. */
import { ServerInfo, ServerInfo_Edition } from '@livekit/protocol';
import { formatId } from '../../protocol/ids.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

/**
 * The LiveKit server whose behaviour this one follows. Clients compare it before they use a feature (remote procedure calls ask for 1.8.0), so
 * our own version would turn features off; it is in `debugInfo`.
 */
const LIVEKIT_VERSION = '1.13.5';
/** LiveKit's protocol level of that server. */
const LIVEKIT_PROTOCOL = 17;

export function serverInfo(room: Room, participant: Participant): ServerInfo {
  return new ServerInfo({
    edition: ServerInfo_Edition.Standard,
    version: LIVEKIT_VERSION,
    protocol: LIVEKIT_PROTOCOL,
    region: participant.bridgeRegion,
    nodeId: participant.bridgeId,
    debugInfo: `causeway ${room.settings.version}, conference ${formatId(room.identity.conferenceId)}`,
  });
}
