/** The command line against a running focus, and as `npx causeway` starts it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeJwt, SignJWT } from 'jose';
import { eventually, type FocusUnderTest, startFocusUnderTest } from '../../io/focus.fixture.ts';
import { SignalClient } from '../../io/signal-client.fixture.ts';
import { readCommandLine } from '../command-line.ts';
import { runCommand } from './run-command.ts';

const LINK = { state: 'up', rttMs: 80, lossOut: 0, sentBps: 1000, sendBudgetBps: null, conferences: 1 };
let world: FocusUnderTest;
let ann: SignalClient;

describe('the command line', () => {
  before(async () => {
    world = await startFocusUnderTest();
    ann = await SignalClient.join(world.focus.url, 'ann');
    world.bridge.links = [{ bridgeId: 'us-1', ...LINK, region: 'us' }];
  });
  // On a slow machine the file takes longer than a report is good for.
  beforeEach(() => world.bridge.register(world.focus.url));
  after(async () => {
    ann.close();
    await world.close();
  });

  function run(...args: string[]) {
    const line = readCommandLine(args, { LIVEKIT_URL: world.focus.url });
    assert.ok(line.kind === 'run', JSON.stringify(line));
    return runCommand(line.command, line.connection, Date.now());
  }

  test('status asks for focuses, bridges and links', async () => {
    const { text, json } = await run('status');
    assert.match(text, /^[\w.-]+ +eu +running +1 +1 +0 +- +\d/m);
    assert.match(text, /^eu-1 +eu +running /m);
    assert.match(text, /^eu-1 > us-1 +up +80\.0 ms/m);
    assert.deepEqual((json as { links: unknown }).links, [{ from: 'eu-1', to: 'us-1', ...LINK }]);
  });

  test('rooms, participants and why find who is there, and say so when nobody is', async () => {
    assert.match((await run('rooms')).text, /^talk +1 +1 eu +1 eu-1/m);
    assert.match((await run('participants', 'talk')).text, /^ann +PA_\w+ +joined +eu +eu-1$/m);
    assert.match(
      (await run('why', 'ann')).text,
      /^ann \(PA_\w+\) in talk is on eu-1 by the rule in-region; client in eu; /,
    );
    await assert.rejects(run('participants', 'nothing'), /^Error: no room nothing is open; causeway rooms lists those/);
    const hint =
      /no placement of this participant is remembered; an identity or a SID is needed, causeway participants ROOM/;
    // Case counts: she is ann.
    await assert.rejects(run('why', 'Ann'), hint);
  });

  test('drain keeps new participants off a bridge at once, and its undo lets them on again', async () => {
    assert.match((await run('drain', 'eu-1')).text, /^eu-1 is draining: \d+ endpoints? (is|are) there/m);
    assert.match((await run('status')).text, /^eu-1 +eu +draining /m);
    assert.match((await run('drain', 'eu-1', '--undo')).text, /^eu-1 is running/);
    assert.match((await run('status')).text, /^eu-1 +eu +running /m);
    await assert.rejects(run('drain', 'eu-9'), /^Error: no such bridge is up: eu-9$/);
    world.bridge.nextAnswers.push(500);
    await assert.rejects(run('drain', 'eu-1'), /^Error: the bridge does not answer: eu-1 answered with 500$/);
  });

  test('move-room sends a participant to another room', async () => {
    const bob = await SignalClient.join(world.focus.url, 'bob');
    assert.equal((await run('move-room', 'talk', 'bob', 'other')).text, 'bob is on the way from talk to other\n');
    await bob.closed;
    await assert.rejects(run('move-room', 'talk', 'bob', 'other'), /^Error: participant does not exist$/);
  });

  test('a token lets somebody in, with what was asked for', async () => {
    const { text, json } = await run('token', '--room', 'talk', '--identity', 'zoe', '--ttl', '10m', '--listen');
    const token = text.trim();
    const zoe = await SignalClient.open(world.focus.url, token);
    const { participant } = await zoe.next('join');
    assert.deepEqual([participant?.identity, participant?.permission?.canPublish], ['zoe', false]);
    assert.equal(decodeJwt(token).exp! - decodeJwt(token).nbf!, 600);
    const { url, token: same } = json as { url: string; token: string };
    assert.deepEqual([url, same], [world.focus.url.replace('http', 'ws'), token]);
    zoe.close();
  });

  test('a focus that is not there, or that does not know the key, is an error that says what to do', async () => {
    await assert.rejects(
      run('rooms', '--url', 'http://127.0.0.1:1'),
      /^Error: no focus answers at .*; --url or LIVEKIT_URL/,
    );
    await assert.rejects(
      run('rooms', '--api-key', 'nobody'),
      /^Error: invalid API key; the focus has to know the key nobody/,
    );
  });

  test('changing a bridge takes both the grants to create and to list rooms, or a service token', async () => {
    const put = async (video: object | null) => {
      const token = await new SignJWT({
        iss: 'devkey',
        exp: Date.now() / 1000 + 60,
        ...(video === null ? {} : { video }),
      })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode('secret'));
      const response = await fetch(`${world.focus.url}/v1/bridges/eu-1/state`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{"state":"running"}',
      });
      return response.status;
    };
    for (const video of [null, { roomCreate: true }, { roomList: true }, { roomAdmin: true, room: 'talk' }]) {
      assert.equal(await put(video), 401, JSON.stringify(video));
    }
    assert.equal(await put({ roomCreate: true, roomList: true }), 200);
  });

  test('a bridge that is asked for its links and does not answer is named, and the others are shown', async () => {
    world.bridge.nextAnswers.push(null);
    assert.match((await run('status')).text, /^did not answer for their links: eu-1$/m);
    await eventually(async () => (await run('status')).text.includes('eu-1 > us-1'));
  });

  test('the program prints for people, or JSON, and exits with 1 or 2 when it could not', async () => {
    const program = fileURLToPath(new URL('../../../bin/causeway.mjs', import.meta.url));
    const start = async (...args: string[]) => {
      const child = spawn(process.execPath, [program, ...args], {
        env: { ...process.env, LIVEKIT_URL: world.focus.url },
      });
      const [out, error, code] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        new Promise(resolve => child.once('exit', resolve)),
      ]);
      return { out, error, code };
    };
    const rooms = await start('rooms', '--json');
    assert.deepEqual([rooms.code, (JSON.parse(rooms.out) as { name: string }[])[0].name], [0, 'talk']);
    const failed = await start('participants', 'nothing');
    assert.deepEqual([failed.code, failed.out], [1, '']);
    assert.match(failed.error, /^causeway: no room nothing is open/);
    assert.equal((await start('nothing')).code, 2);
  });
});
