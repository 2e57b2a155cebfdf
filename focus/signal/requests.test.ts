import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  DisconnectReason,
  LeaveRequest,
  LeaveRequest_Action,
  PublishDataTrackRequest,
  RequestResponse_Reason,
  SessionDescription,
  SignalRequest,
  SignalResponse,
  SimulateScenario,
  UpdateLocalAudioTrack,
} from '@livekit/protocol';
import type { Participant } from '../conference/participant.ts';
import { TestRoom } from '../conference/room.fixture.ts';
import { HANDLERS, handleRequest } from './requests.ts';

function send(world: TestRoom, participant: Participant, message: SignalRequest['message']): void {
  handleRequest(world.room, participant, message, world.nowMs);
  world.settle();
}

function simulate(scenario: SimulateScenario['scenario']): SignalRequest['message'] {
  return { case: 'simulate', value: new SimulateScenario({ scenario }) };
}

test('every kind of request has a handler, and every kind of message a row in README.md', () => {
  const casesOf = (type: { fields: { list(): readonly { localName: string; oneof?: unknown }[] } }) =>
    type.fields.list().flatMap(field => (field.oneof === undefined ? [] : [field.localName]));
  assert.deepEqual(Object.keys(HANDLERS).sort(), casesOf(SignalRequest).sort());
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  for (const name of [...casesOf(SignalRequest), ...casesOf(SignalResponse)]) {
    assert.match(readme, new RegExp(`^\\| \`${name}\` +\\|`, 'm'), `README.md has no row for ${name}`);
  }
});

test('a leave of the client is its end, without an answer', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  send(world, alice, { case: 'leave', value: new LeaveRequest() });
  assert.equal(world.sent(alice, 'leave').length, 0);
  assert.equal(world.room.participants.size, 0);
  send(world, alice, { case: 'leave', value: new LeaveRequest() });
  assert.equal(world.outputs.filter(({ kind }) => kind === 'left').length, 1);
});

test('an unreadable offer ends the session and names the reason in the log', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  send(world, alice, { case: 'offer', value: new SessionDescription({ type: 'offer', sdp: 'v=0', id: 1 }) });
  const goodbye = world.last(alice, 'leave');
  assert.deepEqual(
    [goodbye?.action, goodbye?.reason],
    [LeaveRequest_Action.DISCONNECT, DisconnectReason.STATE_MISMATCH],
  );
  const left = world.outputs.find(output => output.kind === 'left');
  assert.match(left?.kind === 'left' ? left.cause : '', /^offer refused: /);
});

test('simulated failures look to the client like real ones', () => {
  const ends: [SimulateScenario['scenario'], LeaveRequest_Action | undefined][] = [
    [{ case: 'nodeFailure', value: true }, undefined],
    [{ case: 'migration', value: true }, undefined],
    [{ case: 'serverLeave', value: true }, LeaveRequest_Action.DISCONNECT],
    [{ case: 'leaveRequestFullReconnect', value: true }, LeaveRequest_Action.RECONNECT],
  ];
  for (const [scenario, action] of ends) {
    const world = new TestRoom();
    const alice = world.join('alice');
    send(world, alice, simulate(scenario));
    assert.equal(world.last(alice, 'leave')?.action, action);
    assert.ok(world.outputs.some(({ kind }) => kind === 'close-signal'));
    assert.equal(world.room.participants.size, 0);
  }
});

test('what is not supported is refused, not passed over', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  send(world, alice, { case: 'publishDataTrackRequest', value: new PublishDataTrackRequest({ pubHandle: 1 }) });
  assert.equal(world.last(alice, 'requestResponse')?.reason, RequestResponse_Reason.NOT_ALLOWED);
  send(world, alice, { case: 'updateAudioTrack', value: new UpdateLocalAudioTrack({ trackSid: 'TR_none' }) });
  assert.equal(world.last(alice, 'requestResponse')?.reason, RequestResponse_Reason.NOT_FOUND);
});
