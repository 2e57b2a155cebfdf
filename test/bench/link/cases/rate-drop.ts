/** A link that is suddenly given a third: what is dropped, and how the picture comes down and up again. */
import { setTimeout as pause } from 'node:timers/promises';
import { finding, type LinkCase, ms, note, percent } from '../link-case.ts';
import { grown, LinkNetwork, wallMs } from '../link-network.ts';
import {
  decodableFrames,
  fatesOf,
  type Ledger,
  lostCount,
  lostShare,
  packetsPerSecond,
  type Span,
} from '../packet-ledger.ts';
import { AUDIO_SOURCE, LARGE_LAYER, VIDEO_SOURCE } from '../plans.ts';
import { longestGapMs } from './loss.ts';

/** The largest layer (1.7 Mbit/s) and audio fit; a third of it takes the middle one (450 kbit/s). */
const RATE_BPS = 3_000_000;
const SETTINGS = { delayMs: 40, rateBps: RATE_BPS, queueMs: 200 };
const DROP_FACTOR = 1 / 3;
const GRACE_MS = 500;
/** A layer is what is watched when it has so many packets a second: the largest has 190, the smallest 20. */
const FLOWING_PPS_MIN = 10;
/** Two for each step that is needed, and as many for a step that was taken too early. */
const KEY_FRAMES_MAX = 8;
const SETTLE_MS = 4_000;
const TAIL_MS = 1_000;
const VIDEO = { publisher: 0, sourceId: VIDEO_SOURCE, subscriber: 1 };

export const RATE_DROP: LinkCase = {
  name: 'rate-drop',
  summary: 'rate dropped from 3 to 1 Mbit/s for 20 s, three layers of 2.3 Mbit/s, 80 ms RTT',
  async run({ quick, seed, progress }) {
    const [dropMs, afterMs] = quick ? [7_000, 7_000] : [20_000, 20_000];
    const network = await LinkNetwork.start({ bridges: 2, seed, settings: SETTINGS, progress });
    try {
      const player = network.startPlayer();
      await player.call('connect', { plan: 'layers', bridges: network.addresses });
      await network.untilUp([0, 1]);
      const playing = player.call('play', {
        plan: 'layers',
        seconds: (SETTLE_MS + dropMs + afterMs + TAIL_MS) / 1_000,
      });
      playing.catch(() => {});
      await pause(SETTLE_MS);
      const before = await network.link(0, 1);
      network.mesh.changeAll({ rateBps: RATE_BPS * DROP_FACTOR });
      const droppedAtMs = wallMs();
      progress(`a third of the rate for ${dropMs / 1_000} s`);
      await pause(dropMs);
      network.mesh.changeAll({ rateBps: RATE_BPS });
      const restoredAtMs = wallMs();
      progress('restored');
      await pause(afterMs);
      const endMs = wallMs();
      const requests = grown(before, await network.link(0, 1), 'keyFrameRequestsIn');
      return judge((await playing).ledger, droppedAtMs, restoredAtMs, endMs, requests);
    } finally {
      await network.close();
    }
  },
};

function judge(ledger: Ledger, droppedAtMs: number, restoredAtMs: number, endMs: number, requests: number) {
  const low: Span = { fromMs: droppedAtMs + GRACE_MS, toMs: restoredAtMs };
  const counted: Span = { fromMs: droppedAtMs + GRACE_MS, toMs: endMs - TAIL_MS };
  const audio = fatesOf(ledger, { publisher: 0, sourceId: AUDIO_SOURCE, subscriber: 1 }, 0, counted);
  // Layers while the rate is low: from when they have been chosen. Then those of the last two seconds.
  const lowPps = packetsPerSecond(ledger, VIDEO, { fromMs: (low.fromMs + low.toMs) / 2, toMs: low.toMs });
  const endPps = packetsPerSecond(ledger, VIDEO, { fromMs: endMs - 2_000, toMs: endMs });
  const lowLayer = lowPps.findLastIndex(pps => pps >= FLOWING_PPS_MIN);
  const endLayer = endPps.findLastIndex(pps => pps >= FLOWING_PPS_MIN);
  const asked = keyFramesAsked(ledger, { fromMs: droppedAtMs, toMs: endMs });
  const freezeMs = longestFreezeMs(ledger, { fromMs: droppedAtMs, toMs: endMs });
  const lostLow = lostShare([0, 1, 2].flatMap(layer => (layer === lowLayer ? fatesOf(ledger, VIDEO, layer, low) : [])));
  return {
    findings: [
      finding(
        `audio lost after the first ${GRACE_MS} ms`,
        'none',
        `${lostCount(audio)} of ${audio.length}`,
        lostCount(audio) === 0 && audio.length > 0,
      ),
      finding(
        'video steps down',
        'a lower layer flows',
        lowLayer < 0 ? 'none flows' : `layer ${lowLayer} of ${LARGE_LAYER}`,
        lowLayer >= 0 && lowLayer < LARGE_LAYER,
      ),
      finding(
        'video steps back up',
        `layer ${LARGE_LAYER}`,
        endLayer < 0 ? 'none flows' : `layer ${endLayer}`,
        endLayer === LARGE_LAYER,
      ),
      finding('key frames made on request', `≤ ${KEY_FRAMES_MAX}`, `${asked}`, asked <= KEY_FRAMES_MAX),
      note('key-frame requests over the link', `${requests}`),
      note('longest time between two frames that could be shown', ms(freezeMs)),
      note('lost of the layer that flows at the low rate', percent(lostLow)),
    ],
    values: {
      audioLost: lostCount(audio),
      audioPackets: audio.length,
      lowLayer,
      endLayer,
      keyFramesAsked: asked,
      keyFrameRequests: requests,
      freezeMs,
    },
  };
}

/** Key frames that would not have been made unasked, over all layers. */
function keyFramesAsked({ sent }: Ledger, { fromMs, toMs }: Span): number {
  const frames = new Set<string>();
  for (let index = 0; index < sent.tag.length; index++) {
    if (!sent.isAsked[index] || sent.atMs[index] < fromMs || sent.atMs[index] >= toMs) continue;
    frames.add(`${sent.tag[index]}/${sent.frame[index]}`);
  }
  return frames.size;
}

/** Of all layers together: whichever is shown. */
function longestFreezeMs(ledger: Ledger, { fromMs, toMs }: Span): number {
  const ready = [0, 1, 2]
    .flatMap(layer => decodableFrames(fatesOf(ledger, VIDEO, layer)))
    .map(({ readyAtMs }) => readyAtMs)
    .filter(atMs => atMs >= fromMs && atMs < toMs)
    .toSorted((a, b) => a - b);
  return longestGapMs([fromMs, ...ready, toMs]);
}
