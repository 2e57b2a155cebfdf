/** ForwardParticipant with stock clients: one goes on in its room, and is seen and heard in another, over a link too. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { API_KEY, API_SECRET, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';

describe('a participant that is forwarded', { timeout: 90_000 }, () => {
  let meeting: Meeting;
  before(async () => {
    meeting = await startMeeting('talk', { regions: ['eu', 'us'] });
  });
  after(() => meeting.close());

  test('is seen and heard in the other room, in every region, while it goes on in its own, until it is removed there', async t => {
    const [ada, bob] = [await meeting.join('ada', 'eu'), await meeting.join('bob', 'us')];
    // In the same region as ada, and in another; they know her by her tone.
    const watchers = ['eu', 'us'].map((region, index) => ({
      region,
      client: new Client(`cleo-${region}`, 2 + index, () => 0),
    }));
    const api = new RoomServiceClient(meeting.network.focusUrl, API_KEY, API_SECRET);
    try {
      for (const { region, client } of watchers) await client.connect(regionUrl(meeting.network, region), 'stage');
      await ada.publishCamera();
      await ada.publishMicrophone();
      await eventually('bob sees ada', 15_000, () => (bob.seen.get('ada')?.frames ?? 0) > 10);

      const startedAt = performance.now();
      await api.forwardParticipant('talk', 'ada', 'stage');
      for (const { region, client } of watchers) {
        await eventually(`${region} sees ada`, 15_000, () => (client.seen.get('ada')?.frames ?? 0) > 10);
        await eventually(`${region} hears ada`, 15_000, () => (client.heard.get('ada') ?? 0) > 50);
        const tookMs = Math.round(client.seen.get('ada')!.firstFrameAtMs - startedAt);
        t.diagnostic(`first frame in ${region} ${tookMs} ms after the call`);
        assert.equal(client.room.remoteParticipants.get('ada')?.name, 'ada');
      }
      await eventually('ada speaks in both rooms', 10_000, () =>
        [bob, watchers[1].client].every(({ speakers }) => speakers.some(list => list.includes('ada'))),
      );
      assert.notEqual(watchers[0].client.room.remoteParticipants.get('ada')?.sid, ada.room.localParticipant?.sid);

      await api.removeParticipant('stage', 'ada');
      for (const { region, client } of watchers) {
        await eventually(`${region} sees ada leave`, 5_000, () => !client.others().includes('ada'));
      }
      const frames = bob.seen.get('ada')!.frames;
      await eventually('bob goes on seeing ada', 5_000, () => bob.seen.get('ada')!.frames > frames + 20);
      assert.equal(ada.disconnectedBecause, undefined);
    } finally {
      await Promise.allSettled(watchers.map(({ client }) => client.close()));
    }
  });
});
