/** What a meeting over three regions costs between them, beside the least that it could. */
import { FRAME_OVERHEAD_BYTES } from '../../../../protocol/octo/header.ts';
import { finding, type LinkCase, note, percent } from '../link-case.ts';
import { grown, LinkNetwork, type LinkView } from '../link-network.ts';
import { fatesOf, type Ledger, lostShare } from '../packet-ledger.ts';
import { LARGE_LAYER, PEOPLE, PLANS, regionOf, VIDEO_SOURCE } from '../plans.ts';
import { allLayers, framedBytes, trafficOf, wantedLayers } from '../traffic-bound.ts';

const RATIO_MAX = 1.05;
const SETTLE_SECONDS = 5;
const LINKS = [0, 1, 2].flatMap(from => [0, 1, 2].filter(to => to !== from).map(to => [from, to] as const));

export const REGIONS: LinkCase = {
  name: 'regions',
  summary: 'three regions 40 ms apart, 12 people, each watching 3 large and 8 small',
  async run({ quick, seed, progress }) {
    const seconds = quick ? 4 : 15;
    const network = await LinkNetwork.start({ bridges: 3, seed, settings: { delayMs: 20 }, progress });
    try {
      const player = network.startPlayer();
      await player.call('connect', { plan: 'regions', bridges: network.addresses });
      await network.untilUp([0, 1], [0, 2], [1, 2]);
      progress(`${PEOPLE} people meet for ${seconds} s`);
      // Layers are chosen and wants have travelled when this has been played: what follows is all of one kind, and counted from end to end.
      await player.call('play', { plan: 'regions', seconds: SETTLE_SECONDS });
      const before = await linksOf(network);
      const { ledger } = await player.call('play', { plan: 'regions', seconds });
      return account(ledger, seconds, before, await linksOf(network));
    } finally {
      await network.close();
    }
  },
};

function linksOf(network: LinkNetwork): Promise<(LinkView | undefined)[]> {
  return Promise.all(LINKS.map(([from, to]) => network.link(from, to)));
}

function account(
  ledger: Ledger,
  seconds: number,
  before: readonly (LinkView | undefined)[],
  after: readonly (LinkView | undefined)[],
) {
  const total = (name: string) => LINKS.reduce((sum, _, index) => sum + grown(before[index], after[index], name), 0);
  const [bytes, packets] = [total('bytesOut'), total('packetsOut')];
  const plan = PLANS.regions.plan();
  const bound = trafficOf(wantedLayers(plan), ledger);
  const everything = trafficOf(allLayers(plan), ledger);
  const mbps = (count: number) => `${((count * 8) / seconds / 1e6).toFixed(2)} Mbit/s`;
  const payloadRatio = (bytes - packets * FRAME_OVERHEAD_BYTES) / bound.bytes;
  const framedRatio = bytes / framedBytes(bound);
  const overheadShare = (packets * FRAME_OVERHEAD_BYTES) / bytes;
  const shownShare = 1 - lostShare(largeTiles(ledger));
  return {
    findings: [
      finding(
        'bytes between regions, over the lower bound',
        `≤ ${RATIO_MAX} plus headers`,
        `${payloadRatio.toFixed(3)} without headers, ${framedRatio.toFixed(3)} with (${mbps(bytes)} of ${mbps(framedBytes(bound))})`,
        payloadRatio <= RATIO_MAX && framedRatio <= RATIO_MAX,
      ),
      finding('large tiles that are shown, packets', '> 99 %', percent(shownShare), shownShare > 0.99),
      note(
        'all layers everywhere',
        `${mbps(framedBytes(everything))}, ${(framedBytes(everything) / bytes).toFixed(2)} times as much`,
      ),
      note(
        'header and tag',
        `${percent(overheadShare)} of the bytes, ${FRAME_OVERHEAD_BYTES} of ${(bytes / packets).toFixed(0)} per frame`,
      ),
    ],
    values: {
      bytesPerSecond: bytes / seconds,
      boundBytesPerSecond: framedBytes(bound) / seconds,
      everythingBytesPerSecond: framedBytes(everything) / seconds,
      payloadRatio,
      framedRatio,
      overheadShare,
      largeShownShare: shownShare,
    },
  };
}

/** Packets of the largest layers, as those see them who watch them over a link: without it the bound would be met by sending nothing. */
function largeTiles(ledger: Ledger) {
  return PLANS.regions
    .plan()
    .endpoints.flatMap(({ subscriptions }, subscriber) =>
      subscriptions
        .filter(({ layerMax, publisher }) => layerMax === LARGE_LAYER && regionOf(publisher) !== regionOf(subscriber))
        .flatMap(({ publisher }) => fatesOf(ledger, { publisher, sourceId: VIDEO_SOURCE, subscriber }, LARGE_LAYER)),
    );
}
