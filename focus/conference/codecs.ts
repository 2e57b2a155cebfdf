import { Codec } from '@livekit/protocol';

/** What clients may publish, in LiveKit's words. Without a codec for backups in it, clients do not send a second one. */
export const ENABLED_CODECS: Codec[] = ['audio/opus', 'audio/red', 'video/VP8', 'video/H264', 'video/rtx'].map(
  mime => new Codec({ mime }),
);
