/** A link that is cut and healed, as real clients live through it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Child } from '../../forward/io/child.ts';
import type { Experience, PeopleHandlers } from '../io/people-process.ts';
import { type CaseContext, finding, type LinkCase, ms, note } from '../link-case.ts';
import { LinkNetwork, until, wallMs } from '../link-network.ts';

const SETTINGS = { delayMs: 40 };
const AUDIO_BACK_MS_MAX = 1_000;
const VIDEO_BACK_MS_MAX = 1_500;
const FIRST_FRAME_MS_MAX = 15_000;
/** Pictures and sound are steady by then. */
const SETTLE_MS = 2_000;
/** After healing: time for everything to come that will. */
const AFTER_MS = 4_000;
const MESSAGE_EVERY_MS = 100;
/** Every tenth message is of many fragments. */
const LARGE_EVERY = 10;
const LARGE_BYTES = 30_000;
/** So much of the tone in a row is no echo of what was heard before the cut: 10 ms each. */
const HEARD_IN_A_ROW = 5;
const HEARD_WITHIN_MS = 200;

export const CUT: LinkCase = {
  name: 'cut',
  summary: 'link cut for 10 s and healed, real clients on both ends, 80 ms RTT',
  async run(context) {
    const { seed, progress } = context;
    const network = await LinkNetwork.start({ bridges: 2, seed, settings: SETTINGS, hasFocus: true, progress });
    try {
      return await liveThroughCut(context, network);
    } finally {
      await network.close();
    }
  },
};

async function liveThroughCut({ quick, progress }: CaseContext, network: LinkNetwork) {
  const cutMs = quick ? 4_000 : 10_000;
  const people = network.startPeople();
  await people.call('join', { identity: 'ada', url: network.joinUrl(0) });
  await people.call('join', { identity: 'bob', url: network.joinUrl(1) });
  await people.call('publish', { identity: 'ada' });
  const experience = () => people.call('experience', { identity: 'bob', from: 'ada' });
  await until('bob sees and hears ada', FIRST_FRAME_MS_MAX, async () => {
    const { shownAtMs, heardAtMs } = await experience();
    return shownAtMs.length > 0 && heardAtMs.length > 0;
  });
  await pause(SETTLE_MS);
  progress(`cut for ${cutMs / 1_000} s`);
  network.mesh.changeAll({ isCut: true });
  const cutAtMs = wallMs();
  const sent = await sendDuring(people, cutMs);
  network.mesh.changeAll({ isCut: false });
  const healedAtMs = wallMs();
  await pause(AFTER_MS);
  return judge(await experience(), sent, cutAtMs, healedAtMs);
}

/** Sends messages as long as the cut lasts, and says which. */
async function sendDuring(people: Child<PeopleHandlers>, durationMs: number): Promise<string[]> {
  const sent: string[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    const text = `message ${sent.length} ${sent.length % LARGE_EVERY === 0 ? 'x'.repeat(LARGE_BYTES) : ''}`;
    await people.call('send', { identity: 'ada', text });
    sent.push(text);
    await pause(MESSAGE_EVERY_MS);
  }
  return sent;
}

function judge(
  { shownAtMs, heardAtMs, messages }: Experience,
  sent: readonly string[],
  cutAtMs: number,
  healedAtMs: number,
) {
  const videoBackMs = (shownAtMs.find(atMs => atMs >= healedAtMs) ?? Number.POSITIVE_INFINITY) - healedAtMs;
  const audioBackMs = backAt(heardAtMs, healedAtMs) - healedAtMs;
  const texts = messages.map(({ text }) => text);
  const isComplete = texts.length === sent.length && texts.every((text, index) => text === sent[index]);
  const lastMs = (messages.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) - healedAtMs;
  // What was under way when the cut began still arrives.
  const duringCut = shownAtMs.filter(atMs => atMs > cutAtMs + 1_000 && atMs < healedAtMs).length;
  const back = (value: number) => (Number.isFinite(value) ? ms(value) : 'never');
  return {
    findings: [
      finding('audio back', `≤ ${AUDIO_BACK_MS_MAX} ms`, back(audioBackMs), audioBackMs <= AUDIO_BACK_MS_MAX),
      finding('video back', `≤ ${VIDEO_BACK_MS_MAX} ms`, back(videoBackMs), videoBackMs <= VIDEO_BACK_MS_MAX),
      finding(
        'reliable messages sent during the cut',
        'complete, in order',
        `${texts.length} of ${sent.length}, ${isComplete ? 'in order' : 'NOT as sent'}, the last ${back(lastMs)} after healing`,
        isComplete,
      ),
      note('frames shown during the cut', `${duringCut}`),
    ],
    values: {
      audioBackMs,
      videoBackMs,
      messagesSent: sent.length,
      messagesReceived: texts.length,
      lastMessageMs: lastMs,
    },
  };
}

/** When sound was back for good. Infinity: never. */
function backAt(heardAtMs: readonly number[], healedAtMs: number): number {
  const after = heardAtMs.filter(atMs => atMs >= healedAtMs);
  for (let index = 0; index + HEARD_IN_A_ROW < after.length; index++) {
    if (after[index + HEARD_IN_A_ROW] - after[index] <= HEARD_WITHIN_MS) return after[index];
  }
  return Number.POSITIVE_INFINITY;
}
