import { WireWatch } from '/tmp/wt/sim/test/sim/wire-watch.ts';
import { runWorld } from '/tmp/wt/sim/test/sim/run-world.ts';

const [seed, a, b, from, to] = process.argv.slice(2).map(Number);
const orig = WireWatch.prototype.handleFrame;
let now = 0;
WireWatch.prototype.handleFrame = function (f, t, bytes) {

  now = (globalThis as any).worldNow?.() ?? 0;
  if (now >= from && now <= to && ((f === a && t === b) || (f === b && t === a))) {
    const type = bytes[0] & 15;
    const names = ['media', 'reliable', 'lossy', 'mack', 'wants', 'wack', 'kfr', 'nack', 'ping', 'pong', 'close', 'fec', 'report', 'withheld', 'wiack', 'probe'];
    let text = '';
    if (bytes[0] >= 192) {
      text = `${names[type]} seq ${bytes.readUInt32BE(4)} conf ${bytes.readUInt32BE(8)} ep ${bytes.readUInt32BE(12)} src ${bytes[2]} layer ${bytes[3]}`;
      if (type === 4) text += ' ver ' + bytes.readUInt32BE(24) + ' ' + bytes.subarray(32, bytes.length - 16).toString('hex').replace(/(.{12})/g, '$1 ');
      if (type === 5) text += ' ver ' + bytes.readUInt32BE(24);
      if (type === 7) text += ' ' + bytes.subarray(20, bytes.length - 16).toString('hex');
    } else text = 'handshake';
    console.log(now.toFixed(1), 'abcde'[f], '->', 'abcde'[t], text);
  }
  return orig.call(this, f, t, bytes);
};
import { Agenda } from '/tmp/wt/sim/test/sim/agenda.ts';
const run = Agenda.prototype.runUntil;
Agenda.prototype.runUntil = function (ms) { (globalThis as any).worldNow = () => this.nowMs; return run.call(this, ms); };
const rep = runWorld(seed);
console.log(rep.failure?.problem);
