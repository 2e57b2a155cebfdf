/**
 * Choices for one join, in the order in which the store is to try them. The first is what the rules say of the view. The others are what they
 * would say had other focuses placed a few participants meanwhile, exactly as these rules place them: elsewhere, or in this conference.
 * So joins at many focuses at once need no second try, and none of them goes to a bridge that is fuller than its rule believed.
 */
import type { BridgeId } from '../../../protocol/ids.ts';
import type { BridgeRecord, Choose, PlacementView } from '../store.ts';

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
  view: PlacementView,
  choose: Choose<Choice>,
  breadth: number,
  anyLoad = false,
): PlannedChoice<Choice>[] {
  const first = planned(view, choose(view), anyLoad);
  if (first === undefined) return [];
  const choices = [first];
  for (const isSameConference of [false, true]) {
    let [last, current] = [first, view];
    for (let step = 1; step < breadth; step++) {
      current = withOneMore(current, last.bridge.bridgeId, isSameConference);
      const next = planned(current, choose(current), anyLoad);
      if (next === undefined) break;
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
  return choices;
}

function planned<Choice extends { readonly bridgeId: BridgeId | null }>(
  view: PlacementView,
  choice: Choice,
  anyLoad: boolean,
): PlannedChoice<Choice> | undefined {
  const bridge = choice.bridgeId === null ? undefined : find(view, choice.bridgeId);
  if (bridge === undefined) return undefined;
  return {
    choice,
    bridge,
    placedMax: anyLoad ? Number.MAX_SAFE_INTEGER : bridge.placedSinceReport,
    inConferenceMax: view.inConference.get(bridge.bridgeId) ?? 0,
    present: anyLoad ? '*' : [...view.inConference.keys()].toSorted().join(' '),
  };
}

function find({ index, bridges }: PlacementView, bridgeId: BridgeId): BridgeRecord | undefined {
  if (index !== undefined) return index.find(bridgeId);
  return bridges.find(bridge => bridge.bridgeId === bridgeId);
}

/** Without the view's index, which still has the load from before. */
function withOneMore(view: PlacementView, chosen: BridgeId, isSameConference: boolean): PlacementView {
  const { atMs, inConference } = view;
  const bridges = view.bridges.map(bridge =>
    bridge.bridgeId === chosen ? { ...bridge, placedSinceReport: bridge.placedSinceReport + 1 } : bridge,
  );
  if (!isSameConference) return { atMs, bridges, inConference };
  const more = new Map(inConference).set(chosen, (inConference.get(chosen) ?? 0) + 1);
  return { atMs, bridges, inConference: more };
}
