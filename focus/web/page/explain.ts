/** What went wrong, in words for the person in front of the screen: what happened, and what they can do. */
import { ConnectionError, ConnectionErrorReason, DisconnectReason, MediaDeviceFailure } from 'livekit-client';

/** Why joining failed. */
export function explainJoinFailure(error: unknown): string {
  if (!(error instanceof ConnectionError)) return error instanceof Error ? error.message : 'Joining failed.';
  switch (error.reason) {
    case ConnectionErrorReason.NotAllowed:
      if (error.status === 404) return 'This room does not exist, and it cannot be created by joining.';
      return `The server does not accept the token: ${error.message}. Ask for a new one.`;
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.WebSocket:
      return 'The server cannot be reached. Check your connection, then try again.';
    case ConnectionErrorReason.Timeout:
      return 'The media connection did not come up in time. A firewall may block UDP to the bridges.';
    case ConnectionErrorReason.LeaveRequest:
      return explainDisconnect(error.context as DisconnectReason);
    case ConnectionErrorReason.Cancelled:
      return 'Joining was cancelled.';
    default:
      return `The server could not let you in: ${error.message}`;
  }
}

const DISCONNECTS: Partial<Record<DisconnectReason, string>> = {
  [DisconnectReason.CLIENT_INITIATED]: 'You left the meeting.',
  [DisconnectReason.DUPLICATE_IDENTITY]: 'You joined from another window or device, so this one left.',
  [DisconnectReason.SERVER_SHUTDOWN]: 'The server is shutting down.',
  [DisconnectReason.PARTICIPANT_REMOVED]: 'You were removed from the meeting.',
  [DisconnectReason.ROOM_DELETED]: 'The meeting was ended for everybody.',
  [DisconnectReason.ROOM_CLOSED]: 'The meeting was ended for everybody.',
  [DisconnectReason.JOIN_FAILURE]: 'The media connection did not come up. A firewall may block UDP to the bridges.',
  [DisconnectReason.STATE_MISMATCH]: 'The connection was lost for too long.',
  [DisconnectReason.SIGNAL_CLOSE]: 'The connection was lost.',
};

/** Why the meeting is over for this page. */
export function explainDisconnect(reason: DisconnectReason | undefined): string {
  return (reason === undefined ? undefined : DISCONNECTS[reason]) ?? 'The connection was lost.';
}

/** Why a camera, microphone or screen is not there. None of it keeps anybody from joining. */
export function explainDeviceFailure(device: 'camera' | 'microphone' | 'screen', error: unknown): string {
  if (device === 'screen') return 'The screen is not shared: the browser did not allow it.';
  if (navigator.mediaDevices === undefined) {
    return `The ${device} needs https:// (or localhost): browsers give it to secure pages only.`;
  }
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return `The browser does not allow the ${device}. The lock beside the address changes that.`;
    case MediaDeviceFailure.NotFound:
      return `No ${device} was found.`;
    case MediaDeviceFailure.DeviceInUse:
      return `The ${device} is in use by another program.`;
    default:
      return `The ${device} cannot be used${error instanceof Error ? `: ${error.message}` : '.'}`;
  }
}

/** True when somebody closed the browser's picker for screens: their decision, not a failure. */
export function isOwnDecision(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotAllowedError';
}
