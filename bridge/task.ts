import type { Conference } from './conference.ts';
import type { Endpoint } from './endpoint.ts';
import type { Layer, Source } from './source.ts';
import type { Stream } from './streams.ts';
import type { Subscription } from './subscription.ts';
import type { Deadline, TimerWheel } from './timers/timer-wheel.ts';

/** What a bridge does because time passes; `schedule.ts` does it. */
export type Task =
  /** Waits of ICE and DTLS, and consent. */
  | { readonly kind: 'transport'; readonly endpoint: Endpoint }
  /** Transport-wide feedback to a client that has sent something. */
  | { readonly kind: 'feedback'; readonly endpoint: Endpoint }
  /** Receiver and sender reports. */
  | { readonly kind: 'reports'; readonly endpoint: Endpoint }
  /** Telling the focus which SSRCs a client's packets have made known. */
  | { readonly kind: 'streams'; readonly endpoint: Endpoint }
  /** NACKs, and the key frame that a loss beyond them needs. */
  | { readonly kind: 'repairs'; readonly endpoint: Endpoint; readonly stream: Stream }
  /** Which layer a subscriber gets, and what it waits for. */
  | { readonly kind: 'view'; readonly subscription: Subscription }
  /** Which layers of a source have media. */
  | { readonly kind: 'flow'; readonly source: Source }
  /** Which layers the publisher of a source is to send. */
  | { readonly kind: 'needs'; readonly source: Source }
  /** Asking the publisher for a key frame. */
  | { readonly kind: 'key-frame'; readonly layer: Layer }
  /** Telling other bridges what this one wants of them. */
  | { readonly kind: 'wants'; readonly conference: Conference }
  | { readonly kind: 'speakers'; readonly conference: Conference }
  | { readonly kind: 'quality'; readonly conference: Conference };

export type TaskWheel = TimerWheel<Task>;
export type TaskDeadline = Deadline<Task>;
