/**
 * The scripts a Redis server runs for the store, one round trip each and each one atomic. `ARGV[1]` is always how far the store's
 * clock is ahead of the server's, in ms. `prelude-script.ts` has the keys and the shared steps.
 */
import { ASSIGN_SCRIPTS } from './assign-script.ts';
import { HOME_SCRIPTS } from './home-scripts.ts';
import { CLUSTER_GUARD_SCRIPT, PRELUDE_SCRIPT } from './prelude-script.ts';
import { UPKEEP_SCRIPTS } from './upkeep-scripts.ts';

const CONTRACT_SCRIPTS = {
  /** id, boot, state, report. Answers the server's time. */
  putBridge: `
    local key = P .. ':bridge:' .. ARGV[2]
    redis.call('HSET', key, 'boot', ARGV[3], 'state', ARGV[4], 'report', ARGV[5], 'at', whole(NOW), 'placed', '0')
    redis.call('PEXPIRE', key, BRIDGE_EXPIRY_MS)
    bridge_changed(ARGV[2])
    return whole(NOW)`,

  /**
   * id, boot, state, report, the report's age (ms), assigned since. For a store that was emptied: one that it has, has removed, or whose report is
   * too old is left as it is. Answers 1 when it was put back.
   */
  restoreBridge: `
    local key = P .. ':bridge:' .. ARGV[2]
    local age = tonumber(ARGV[6])
    if age >= BRIDGE_EXPIRY_MS or redis.call('EXISTS', key) == 1 or redis.call('ZSCORE', P .. ':bridges', ARGV[2]) then return 0 end
    redis.call('HSET', key, 'boot', ARGV[3], 'state', ARGV[4], 'report', ARGV[5], 'at', whole(NOW - age), 'placed', ARGV[7])
    redis.call('PEXPIRE', key, BRIDGE_EXPIRY_MS - age)
    bridge_changed(ARGV[2])
    return 1`,

  /** id, boot. Answers 1 when it was that boot's. */
  removeBridge: `
    local key = P .. ':bridge:' .. ARGV[2]
    if redis.call('HGET', key, 'boot') ~= ARGV[3] then return 0 end
    redis.call('DEL', key)
    bridge_changed(ARGV[2])
    return 1`,

  /** change number. Answers the bridges that changed after it. */
  bridges: `return bridges_since(ARGV[2])`,

  /** room, conference ID to use, SID, owner. Answers the conference, or 0 when that ID is taken. */
  openConference: `
    local id = open_conference(ARGV[2])
    if id then return conference_reply(id) end
    if redis.call('EXISTS', conf_key(ARGV[3]), P .. ':closed:' .. ARGV[3]) > 0 then return 0 end
    create_conference(ARGV[2], ARGV[3], ARGV[4], ARGV[5], '1', '1', whole(NOW))
    return conference_reply(ARGV[3])`,

  /** room. Answers the conference, or nothing. */
  conference: `
    local id = open_conference(ARGV[2])
    if not id then return {} end
    return conference_reply(id)`,

  /** Answers all conferences. */
  conferences: `
    local reply = {}
    for _, id in ipairs(redis.call('HVALS', P .. ':rooms')) do
      if redis.call('EXISTS', conf_key(id)) == 1 then reply[#reply + 1] = conference_reply(id) end
    end
    return reply`,

  /** room, conference ID. Answers 1 when the name was that conference's. */
  closeConference: `
    if redis.call('HGET', P .. ':rooms', ARGV[2]) ~= ARGV[3] then return 0 end
    close_conference(ARGV[3])
    redis.call('SET', P .. ':closed:' .. ARGV[3], '1', 'PX', KEY_EXPIRY_MS)
    return 1`,

  /** conference ID, endpoint ID, SID. Answers the conference, or nothing. */
  release: `
    local identity, member = member_at(ARGV[2], ARGV[3], ARGV[4])
    if not identity then return {} end
    local counts = counts_of(ARGV[2])
    remove_member(ARGV[2], identity, member, counts)
    grow(ARGV[2], counts)
    return conference_reply(ARGV[2])`,

  /** room, identity, SID, endpoint ID to spare or 0. Takes back an assignment whose answer never came; answers 1 when there was one. */
  retract: `
    local id = open_conference(ARGV[2])
    local found = id and redis.call('HGET', conf_key(id), 'm:' .. ARGV[3])
    if not found then return 0 end
    local member = cjson.decode(found)
    if member.sid ~= ARGV[4] or whole(member.endpoint) == ARGV[5] then return 0 end
    local counts = counts_of(id)
    remove_member(id, ARGV[3], member, counts)
    grow(id, counts)
    return 1`,

  /** conference ID. Answers {owner, identity, JSON, ...}, or nothing. */
  participants: `
    local owner = redis.call('HGET', conf_key(ARGV[2]), 'owner')
    if not owner then return {} end
    return add_members({owner}, ARGV[2])`,
} as const;

const BODIES = { ...CONTRACT_SCRIPTS, ...ASSIGN_SCRIPTS, ...HOME_SCRIPTS, ...UPKEEP_SCRIPTS } as const;

export type ScriptName = keyof typeof BODIES;

export const SCRIPT_NAMES = Object.keys(BODIES) as readonly ScriptName[];

/** The whole text of a script. */
export function scriptText(name: ScriptName, isCluster: boolean): string {
  return `${PRELUDE_SCRIPT}${isCluster ? CLUSTER_GUARD_SCRIPT : ''}${BODIES[name]}`;
}
