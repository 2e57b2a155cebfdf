import { StreamViewer } from '/tmp/wt/sim/test/sim/stream-viewer.ts';
import { runWorld } from '/tmp/wt/sim/test/sim/run-world.ts';
const [seed, ssrc, from, to] = process.argv.slice(2).map(Number);
const orig = StreamViewer.prototype.handlePacket;
StreamViewer.prototype.handlePacket = function (nowMs, s, t, p, n, r) {
  if (this.ssrc === ssrc && nowMs >= from && nowMs <= to) console.log(nowMs.toFixed(1), s, t, 'uid', n.uid, 'L', n.layer, 'f', n.frame, n.reference === n.frame ? 'K' : '', `${n.index + 1}/${n.count}`, r ? 'rtx' : '');
  return orig.call(this, nowMs, s, t, p, n, r);
};
const rep = runWorld(seed);
if (from === 0) console.log(rep.failure?.steps.join('\n'));
console.log(rep.failure?.problem);
