/** What a media frame is worth: how soon it is repaired, how well it is protected, in what order a full link gives up. */
export type MediaClass = 0 | 1 | 2;

/** Never dropped for want of room. */
export const CLASS_AUDIO = 0;
/** A packet of a frame that decodes alone: without it nothing after it is seen. */
export const CLASS_KEY_FRAME = 1;
export const CLASS_VIDEO = 2;
