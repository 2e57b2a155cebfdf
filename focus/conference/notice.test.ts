import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, SessionDescription, TrackType } from '@livekit/protocol';
import { activate, LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import type { Notice } from './notice.ts';
import { offerSdp } from './offer.fixture.ts';
import { addTrack } from './publishing.ts';
import { TestRoom } from './room.fixture.ts';

function notices(talk: TestRoom): Notice[] {
  return talk.outputs.flatMap(output => (output.kind === 'notice' ? [output.notice] : []));
}

function events(talk: TestRoom): string[] {
  return notices(talk).map(notice => notice.event);
}

function publishMicrophone(talk: TestRoom, identity: string) {
  const participant = talk.join(identity);
  activate(talk.room, participant);
  addTrack(talk.room, participant, new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }));
  const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
  handleOffer(talk.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  talk.settle();
  return participant;
}

test('a participant has joined when its media is up, and has left only then', () => {
  const talk = new TestRoom();
  const ann = talk.join('ann');
  assert.deepEqual(events(talk), []);
  activate(talk.room, ann);
  activate(talk.room, ann);
  talk.settle();
  assert.deepEqual(events(talk), ['participant_joined']);
  leave(talk.room, talk.nowMs, ann, LEFT_BY_ITSELF);
  talk.settle();
  assert.deepEqual(events(talk), ['participant_joined', 'participant_left']);
});

test('one whose media never came up has aborted its connection', () => {
  const talk = new TestRoom();
  leave(talk.room, talk.nowMs, talk.join('ann'), LEFT_BY_ITSELF);
  talk.settle();
  assert.deepEqual(events(talk), ['participant_connection_aborted']);
});

test('a track is published when it is negotiated, and unpublished with its publisher, before that one leaves', () => {
  const talk = new TestRoom();
  const ann = publishMicrophone(talk, 'ann');
  leave(talk.room, talk.nowMs, ann, LEFT_BY_ITSELF);
  talk.settle();
  assert.deepEqual(events(talk), ['participant_joined', 'track_published', 'track_unpublished', 'participant_left']);
  const published = notices(talk)[1];
  assert.ok('track' in published);
  assert.deepEqual([published.participant.identity, published.room.name, published.track.type], ['ann', 'talk', 0]);
});

test('a notice tells of the moment it was made', () => {
  const talk = new TestRoom();
  const ann = publishMicrophone(talk, 'ann');
  ann.name = 'Changed';
  talk.join('bob');
  const joined = notices(talk)[0];
  assert.ok('participant' in joined);
  assert.deepEqual([joined.participant.name, joined.room.numParticipants], ['', 1]);
});
