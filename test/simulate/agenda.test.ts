import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agenda } from './agenda.ts';
import type { Meeting } from './demand.ts';
import { accessMsOf, joinsAfterSecondsOf, personOf, regionOf } from './person.ts';

const meeting = (id: number): Meeting => ({ id, startSecond: 0, endSecond: 10, people: [] });

test('entries of a second are carried out in the order they were made, once, and none of another second', async () => {
  const agenda = new Agenda();
  const [a, b] = [meeting(1), meeting(2)];
  agenda.join(3, a, 0);
  agenda.look(3, b);
  agenda.join(3, b, 7);
  agenda.end(3, a);
  agenda.join(4, b, 1);
  const done: string[] = [];
  const actions = {
    join: async ({ id }: Meeting, index: number) => void done.push(`join ${id} ${index}`),
    look: ({ id }: Meeting) => void done.push(`look ${id}`),
    end: async ({ id }: Meeting) => void done.push(`end ${id}`),
  };
  for (const second of [2, 3, 3]) await agenda.carryOut(second, actions);
  assert.deepEqual(done, ['join 1 0', 'look 2', 'join 2 7', 'end 1']);
});

test('a person is what it was made of, rounded, and never more than there is place for', () => {
  const fields = (person: ReturnType<typeof personOf>) => [
    regionOf(person),
    accessMsOf(person),
    joinsAfterSecondsOf(person),
  ];
  assert.deepEqual(fields(personOf({ region: 19, accessMs: 149.6, joinsAfterSeconds: 59.4 })), [19, 150, 59]);
  assert.deepEqual(fields(personOf({ region: 31, accessMs: 1e6, joinsAfterSeconds: 1e9 })), [31, 255, 65_535]);
  assert.deepEqual(fields(personOf({ region: 0, accessMs: 0, joinsAfterSeconds: 0 })), [0, 0, 0]);
});
