/** A bridge that is killed and comes back. Its neighbours' link is accounted for packet by packet; what a focus does is done here. */
import { setTimeout as pause } from 'node:timers/promises';
import { type CaseContext, finding, type LinkCase, ms, note } from '../link-case.ts';
import { LinkNetwork, wallMs } from '../link-network.ts';
import { fatesOf, type Ledger, lostCount } from '../packet-ledger.ts';
import { AUDIO_SOURCE, VIDEO_SOURCE } from '../plans.ts';

const SETTINGS = { delayMs: 20 };
const KILLED = 2;
const SURVIVORS = [0, 1] as const;
const REMESHED_MS_MAX = 2_000;
const LATE_SECONDS = 3;
/** A process starts, its clients connect and play: the others go on as long, or longer. */
const RETURN_SECONDS = 7;
/** The very first packets may come before the other bridge has said that somebody there wants them. */
const HEAD_MS = 500;
/** Packets sent in the last moments may be on their way when the run ends. */
const TAIL_MS = 500;

export const RESTART: LinkCase = {
  name: 'restart',
  summary: 'one of three bridges is killed and started again, 40 ms RTT',
  async run(context) {
    const { seed, progress } = context;
    const network = await LinkNetwork.start({ bridges: 3, seed, settings: SETTINGS, progress });
    try {
      return await killAndReturn(context, network);
    } finally {
      await network.close();
    }
  },
};

async function killAndReturn({ quick, progress }: CaseContext, network: LinkNetwork) {
  const [early, late] = [network.startPlayer(), network.startPlayer()];
  await early.call('connect', { plan: 'trio', bridges: network.addresses });
  await network.untilUp([0, 1], [0, 2], [1, 2]);
  const handshakes = (await network.link(0, 1))?.handshakes;
  const [beforeMs, goneMs] = quick ? [1_500, 1_500] : [4_000, 5_000];
  const playing = early.call('play', { plan: 'trio', seconds: (beforeMs + goneMs) / 1_000 + RETURN_SECONDS });
  playing.catch(() => {});
  await pause(beforeMs);
  await network.killBridge(KILLED);
  progress('killed');
  await pause(goneMs);
  await network.startBridge(KILLED);
  const returnedAtMs = wallMs();
  progress('returned');
  await late.call('connect', { plan: 'late', bridges: network.addresses });
  const connectedAtMs = wallMs();
  const [{ ledger: after }] = await Promise.all([
    late.call('play', { plan: 'late', seconds: LATE_SECONDS }),
    network.untilUp([0, 2], [1, 2]),
  ]);
  const handshakesAfter = (await network.link(0, 1))?.handshakes;
  const { ledger } = await playing;
  const { packets, lost } = betweenSurvivors(ledger);
  const remeshedMs = Math.max(...firstArrivals(after)) - returnedAtMs;
  return {
    findings: [
      finding(
        'the link of the other two',
        'no packet missing, no new handshake',
        `${lost} of ${packets} missing, ${(handshakesAfter ?? 0) - (handshakes ?? 0)} handshakes`,
        lost === 0 && packets > 0 && handshakes === handshakesAfter,
      ),
      finding(
        'media on all links of the returned bridge',
        `≤ ${REMESHED_MS_MAX} ms after its return`,
        Number.isFinite(remeshedMs) ? ms(remeshedMs) : 'never',
        remeshedMs <= REMESHED_MS_MAX,
      ),
      note('of which clients took to connect', ms(connectedAtMs - returnedAtMs)),
    ],
    values: { packets, lost, remeshedMs, connectMs: connectedAtMs - returnedAtMs },
  };
}

function betweenSurvivors(ledger: Ledger): { packets: number; lost: number } {
  const { atMs } = ledger.sent;
  const span = { fromMs: atMs[0] + HEAD_MS, toMs: atMs.at(-1)! - TAIL_MS };
  const fates = SURVIVORS.flatMap(publisher =>
    [AUDIO_SOURCE, VIDEO_SOURCE].flatMap(sourceId =>
      fatesOf(ledger, { publisher, sourceId, subscriber: 1 - publisher }, 0, span),
    ),
  );
  return { packets: fates.length, lost: lostCount(fates) };
}

/** When the first packet of each source came, over each of its links and both ways. Infinity: never. */
function firstArrivals(ledger: Ledger): number[] {
  const ways = SURVIVORS.flatMap(other => [
    { publisher: other, subscriber: KILLED },
    { publisher: KILLED, subscriber: other },
  ]);
  return ways.flatMap(way =>
    [AUDIO_SOURCE, VIDEO_SOURCE].map(sourceId =>
      Math.min(
        ...fatesOf(ledger, { ...way, sourceId }, 0).map(({ arrivedAtMs }) => arrivedAtMs ?? Number.POSITIVE_INFINITY),
      ),
    ),
  );
}
