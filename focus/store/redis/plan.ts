/**
 * Choices for one join, in the order in which the store is to try them. The first is what the rules say of the view. The others are what they
 * would say had other focuses placed a few participants meanwhile, exactly as these rules place them: elsewhere, or in this conference.
 * So joins at many focuses at once need no second try, and none of them goes to a bridge that is fuller than its rule believed.
 */
import type { BridgeId } from '../../../protocol/ids.ts';
import type { BridgeRecord, Choose } from '../store.ts';
import { IndexedView } from './bridge-view.ts';

export interface PlannedChoice<Choice> {
  readonly choice: Choice;
  readonly bridge: BridgeRecord;
  /** The choice holds while the bridge has been assigned no more than this since its report. */
  placedMax: number;
  /** And while it has no more participants of the conference than this. */
  inConferenceMax: number;
  /** And while exactly these bridges have the conference: joined by spaces in a fixed order. `*`: any. */
  readonly present: string;
}

/**
 * The choices for a join on `view`, the rules asked at most `2 * breadth - 1` times. Empty: there is no bridge. For `anyLoad` the bridge's
 * load and the conference's bridges are not checked, only that the bridge is there and has room for this conference.
 */
export function planChoices<Choice extends { readonly bridgeId: BridgeId | null }>(
  view: IndexedView,
  choose: Choose<Choice>,
  breadth: number,
  anyLoad = false,
): PlannedChoice<Choice>[] {
  const first = planned(view, choose(view), anyLoad);
  if (first === undefined) return [];
  const choices = [first];
  for (const isSameConference of [false, true]) {
    const supposed = new Supposition(view, isSameConference);
    try {
      addSupposed(choices, first, supposed, choose, breadth, anyLoad);
    } finally {
      supposed.end();
    }
  }
  return choices;
}

function addSupposed<Choice extends { readonly bridgeId: BridgeId | null }>(
  choices: PlannedChoice<Choice>[],
  first: PlannedChoice<Choice>,
  supposed: Supposition,
  choose: Choose<Choice>,
  breadth: number,
  anyLoad: boolean,
): void {
  let last = first;
  for (let step = 1; step < breadth; step++) {
    supposed.placeOneMore(last.bridge.bridgeId);
    const next = planned(supposed.view, choose(supposed.view), anyLoad);
    if (next === undefined) return;
    const isSame = next.bridge.bridgeId === last.bridge.bridgeId && next.present === last.present;
    if (isSame) {
      last.placedMax = Math.max(last.placedMax, next.placedMax);
      last.inConferenceMax = Math.max(last.inConferenceMax, next.inConferenceMax);
    } else {
      choices.push(next);
      last = next;
    }
  }
}

function planned<Choice extends { readonly bridgeId: BridgeId | null }>(
  view: IndexedView,
  choice: Choice,
  anyLoad: boolean,
): PlannedChoice<Choice> | undefined {
  const bridge = choice.bridgeId === null ? undefined : view.index.find(choice.bridgeId);
  if (bridge === undefined) return undefined;
  return {
    choice,
    bridge,
    placedMax: anyLoad ? Number.MAX_SAFE_INTEGER : bridge.placedSinceReport,
    inConferenceMax: view.inConference.get(bridge.bridgeId) ?? 0,
    present: anyLoad ? '*' : [...view.inConference.keys()].toSorted().join(' '),
  };
}

/**
 * A view in which others have placed a few participants. Its loads are put into the index of the view itself and taken back at the end: an index of
 * its own would cost a look at every bridge for each step.
 */
class Supposition {
  readonly #before = new Map<BridgeId, BridgeRecord>();
  readonly #isSameConference: boolean;
  #view: IndexedView;

  constructor(view: IndexedView, isSameConference: boolean) {
    this.#view = view;
    this.#isSameConference = isSameConference;
  }

  get view(): IndexedView {
    return this.#view;
  }

  placeOneMore(bridgeId: BridgeId): void {
    const { atMs, index, inConference } = this.#view;
    const bridge = index.find(bridgeId)!;
    if (!this.#before.has(bridgeId)) this.#before.set(bridgeId, bridge);
    index.put({ ...bridge, placedSinceReport: bridge.placedSinceReport + 1 });
    if (!this.#isSameConference) return;
    const more = new Map(inConference).set(bridgeId, (inConference.get(bridgeId) ?? 0) + 1);
    this.#view = new IndexedView(atMs, index, more);
  }

  end(): void {
    for (const bridge of this.#before.values()) this.#view.index.put(bridge);
  }
}
