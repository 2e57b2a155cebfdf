/** MoveParticipant with a stock client: it changes rooms with its camera, and comes to see those who are there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { API_KEY, API_SECRET, Client } from './client.ts';
import { eventually } from './eventually.ts';
import { type Meeting, regionUrl, startMeeting } from './meeting.ts';

describe('a participant that is moved', { timeout: 60_000 }, () => {
  let meeting: Meeting;
  before(async () => {
    meeting = await startMeeting('lobby', { regions: ['eu'] });
  });
  after(() => meeting.close());

  test('leaves one room for those there, is in the other with its tracks, and sees who publishes there', async t => {
    const [ada, bob] = [await meeting.join('ada', 'eu'), await meeting.join('bob', 'eu')];
    const cleo = new Client('cleo', 2, () => 0);
    await cleo.connect(regionUrl(meeting.network, 'eu'), 'stage');
    try {
      await ada.publishCamera();
      await cleo.publishCamera();
      await eventually('bob sees ada', 10_000, () => (bob.seen.get('ada')?.frames ?? 0) > 10);

      const api = new RoomServiceClient(meeting.network.focusUrl, API_KEY, API_SECRET);
      const startedAt = performance.now();
      await api.moveParticipant('lobby', 'ada', 'stage');
      assert.deepEqual(
        (await api.listParticipants('lobby')).map(({ identity }) => identity),
        ['bob'],
      );
      await eventually('bob sees ada leave', 5_000, () => !bob.others().includes('ada'));
      await eventually('cleo sees the camera of ada', 15_000, () => (cleo.seen.get('ada')?.frames ?? 0) > 10);
      t.diagnostic(`tenth frame in the other room after ${Math.round(performance.now() - startedAt)} ms`);
      await eventually('ada sees the camera of cleo', 10_000, () => (ada.seen.get('cleo')?.frames ?? 0) > 10);
      assert.equal(ada.disconnectedBecause, undefined);
      const names = (await api.listParticipants('stage')).map(({ identity }) => identity);
      assert.deepEqual(names.toSorted(), ['ada', 'cleo']);
    } finally {
      await cleo.close();
    }
  });
});
