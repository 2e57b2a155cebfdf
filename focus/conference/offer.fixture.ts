/** Offers in the shape of those that LiveKit's clients make, as small as they can be. For tests. */

export interface OfferedTrack {
  readonly kind: 'audio' | 'video';
  readonly cid: string;
  /** `inactive`: it was unpublished, and its section stays. */
  readonly direction?: 'sendonly' | 'inactive';
  readonly rids?: readonly string[];
}

export interface OfferShape {
  readonly ufrag?: string;
  /** Sections to receive on, before those of tracks; those asked for later come after all others. */
  readonly audio?: number;
  readonly video?: number;
  readonly tracks?: readonly OfferedTrack[];
  readonly moreAudio?: number;
  readonly moreVideo?: number;
}

/** Sections in this order: audio, video, data channels, tracks, more audio, more video; mids count from 0. */
export function offerSdp(shape: OfferShape = {}): string {
  const sections: string[][] = [];
  const add = (lines: string[]) => sections.push([...lines, `a=mid:${sections.length}`]);
  for (let i = 0; i < (shape.audio ?? 3); i++) add(media('audio', 'recvonly'));
  for (let i = 0; i < (shape.video ?? 3); i++) add(media('video', 'recvonly'));
  add(['m=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', 'a=sctp-port:5000']);
  for (const track of shape.tracks ?? []) add(trackSection(track));
  for (let i = 0; i < (shape.moreAudio ?? 0); i++) add(media('audio', 'recvonly'));
  for (let i = 0; i < (shape.moreVideo ?? 0); i++) add(media('video', 'recvonly'));
  return [
    'v=0',
    'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${sections.map((_, mid) => mid).join(' ')}`,
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS',
    ...sections.flatMap(lines => [...lines, ...transport(shape.ufrag ?? 'clnt')]),
    '',
  ].join('\r\n');
}

function transport(ufrag: string): string[] {
  return [
    `a=ice-ufrag:${ufrag}`,
    'a=ice-pwd:clientclientclientclient',
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'CD').join(':')}`,
    'a=setup:actpass',
  ];
}

function trackSection({ kind, cid, direction = 'sendonly', rids = [] }: OfferedTrack): string[] {
  const lines = [...media(kind, direction), `a=msid:- ${cid}`];
  if (rids.length === 0) return lines;
  return [...lines, ...rids.map(rid => `a=rid:${rid} send`), `a=simulcast:send ${rids.join(';')}`];
}

function media(kind: 'audio' | 'video', direction: string): string[] {
  const extension = 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid';
  const common = ['c=IN IP4 0.0.0.0', `a=${direction}`, 'a=rtcp-mux', 'a=rtcp-rsize', extension];
  if (kind === 'audio') {
    return [
      'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
      ...common,
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 minptime=10;useinbandfec=1',
      'a=rtpmap:63 red/48000/2',
      'a=fmtp:63 111/111',
    ];
  }
  return [
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
    ...common,
    'a=rtpmap:96 VP8/90000',
    'a=rtcp-fb:96 nack',
    'a=rtcp-fb:96 nack pli',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:97 apt=96',
  ];
}
