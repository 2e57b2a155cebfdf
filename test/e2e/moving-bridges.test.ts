/** Participants that go on at another bridge: stock clients, whose session, tracks and subscriptions stay. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RoomEvent } from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { API_KEY, API_SECRET, type Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, startMeeting } from './meeting.ts';

interface Moved {
  readonly outcome: string;
  readonly from?: string;
  readonly to?: string;
  readonly tookMs?: number;
}

async function move(meeting: Meeting, participant: string, bridgeId?: string): Promise<Moved> {
  const token = new AccessToken(API_KEY, API_SECRET, { ttl: 60 });
  token.addGrant({ roomCreate: true, roomList: true });
  const response = await fetch(`${meeting.network.focusUrl}/v1/participants/${participant}/move`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await token.toJwt()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ bridgeId }),
  });
  return (await response.json()) as Moved;
}

/** Longest time without a frame between two moments, ms. */
function gapMs(times: readonly number[], fromMs: number, toMs: number): number {
  const within = [fromMs, ...times.filter(at => at > fromMs && at < toMs), toMs];
  let longest = 0;
  for (let index = 1; index < within.length; index++) longest = Math.max(longest, within[index] - within[index - 1]);
  return Math.round(longest);
}

describe('a participant moves to a bridge in another region', { timeout: 120_000 }, () => {
  let meeting: Meeting;
  let ada: Client;
  let bob: Client;
  const events: string[] = [];

  before(async () => {
    meeting = await startMeeting('moving', { regions: ['eu', 'us'] });
    ada = await meeting.join('ada', 'eu');
    bob = await meeting.join('bob', 'us');
    for (const client of [ada, bob]) {
      await client.publishMicrophone();
      await client.publishCamera();
      for (const event of [
        RoomEvent.ParticipantConnected,
        RoomEvent.ParticipantDisconnected,
        RoomEvent.TrackUnpublished,
        RoomEvent.TrackPublished,
        RoomEvent.TrackUnsubscribed,
        RoomEvent.Reconnecting,
        RoomEvent.Reconnected,
        RoomEvent.Disconnected,
      ]) {
        client.room.on(event, () => events.push(`${client.identity}: ${event}`));
      }
    }
    for (const [viewer, publisher] of [
      [ada, 'bob'],
      [bob, 'ada'],
    ] as const) {
      await eventually(
        `${viewer.identity} sees and hears ${publisher}`,
        20_000,
        () => (viewer.seen.get(publisher)?.frames ?? 0) > 10 && (viewer.heard.get(publisher) ?? 0) > 20,
      );
    }
  });

  after(() => meeting.close());

  test('experiment', async () => {
    events.length = 0;
    const sid = ada.room.localParticipant!.sid;
    const before = performance.now();
    const result = await move(meeting, 'ada');
    console.log(result, events);
    await new Promise(resolve => setTimeout(resolve, 4000));
    const now = performance.now();
    console.log(
      'gap bob sees ada',
      gapMs(bob.seen.get('ada')!.shownAtMs, before, now),
      'hears',
      gapMs(bob.heardAtMs.get('ada')!, before, now),
    );
    console.log(
      'gap ada sees bob',
      gapMs(ada.seen.get('bob')!.shownAtMs, before, now),
      'hears',
      gapMs(ada.heardAtMs.get('bob')!, before, now),
    );
    console.log(events, sid === ada.room.localParticipant!.sid, bob.attributesOf('ada'));
    for (const reliable of [true, false]) {
      await ada.send(`from ada ${reliable}`, { reliable });
      await bob.send(`from bob ${reliable}`, { reliable });
    }
    await new Promise(resolve => setTimeout(resolve, 2000));
    console.log(
      ada.messages.map(({ text }) => text),
      bob.messages.map(({ text }) => text),
    );
    assert.equal(result.outcome, 'moved');
  });
});
