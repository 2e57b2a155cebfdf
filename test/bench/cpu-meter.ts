/** Microseconds of CPU each, all threads of the process, garbage collection among them: what one core could do, whatever else the machine does. */

/** Long enough to be measured, short enough that what runs in turns has the same machine. */
const ROUND_US = 200_000;
const BATCH = 200;
/** Before the first figure counts: until the engine has compiled what it will. */
const WARM_UP_ROUNDS = 3;

/** Does its work so many times. */
export type Work = (count: number) => Promise<void> | void;

/** In turns, round by round, each for `seconds` of CPU; in the order given. */
export async function cpuUsEach(works: readonly Work[], seconds: number): Promise<number[]> {
  const spent = works.map(() => ({ us: 0, count: 0 }));
  const rounds = Math.max(1, Math.round((seconds * 1e6) / ROUND_US));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [index, work] of works.entries()) {
      const { us, count } = await runFor(work);
      if (round < 0) continue;
      spent[index]!.us += us;
      spent[index]!.count += count;
    }
  }
  return spent.map(({ us, count }) => us / count);
}

async function runFor(work: Work): Promise<{ us: number; count: number }> {
  const before = process.cpuUsage();
  let count = 0;
  for (;;) {
    await work(BATCH);
    count += BATCH;
    const { user, system } = process.cpuUsage(before);
    if (user + system >= ROUND_US) return { us: user + system, count };
  }
}
