/** What else than VP8 a client may send: it crosses links as it is. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { VideoCodec } from '@livekit/rtc-node';
import { PT_H264 } from '../../protocol/rtp/table.ts';
import { eventually } from './eventually.ts';
import { type Meeting, startMeeting } from './meeting.ts';
import { lumaOf } from './synthetic-media.ts';

describe('H.264 between two regions', { timeout: 60_000 }, () => {
  let meeting: Meeting;

  before(async () => {
    meeting = await startMeeting('codecs', { regions: ['eu', 'us'] });
  });

  after(() => meeting.close());

  test('a picture is decoded at the other end', async () => {
    const ada = await meeting.join('ada', 'eu');
    const bob = await meeting.join('bob', 'us');
    await ada.publishCamera({ codec: VideoCodec.H264 });
    const seen = () => bob.seen.get('ada');
    await eventually('bob decodes 20 frames', 15_000, () => (seen()?.frames ?? 0) >= 20, seen);
    assert.ok(Math.abs(seen()!.luma - lumaOf(ada.index)) < 8, `luma ${seen()!.luma}`);
    const [conference] = meeting.network.bridges[1].bridge.conferences.values();
    const payloadTypes = [...conference.sources].map(({ payloadType }) => payloadType);
    assert.deepEqual(payloadTypes, [PT_H264], 'it is H.264 that crossed the link');
  });
});
