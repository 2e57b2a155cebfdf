import { runWorld } from './run-world.ts';

const [from, count] = process.argv.slice(2).map(Number);
let failures = 0,
  sim = 0,
  frames = 0;
const c0 = process.cpuUsage();
const kinds = new Map<string, number[]>();
for (let seed = from; seed < from + count; seed++) {
  const report = runWorld(seed);
  sim += report.simulatedMs / 1000;
  frames += report.frames;
  if (report.failure) {
    failures++;
    const kind = report.failure.problem
      .replace(/^[^:]*: /, '')
      .replace(/user-\d+@\w/g, 'U')
      .replace(/\d+/g, 'N')
      .slice(0, 150);
    kinds.set(kind, [...(kinds.get(kind) ?? []), seed]);
    if (count === 1) console.log(report.failure.steps.join('\n'), '\n', report.failure.problem);
  }
}
const u = process.cpuUsage(c0);
const s = (u.user + u.system) / 1e6;
for (const [k, v] of [...kinds].sort((a, b) => b[1].length - a[1].length))
  console.log(v.length, k, v.slice(0, 6).join(','));
console.log({ failures, count, sim, frames, cpu: s, simPerCpu: sim / s });
