import type { SourceSpec } from '../../protocol/control/spec.ts';
import type { Chance } from '../soak/chance.ts';
import type { PathSettings } from '../wan/path-settings.ts';
import type { Participant, Subscription } from './participant.ts';
import type { Publication } from './publication.ts';
import type { SimBridge } from './sim-bridge.ts';

/** What steps can do to a world. Everything is told to the focus, the clients or the network; nothing reaches into a bridge. */
export interface Stage {
  readonly chance: Chance;
  readonly bridges: readonly SimBridge[];
  readonly participantsMax: number;
  /** Everybody who is in some conference. */
  readonly present: readonly Participant[];
  join(): Participant;
  leave(participant: Participant): void;
  publish(participant: Participant, kind: SourceSpec['kind'], layers: number): Publication;
  unpublish(participant: Participant, publication: Publication): void;
  setMuted(participant: Participant, publication: Publication, isMuted: boolean): void;
  setActiveLayers(publication: Publication, layers: number): void;
  subscribe(participant: Participant, origin: Participant, publication: Publication): Subscription;
  unsubscribe(participant: Participant, subscription: Subscription): void;
  /** After a change of its subscriptions. */
  resubscribe(participant: Participant): void;
  sendMessages(
    participant: Participant,
    kind: 'reliable' | 'lossy',
    count: number,
    bytes: number,
    to: Participant[],
  ): void;
  changePath(from: SimBridge, to: SimBridge, settings: Partial<PathSettings>): void;
  /** As it was when the world began. */
  mendPath(from: SimBridge, to: SimBridge): void;
  restart(bridge: SimBridge, isGraceful: boolean, downMs: number): void;
  endConference(conferenceId: number): void;
  after(delayMs: number, action: () => void): void;
}

interface Step {
  readonly name: string;
  readonly weight: number;
  /** Does it, and says to whom; undefined when there is nobody to do it to. */
  play(stage: Stage): string | undefined;
}

const PUBLICATIONS_MAX = 3;
const SUBSCRIPTIONS_MAX = 8;

export const STEPS: readonly Step[] = [
  { name: 'join', weight: 10, play: join },
  { name: 'leave', weight: 5, play: leave },
  { name: 'publish', weight: 6, play: publish },
  { name: 'unpublish', weight: 4, play: unpublish },
  { name: 'subscribe', weight: 8, play: subscribe },
  { name: 'unsubscribe', weight: 5, play: unsubscribe },
  { name: 'ask for a layer', weight: 10, play: askForLayer },
  { name: 'disable', weight: 4, play: disable },
  { name: 'mute', weight: 4, play: mute },
  { name: 'turn layers on or off', weight: 5, play: turnLayers },
  { name: 'messages', weight: 14, play: sendMessages },
  { name: 'lose', weight: 5, play: lose },
  { name: 'disorder', weight: 3, play: disorder },
  { name: 'limit', weight: 2, play: limit },
  { name: 'cut', weight: 5, play: cut },
  { name: 'mend', weight: 5, play: mend },
  { name: 'restart', weight: 3, play: restart },
  { name: 'end a conference', weight: 1, play: endConference },
];

const WEIGHTS = STEPS.reduce((sum, { weight }) => sum + weight, 0);

/** Plays one step, and says what it was. */
export function playStep(stage: Stage): string {
  let left = stage.chance.below(WEIGHTS);
  for (const { name, weight, play } of STEPS) {
    left -= weight;
    if (left >= 0) continue;
    const told = play(stage);
    return told === undefined ? `${name}: nobody to do it to` : `${name}: ${told}`;
  }
  throw new Error('the last step matches always');
}

/** Somebody comes, publishes, watches the others, and is watched. */
export function join(stage: Stage): string | undefined {
  if (stage.present.length >= stage.participantsMax) return undefined;
  const { chance } = stage;
  const participant = stage.join();
  if (chance.is(0.8)) watchedByOthers(stage, participant, stage.publish(participant, 'audio', 1));
  if (chance.is(0.6)) watchedByOthers(stage, participant, stage.publish(participant, 'video', 1 + chance.below(3)));
  for (const origin of othersOf(stage, participant)) {
    for (const publication of origin.publications.values()) {
      if (chance.is(0.7)) watch(stage, participant, origin, publication);
    }
  }
  stage.resubscribe(participant);
  return participant.show();
}

function leave(stage: Stage): string | undefined {
  const participant = oneOf(stage.chance, stage.present);
  if (participant === undefined) return undefined;
  stage.leave(participant);
  return participant.show();
}

function publish(stage: Stage): string | undefined {
  const participant = oneOf(stage.chance, stage.present);
  if (participant === undefined || participant.publications.size >= PUBLICATIONS_MAX) return undefined;
  const kind = stage.chance.is(0.4) ? 'audio' : 'video';
  const publication = stage.publish(participant, kind, kind === 'audio' ? 1 : 1 + stage.chance.below(3));
  stage.resubscribe(participant);
  watchedByOthers(stage, participant, publication);
  return `${participant.show()} ${show(publication)}`;
}

function unpublish(stage: Stage): string | undefined {
  const found = onePublication(stage, () => true);
  if (found === undefined) return undefined;
  stage.unpublish(found.participant, found.publication);
  return `${found.participant.show()} ${show(found.publication)}`;
}

function subscribe(stage: Stage): string | undefined {
  const participant = oneOf(stage.chance, stage.present);
  if (participant === undefined) return undefined;
  const origin = oneOf(stage.chance, othersOf(stage, participant));
  const publication = oneOf(stage.chance, [...(origin?.publications.values() ?? [])]);
  if (origin === undefined || publication === undefined) return undefined;
  if (!watch(stage, participant, origin, publication)) return undefined;
  stage.resubscribe(participant);
  return `${participant.show()} to ${origin.show()} ${show(publication)}`;
}

function unsubscribe(stage: Stage): string | undefined {
  const found = oneSubscription(stage, () => true);
  if (found === undefined) return undefined;
  stage.unsubscribe(found.participant, found.subscription);
  stage.resubscribe(found.participant);
  return tell(found.participant, found.subscription);
}

function askForLayer(stage: Stage): string | undefined {
  const found = oneSubscription(stage, ({ kind }) => kind === 'video');
  if (found === undefined) return undefined;
  const { participant, subscription } = found;
  subscription.layerMax = stage.chance.below(3);
  if (stage.chance.is(0.2)) subscription.temporalMax = stage.chance.is(0.5) ? 0 : 3;
  stage.resubscribe(participant);
  return `${tell(participant, subscription)}: layer ${subscription.layerMax}, temporal ${subscription.temporalMax}`;
}

function disable(stage: Stage): string | undefined {
  const found = oneSubscription(stage, () => true);
  if (found === undefined) return undefined;
  const { participant, subscription } = found;
  subscription.enabled = !subscription.enabled;
  stage.resubscribe(participant);
  return `${tell(participant, subscription)}: ${subscription.enabled ? 'enabled' : 'disabled'}`;
}

function mute(stage: Stage): string | undefined {
  const found = onePublication(stage, () => true);
  if (found === undefined) return undefined;
  const { participant, publication } = found;
  stage.setMuted(participant, publication, !publication.spec.muted);
  return `${participant.show()} ${show(publication)}: ${publication.spec.muted ? 'muted' : 'unmuted'}`;
}

function turnLayers(stage: Stage): string | undefined {
  const found = onePublication(stage, ({ spec }) => spec.ssrcs.length > 1);
  if (found === undefined) return undefined;
  const { participant, publication } = found;
  stage.setActiveLayers(publication, 1 + stage.chance.below(publication.spec.ssrcs.length));
  return `${participant.show()} ${show(publication)}: ${publication.activeLayers} of ${publication.spec.ssrcs.length}`;
}

function sendMessages(stage: Stage): string | undefined {
  const { chance } = stage;
  const participant = oneOf(
    chance,
    stage.present.filter(each => each.isConnected),
  );
  if (participant === undefined) return undefined;
  const kind = chance.is(0.7) ? 'reliable' : 'lossy';
  const isLarge = chance.is(0.25);
  const count = isLarge ? 1 + chance.below(3) : 1 + chance.below(20);
  const bytes = isLarge ? 2_000 + chance.below(40_000) : chance.below(200);
  const one = chance.is(0.3) ? oneOf(chance, othersOf(stage, participant)) : undefined;
  stage.sendMessages(participant, kind, count, bytes, one === undefined ? [] : [one]);
  return `${participant.show()}: ${count} ${kind} of ${bytes} bytes to ${one?.show() ?? 'all'}`;
}

function lose(stage: Stage): string | undefined {
  const { chance } = stage;
  const pair = onePair(stage);
  const isBursty = chance.is(0.4);
  const settings: Partial<PathSettings> = isBursty
    ? { lossShare: 0.01 + chance.fraction() * 0.12, burstLength: 2 + chance.below(8) }
    : { lossShare: 0.005 + chance.fraction() ** 2 * 0.15, burstLength: 0 };
  changeWays(stage, pair, settings);
  return `${pair.title} ${Math.round((settings.lossShare ?? 0) * 1000) / 10} %${isBursty ? ` in bursts of ${settings.burstLength}` : ''}`;
}

function disorder(stage: Stage): string | undefined {
  const { chance } = stage;
  const pair = onePair(stage);
  const settings = {
    jitterMs: chance.below(25),
    reorderShare: chance.fraction() ** 2 * 0.05,
    reorderHoldMs: 5 + chance.below(25),
    duplicateShare: chance.is(0.5) ? chance.fraction() * 0.05 : 0,
  };
  changeWays(stage, pair, settings);
  return `${pair.title} ${JSON.stringify(settings)}`;
}

function limit(stage: Stage): string | undefined {
  const pair = onePair(stage);
  const rateBps = 150_000 + stage.chance.below(400_000);
  changeWays(stage, pair, { rateBps, queueMs: 50 + stage.chance.below(250) });
  return `${pair.title} to ${rateBps} bit/s`;
}

function cut(stage: Stage): string | undefined {
  const pair = onePair(stage);
  const healMs = 100 + Math.floor(stage.chance.fraction() ** 2 * 5_000);
  changeWays(stage, pair, { isCut: true });
  stage.after(healMs, () => changeWays(stage, pair, { isCut: false }));
  return `${pair.title} for ${healMs} ms`;
}

function mend(stage: Stage): string | undefined {
  const pair = onePair(stage);
  for (const [from, to] of pair.ways) stage.mendPath(from, to);
  return pair.title;
}

function restart(stage: Stage): string | undefined {
  const bridge = oneOf(
    stage.chance,
    stage.bridges.filter(({ process }) => process !== undefined),
  );
  if (bridge === undefined) return undefined;
  const isGraceful = stage.chance.is(0.4);
  const downMs = 50 + Math.floor(stage.chance.fraction() ** 2 * 2_500);
  stage.restart(bridge, isGraceful, downMs);
  return `${bridge.id}, ${isGraceful ? 'closed' : 'killed'}, down for ${downMs} ms`;
}

function endConference(stage: Stage): string | undefined {
  const participant = oneOf(stage.chance, stage.present);
  if (participant === undefined) return undefined;
  stage.endConference(participant.conferenceId);
  return `${participant.conferenceId}`;
}

interface Pair {
  readonly ways: readonly (readonly [SimBridge, SimBridge])[];
  readonly title: string;
}

/** Two bridges; mostly both ways, sometimes one. */
function onePair(stage: Stage): Pair {
  const { chance, bridges } = stage;
  const a = bridges[chance.below(bridges.length)];
  const rest = bridges.filter(bridge => bridge !== a);
  const b = rest[chance.below(rest.length)];
  if (chance.is(0.25)) return { ways: [[a, b]], title: `${a.id} -> ${b.id}` };
  return {
    ways: [
      [a, b],
      [b, a],
    ],
    title: `${a.id} <-> ${b.id}`,
  };
}

function changeWays(stage: Stage, { ways }: Pair, settings: Partial<PathSettings>): void {
  for (const [from, to] of ways) stage.changePath(from, to, settings);
}

function watchedByOthers(stage: Stage, participant: Participant, publication: Publication): void {
  for (const other of othersOf(stage, participant)) {
    if (stage.chance.is(0.7) && watch(stage, other, participant, publication)) stage.resubscribe(other);
  }
}

function watch(stage: Stage, participant: Participant, origin: Participant, publication: Publication): boolean {
  if (participant.subscriptions.size >= SUBSCRIPTIONS_MAX) return false;
  if (participant.subscriptions.has(`${origin.uid}/${publication.spec.sourceId}`)) return false;
  stage.subscribe(participant, origin, publication);
  return true;
}

function othersOf(stage: Stage, participant: Participant): Participant[] {
  return stage.present.filter(each => each !== participant && each.conferenceId === participant.conferenceId);
}

function onePublication(stage: Stage, isFit: (publication: Publication) => boolean) {
  const all = stage.present.flatMap(participant =>
    [...participant.publications.values()].filter(isFit).map(publication => ({ participant, publication })),
  );
  return oneOf(stage.chance, all);
}

function oneSubscription(stage: Stage, isFit: (subscription: Subscription) => boolean) {
  const all = stage.present.flatMap(participant =>
    [...participant.subscriptions.values()].filter(isFit).map(subscription => ({ participant, subscription })),
  );
  return oneOf(stage.chance, all);
}

function oneOf<Item>(chance: Chance, items: readonly Item[]): Item | undefined {
  return items.length === 0 ? undefined : items[chance.below(items.length)];
}

function tell(participant: Participant, { origin, sourceId, kind }: Subscription): string {
  return `${participant.show()} of ${kind} ${sourceId} of ${origin.show()}`;
}

function show({ spec, uid }: Publication): string {
  return `${spec.kind} ${spec.sourceId} (publication ${uid}, ${spec.ssrcs.length} layers)`;
}
