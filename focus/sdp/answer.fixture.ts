/** Answers in the shape of those that LiveKit's clients give to our offers. For tests. */
import { parse, write } from 'sdp-transform';

export interface AnswerShape {
  readonly ufrag?: string;
  /** MIDs of sections that the client rejects. */
  readonly rejected?: readonly string[];
  /** Names of codecs that the client does not have; their RTX goes with them. */
  readonly without?: readonly string[];
}

export function answerSdp(offer: string, { ufrag = 'rcvr', rejected = [], without = [] }: AnswerShape = {}): string {
  const session = parse(offer);
  const media = session.media.map(line => {
    const gone = new Set(line.rtp.filter(({ codec }) => without.includes(codec)).map(({ payload }) => payload));
    for (const { payload, config } of line.fmtp)
      if (gone.has(Number(/^apt=(\d+)/.exec(config)?.[1]))) gone.add(payload);
    const isRejected = rejected.includes(String(line.mid));
    const {
      ssrcs: _ssrcs,
      ssrcGroups: _groups,
      msid: _msid,
      candidates: _candidates,
      endOfCandidates: _end,
      ...rest
    } = line;
    return {
      ...rest,
      port: isRejected ? 0 : line.port,
      rtp: line.rtp.filter(({ payload }) => !gone.has(payload)),
      fmtp: line.fmtp.filter(({ payload }) => !gone.has(payload)),
      ...(line.rtcpFb === undefined ? {} : { rtcpFb: line.rtcpFb.filter(({ payload }) => !gone.has(Number(payload))) }),
      ...(line.type === 'application'
        ? {}
        : {
            payloads: line.rtp.flatMap(({ payload }) => (gone.has(payload) ? [] : [payload])).join(' '),
            direction: line.direction === 'sendonly' && !isRejected ? ('recvonly' as const) : ('inactive' as const),
          }),
      iceUfrag: ufrag,
      icePwd: 'receiverreceiverreceiver',
      fingerprint: { type: 'sha-256', hash: Array.from({ length: 32 }, () => 'EF').join(':') },
      setup: 'active',
    };
  });
  const live = media.filter(({ port }) => port !== 0).map(({ mid }) => mid);
  const { icelite: _icelite, ...answer } = session;
  return write({ ...answer, groups: [{ type: 'BUNDLE', mids: live.join(' ') }], media });
}
