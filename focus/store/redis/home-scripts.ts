/** What focuses share about each other: who they are, whose home a conference is, and what its next home must know. */
export const HOME_SCRIPTS = {
  /** owner, boot, its record (JSON). Gives it a lease when it has none. Answers the records of focuses whose lease holds. */
  putFocus: `
    redis.call('ZADD', P .. ':owners', 'NX', whole(NOW + LEASE_MS), ARGV[2])
    redis.call('HSETNX', P .. ':boots', ARGV[2], ARGV[3])
    redis.call('HSET', P .. ':focuses', ARGV[2], ARGV[4])
    for _, key in ipairs({'owners', 'boots', 'focuses'}) do touch(P .. ':' .. key) end
    return live_focuses()`,

  /** Answers the records of focuses whose lease holds. */
  focuses: `return live_focuses()`,

  /**
   * owner, conference ID, term in which it is that owner's, 1 to drop what there is, how many fields to remove, these, then field and bytes for each to write.
   * Answers how often the snapshot has been written; 0 when the store has lost the conference or fell back to an earlier term of it; -1 when it is another's
   * or closed.
   */
  saveRoom: `
    local owner, id, removed = ARGV[2], ARGV[3], tonumber(ARGV[6])
    local there = redis.call('HMGET', conf_key(id), 'owner', 'term')
    if not there[1] then return redis.call('EXISTS', P .. ':closed:' .. id) == 1 and -1 or 0 end
    if there[1] ~= owner then return tonumber(there[2]) >= tonumber(ARGV[4]) and -1 or 0 end
    local key = snap_key(id)
    if ARGV[5] == '1' then redis.call('DEL', key) end
    for index = 7, 6 + removed do redis.call('HDEL', key, ARGV[index]) end
    for index = 7 + removed, #ARGV, 2 do redis.call('HSET', key, ARGV[index], ARGV[index + 1]) end
    touch(key)
    return redis.call('HINCRBY', conf_key(id), 'saves', 1)`,

  /** conference ID. Answers {field, bytes, ...}. */
  loadRoom: `
    if redis.call('EXISTS', conf_key(ARGV[2])) == 0 then return {} end
    return redis.call('HGETALL', snap_key(ARGV[2]))`,

  /**
   * room, conference ID, its owner, its next owner. Answers {conference, next endpoint ID, how often its snapshot has been written, identity, participant
   * (JSON), ...}, or nothing when it is not that owner's.
   */
  takeConference: `
    local room, id, from, to = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
    local key = conf_key(id)
    if open_conference(room) ~= id or redis.call('HGET', key, 'owner') ~= from then return {} end
    redis.call('SREM', P .. ':owner:' .. from, id)
    redis.call('ZREM', P .. ':orphans', id)
    redis.call('HDEL', key, 'told')
    redis.call('HSET', key, 'owner', to)
    redis.call('HINCRBY', key, 'version', TAKEOVER_VERSIONS)
    redis.call('HINCRBY', key, 'term', 1)
    touch_conf(id)
    touch(P .. ':rooms')
    note_owner(to, id)
    local numbers = redis.call('HMGET', key, 'next', 'saves')
    return add_members({conference_reply(id), numbers[1], numbers[2]}, id)`,
} as const;
