import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupOf } from './region-groups.ts';

test('a region stands in for those of its group, itself first; of several groups with it the first counts', () => {
  const groups = [
    ['eu-west', 'eu-central'],
    ['eu-central', 'eu-south'],
  ];
  assert.deepEqual(groupOf('eu-central', groups), ['eu-central', 'eu-west']);
  assert.deepEqual(groupOf('eu-south', groups), ['eu-south', 'eu-central']);
  assert.deepEqual(groupOf('ap', groups), ['ap']);
  assert.deepEqual(groupOf('ap', []), ['ap']);
});
