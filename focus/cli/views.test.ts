import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeAnswer, FocusAnswer, RoomAnswer } from './answers.ts';
import { formatTable, shown } from './table.ts';
import { focusDrainView, participantsView, roomsView, statusView, whyView } from './views.ts';

function bridge(bridgeId: string, region: string, stress: number, state: BridgeAnswer['state'] = 'running') {
  const load = { stress, endpoints: 3, conferences: 1, cpu: 0.25, bitrateInBps: 2_500_000, bitrateOutBps: 800_000 };
  return { bridgeId, region, state, version: '0.1.0', reportAgeMs: 1_200, placedSinceReport: 0, load };
}

const FOCUS: FocusAnswer = {
  ...{ focusId: 'f1', region: 'eu', version: '0.1.0', state: 'running' },
  ...{ rooms: 2, sessions: 7, relayedOut: 3, drain: null, rttMs: 1.25 },
};

const person = (identity: string, region: string, bridge: string) => ({
  ...{ identity, region, bridge },
  sid: `PA_${identity}`,
  state: 'active',
});
const talk: RoomAnswer = {
  name: 'talk',
  sid: 'RM_1',
  createdAtMs: 0,
  participants: [person('ann', 'eu', 'eu-1'), person('bob', 'us', 'us-1'), person('cleo', 'eu', 'eu-1')],
};

test('columns are as wide as their widest cell, numbers end at the same place', () => {
  const columns = [
    { heading: 'NAME', cell: ([name]: readonly string[]) => name },
    { heading: 'N', cell: ([, count]: readonly string[]) => count, isRight: true },
  ];
  assert.equal(
    formatTable(columns, [
      ['a', '1'],
      ['longer', '100'],
    ]),
    'NAME      N\na         1\nlonger  100\n',
  );
});

test('a name cannot make the terminal do anything', () => {
  assert.equal(shown('a\u001b[2Jb\nc\u009b'), 'a\\x1b[2Jb\\x0ac\\x9b');
  const evil = { ...talk, participants: [person('\u001b]0;x\u0007', 'eu', 'eu-1')] };
  assert.doesNotMatch(participantsView(evil) + roomsView([{ ...evil, name: '\u001bc' }], 0), /[^\P{Cc}\n]/u);
});

test('status has regions with all their bridges, bridges with their load, and links both ways', () => {
  const link = { state: 'up', rttMs: 80.25, lossOut: 0.012, sentBps: 1_200_000, sendBudgetBps: null, conferences: 2 };
  const text = statusView({
    ready: true,
    problems: [],
    focuses: [FOCUS, { ...FOCUS, focusId: 'f2', rooms: null, sessions: null, relayedOut: null, rttMs: null }],
    bridges: [bridge('us-1', 'us', 0.5), bridge('eu-1', 'eu', 0.1), bridge('eu-2', 'eu', 0.3, 'draining')],
    links: [{ from: 'eu-1', to: 'us-1', ...link }],
    silent: ['eu-2'],
  });
  assert.match(text, /^ready: joins can be served$/m);
  assert.match(text, /^f1 +eu +running +2 +7 +3 +1\.3 ms +0\.1\.0$/m);
  assert.match(text, /^f2 +eu +running, does not answer +- +- +- +- +0\.1\.0$/m);
  assert.match(text, /^eu {6}1 running, 1 draining +6 +0\.10 to 0\.30$/m);
  assert.match(text, /^eu-2 +eu +draining +0\.30 +25 % +3 +0 +1 +2\.5 Mbit\/s +800 kbit\/s +1\.2 s ago +0\.1\.0$/m);
  assert.match(text, /^eu-1 > us-1 +up +80\.3 ms +1\.2 % +1\.2 Mbit\/s +no limit +2$/m);
  assert.match(text, /^did not answer for their links: eu-2$/m);
  const empty = statusView({ ready: false, problems: ['no bridge'], focuses: [], bridges: [], links: [], silent: [] });
  assert.match(empty, /^not ready: no bridge$/m);
});

test('rooms say how many are where, the most first', () => {
  assert.match(roomsView([talk], 90_000), /^talk +3 +2 eu, 1 us +2 eu-1, 1 us-1 +90 s$/m);
  assert.equal(roomsView([], 0), 'no room is open\n');
  assert.match(participantsView(talk), /^bob +PA_bob +active +us +us-1$/m);
  assert.equal(participantsView({ ...talk, participants: [] }), 'nobody is in talk\n');
});

test('why is a sentence with the rule, and every candidate with what spoke against it', () => {
  const candidates = [
    { bridgeId: 'us-1', region: 'us', stress: 0.5, inConference: 2 },
    { bridgeId: 'us-2', region: 'us', stress: 0.1, inConference: 0, rejectedBy: 'draining' },
  ];
  const placement = { bridgeId: 'us-1', rule: 'in-region', region: 'ap', placedFor: 'us', at: 0, candidates };
  const text = whyView({ sid: 'PA_1', identity: 'ann', room: 'talk', placement }, 3_600_000);
  assert.match(
    text,
    /^ann \(PA_1\) in talk is on us-1 by the rule in-region; client in ap, placed for us: .*; 60 min ago$/m,
  );
  const sticky = { bridgeId: 'ap-1', ignored: 'draining' };
  const held = whyView({ sid: 'PA_1', identity: 'ann', room: 'talk', placement: { ...placement, sticky } }, 0);
  assert.match(held, /client in ap, placed for us: .*; not on ap-1 again: draining; 0 s ago$/m);
  assert.match(text, /^> +us-1 +us +0\.50 +2$/m);
  assert.match(text, /^ +us-2 +us +0\.10 +0 +draining$/m);
});

test('how far the drain of a focus is: what it still has, what it gave away, and how long it has left', () => {
  const draining = { ...FOCUS, state: 'draining' as const, rooms: 1, drain: { deadlineMs: 20_000, roomsMoved: 4 } };
  const still = 'f1 is draining: it has 1 room, and 3 clients of rooms elsewhere, 4 rooms given to others';
  assert.equal(focusDrainView(draining, 5_000), `${still}, 15 s left\n`);
  assert.equal(focusDrainView(draining, 21_000), `${still}, past its deadline\n`);
  assert.equal(focusDrainView(FOCUS, 0), 'f1 is running: it has 2 rooms, and 3 clients of rooms elsewhere\n');
  assert.equal(focusDrainView({ ...draining, rooms: null }, 0), 'f1 is draining: it does not answer\n');
});
