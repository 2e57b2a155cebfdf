/** How participants go without saying so: killed, replaced by their own second join, removed, or sent away by a focus that ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DisconnectReason, RoomEvent } from '@livekit/rtc-node';
import { RoomServiceClient } from 'livekit-server-sdk';
import { API_KEY, API_SECRET, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';

const ROOM = 'departures';
/** SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT, which rtc-node takes and does not export. */
const SIGNAL_RECONNECT = 0;
/** Shorter than the default of 15 s, so that the test is. */
const RESUME_TIMEOUT_MS = 3_000;

describe('participants who go without a word', { timeout: 90_000 }, () => {
  let meeting: Meeting;
  let ada: Client;
  let bob: Client;

  before(async () => {
    meeting = await startMeeting(ROOM, { focus: { 'signal.resume_timeout_ms': RESUME_TIMEOUT_MS } });
    ada = await meeting.join('ada', 'eu');
    bob = await meeting.join('bob', 'us');
  });

  after(() => meeting.close());

  test('a killed client is seen to leave by all, and its bridge forgets it', async () => {
    const script = fileURLToPath(new URL('killable-client.ts', import.meta.url));
    const child = spawn(process.execPath, [script, regionUrl(meeting.network, 'ap'), ROOM, 'kim'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', code => reject(new Error(`the client ended by itself with ${code}`)));
    });
    for (const viewer of [ada, bob]) {
      await eventually(`${viewer.identity} sees kim`, 10_000, () => (viewer.seen.get('kim')?.frames ?? 0) > 0);
    }
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    for (const viewer of [ada, bob]) {
      await eventually(
        `${viewer.identity} sees that kim is gone`,
        RESUME_TIMEOUT_MS + 5_000,
        () => !viewer.others().includes('kim'),
      );
    }
    const bridge = meeting.network.bridges.find(({ region }) => region === 'ap')!.bridge;
    await eventually('the bridge has no endpoint left', 2_000, () => bridge.endpointCount === 0);
  });

  test('a client whose signalling drops resumes its session: the same participant, no frame lost, nobody notices', async () => {
    await ada.publishCamera();
    await eventually('bob sees ada', 10_000, () => (bob.seen.get('ada')?.frames ?? 0) > 10);
    const noticed: string[] = [];
    bob.room.on(RoomEvent.ParticipantDisconnected, participant => noticed.push(`${participant.identity} left`));
    bob.room.on(RoomEvent.TrackUnsubscribed, () => noticed.push('a track ended'));
    const resumed = new Promise<void>(resolve => ada.room.once(RoomEvent.Reconnected, () => resolve()));
    const { sid } = ada.room.localParticipant!;
    const [framesBefore, startedAt] = [bob.seen.get('ada')!.frames, performance.now()];
    await ada.room.simulateScenario(SIGNAL_RECONNECT);
    await resumed;
    await ada.send('still here', { reliable: true });
    await eventually('bob hears from ada', 5_000, () => bob.messages.some(({ text }) => text === 'still here'));
    await eventually('two seconds have been shown', 5_000, () => bob.seen.get('ada')!.frames - framesBefore > 30);
    const elapsedMs = performance.now() - startedAt;
    assert.equal(ada.room.localParticipant!.sid, sid);
    assert.deepEqual(noticed, []);
    assert.ok(elapsedMs < 4_000, `30 frames at 15 a second took ${elapsedMs.toFixed(0)} ms`);
    await ada.room.localParticipant!.unpublishTrack(ada.publications[0].sid!);
  });

  test('a second join with the same identity sends the first away with DUPLICATE_IDENTITY', async () => {
    const first = await new Client('twin', 2, () => 0).connect(regionUrl(meeting.network, 'ap'), ROOM);
    const second = await new Client('twin', 2, () => 0).connect(regionUrl(meeting.network, 'us'), ROOM);
    await eventually('the first is disconnected', 5_000, () => first.disconnectedBecause !== undefined);
    assert.equal(first.disconnectedBecause, DisconnectReason.DUPLICATE_IDENTITY);
    await eventually('ada sees one twin, in us', 5_000, () => ada.attributesOf('twin')['causeway.region'] === 'us');
    assert.ok(second.room.isConnected);
    await second.close();
  });

  test('a removed participant is told so', async () => {
    const guest = await new Client('guest', 2, () => 0).connect(regionUrl(meeting.network, 'ap'), ROOM);
    await new RoomServiceClient(meeting.network.focusUrl, API_KEY, API_SECRET).removeParticipant(ROOM, 'guest');
    await eventually('the guest is disconnected', 5_000, () => guest.disconnectedBecause !== undefined);
    assert.equal(guest.disconnectedBecause, DisconnectReason.PARTICIPANT_REMOVED);
    await eventually('ada sees it', 5_000, () => !ada.others().includes('guest'));
  });

  test('when the room is deleted everybody leaves, and links and endpoints are gone', async () => {
    await new RoomServiceClient(meeting.network.focusUrl, API_KEY, API_SECRET).deleteRoom(ROOM);
    for (const client of [ada, bob]) {
      await eventually(`${client.identity} is disconnected`, 5_000, () => client.disconnectedBecause !== undefined);
      assert.equal(client.disconnectedBecause, DisconnectReason.ROOM_DELETED);
    }
    for (const { bridgeId, bridge } of meeting.network.bridges) {
      await eventually(
        `${bridgeId} has nothing left`,
        3_000,
        () => bridge.endpointCount === 0 && bridge.conferences.size === 0 && bridge.describeLinks().length === 0,
        () => ({
          endpoints: bridge.endpointCount,
          conferences: bridge.conferences.size,
          links: bridge.describeLinks().length,
        }),
      );
    }
  });
});
