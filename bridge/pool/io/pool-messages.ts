/** What the process of a pool and those of its bridges say to each other, over the channel that Node gives to a forked process. */
import type { BridgeConfig } from '../../config.ts';

/** The first and only message to a bridge's process. The channel is private to the two, so the control secret may travel on it. */
export interface Assignment {
  readonly config: BridgeConfig;
  /** How often the pool has started this bridge again. */
  readonly restarts: number;
}

export type MemberMessage =
  | { readonly kind: 'up' }
  /** It could not start, for a reason in the operator's words; it ends after this. */
  | { readonly kind: 'failed'; readonly problem: string };
