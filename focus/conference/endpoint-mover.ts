/** How a participant is moved to another bridge, for those who decide that it is to be: the end of a bridge, a drain, redistribution, an operator. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';

export type MoveCause = 'bridge-lost' | 'drain' | 'redistribution' | 'operator';

export type MoveOutcome =
  | {
      readonly kind: 'moved';
      readonly from: BridgeId;
      readonly to: BridgeId;
      /** From the order to media being up there. */
      readonly tookMs: number;
    }
  | { readonly kind: 'not-moved'; readonly reason: MoveFailure };

/**
 * `gone`: not in the room, before anything was done. `no-bridge`: none can take it. `same-bridge`: it is there. `moved-just-now`: it has moved a moment
 * ago, and its client is not to be asked again so soon. `signal-away`: its client cannot be told now, and where it is it has media. `timed-out`: it did not come up there, and was told to join anew. `left`: it went meanwhile, or had to, because it cannot be moved and cannot stay. `forwarded`:
 * a shadow, which is where its original is and follows it by itself.
 */
export type MoveFailure =
  | 'gone'
  | 'no-bridge'
  | 'same-bridge'
  | 'moved-just-now'
  | 'signal-away'
  | 'timed-out'
  | 'left'
  | 'forwarded';

export interface EndpointMover {
  /**
   * Resolves when its media is up on the other bridge, or it is known that it will not be. Never rejects. `to`: null leaves the choice to placement. One that is moving already
   * resolves as that move does, unless the bridge it moves to is lost.
   */
  moveEndpoint(room: Room, participant: Participant, to: BridgeId | null, cause: MoveCause): Promise<MoveOutcome>;
}
