import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  SRTP_EXHAUSTED,
  SRTP_MALFORMED,
  SRTP_NO_KEYS,
  SRTP_REPLAYED,
  SRTP_SSRC_LIMIT,
  SRTP_UNAUTHENTIC,
  SRTP_UNENCRYPTED,
  srtpReason,
} from './outcome.ts';
import { createSrtpSession } from './profiles.ts';
import { describeSrtpSession } from './session.contract.ts';

describeSrtpSession('on node:crypto', createSrtpSession);

test('every code has a label of its own', () => {
  const codes = [
    SRTP_MALFORMED,
    SRTP_REPLAYED,
    SRTP_UNAUTHENTIC,
    SRTP_UNENCRYPTED,
    SRTP_SSRC_LIMIT,
    SRTP_EXHAUSTED,
    SRTP_NO_KEYS,
  ];
  assert.equal(new Set(codes.map(srtpReason)).size, codes.length);
  assert.equal(codes.map(srtpReason).includes(srtpReason(-99)), false);
});
