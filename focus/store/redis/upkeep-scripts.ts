/**
 * What keeps the shared state true without anybody asking: leases of focuses, expiries, what a focus puts back after the store had
 * lost it, and the end of what a dead focus had. Scripts stay short (at most a few hundred conferences each), since Redis runs one at a time.
 */

/** Conferences that one run of a script deals with at most. */
export const CONFERENCES_PER_SCRIPT_MAX = 200;

export const UPKEEP_SCRIPTS = {
  /**
   * owner, boot, newest known change number. Renews the focus's lease and lets go of what others left whose lease is over. Answers
   * {'held' | 'new' | 'usurped' | 'sweeping', how many conferences of dead focuses were dealt with, bridges that changed, those of the focus's participants
   * whom other focuses replaced (JSON)}: `new` when the
   * lease was over or the store was emptied, `usurped` when another process had it (an earlier one of this name, as a rule),
   * `sweeping` when that one left more than a script deals with: call again.
   */
  beat: `
    local owner, boot, known = ARGV[2], ARGV[3], ARGV[4]
    local holder = redis.call('HGET', P .. ':boots', owner)
    local status, swept = holder and 'held' or 'new', 0
    if holder and holder ~= boot then
      status = 'usurped'
      swept = release_owner(owner, ${CONFERENCES_PER_SCRIPT_MAX})
      if swept == ${CONFERENCES_PER_SCRIPT_MAX} then return {'sweeping', swept, bridges_since(known), {}} end
    end
    redis.call('ZADD', P .. ':owners', whole(NOW + LEASE_MS), owner)
    redis.call('HSET', P .. ':boots', owner, boot)
    for _, dead in ipairs(redis.call('ZRANGEBYSCORE', P .. ':owners', '-inf', whole(NOW))) do
      swept = swept + release_owner(dead, ${CONFERENCES_PER_SCRIPT_MAX} - swept)
      if swept >= ${CONFERENCES_PER_SCRIPT_MAX} then break end
      redis.call('ZREM', P .. ':owners', dead)
      redis.call('HDEL', P .. ':boots', dead)
    end
    for _, key in ipairs({'owners', 'boots', 'rooms', 'owner:' .. owner}) do touch(P .. ':' .. key) end
    local long_ago = whole((TIME[1] - 2 * BRIDGE_EXPIRY_MS / 1000) * 1000000)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':bridges', '-inf', long_ago)) do
      if redis.call('EXISTS', P .. ':bridge:' .. id) == 0 then redis.call('ZREM', P .. ':bridges', id) end
    end
    local gone = redis.call('LPOP', P .. ':gone:' .. owner, 1000)
    return {status, swept, bridges_since(known), gone or {}}`,

  /**
   * owner, then conference ID and last known version for each. Renews their expiries; answers for each 1, 0 when the store has lost it or fell back to an
   * older state, -1 when it was closed.
   */
  renew: `
    local reply = {}
    for index = 3, #ARGV, 2 do
      local id = ARGV[index]
      local version = redis.call('HGET', conf_key(id), 'version')
      local state = 0
      if version then
        touch(conf_key(id))
        note_owner(ARGV[2], id)
        if tonumber(version) >= tonumber(ARGV[index + 1]) then state = 1 end
      elseif redis.call('EXISTS', P .. ':closed:' .. id) == 1 then
        state = -1
      end
      reply[#reply + 1] = state
    end
    return reply`,

  /**
   * owner, conference ID, room, SID, version, next endpoint ID, created, then identity and participant (JSON) for each of the focus's own. Makes the
   * conference have exactly these of the focus's, and all of the others' that it has. Answers {'restored', how many participants were put in, conference},
   * or {'lost'} when the room was opened anew meanwhile or closed. Of two with one identity, the one who was placed later stays.
   */
  restore: `
    local owner, id, room = ARGV[2], ARGV[3], ARGV[4]
    local current = open_conference(room)
    if (current and current ~= id) or redis.call('EXISTS', P .. ':closed:' .. id) == 1 then return {'lost'} end
    local key = conf_key(id)
    if not current then create_conference(room, id, ARGV[5], owner, ARGV[6], ARGV[7], ARGV[8]) end
    for field, value in pairs({version = ARGV[6], next = ARGV[7]}) do
      if tonumber(redis.call('HGET', key, field)) < tonumber(value) then redis.call('HSET', key, field, value) end
    end
    local counts, restored, sids = counts_of(id), 0, {}
    for index = 9, #ARGV, 2 do sids[ARGV[index]] = cjson.decode(ARGV[index + 1]).sid end
    local fields = redis.call('HGETALL', key)
    for index = 1, #fields, 2 do
      if string.sub(fields[index], 1, 2) == 'm:' then
        local identity, member = string.sub(fields[index], 3), cjson.decode(fields[index + 1])
        if member.owner == owner and sids[identity] ~= member.sid then remove_member(id, identity, member, counts) end
      end
    end
    for index = 9, #ARGV, 2 do
      local member = cjson.decode(ARGV[index + 1])
      local found = redis.call('HGET', key, 'm:' .. ARGV[index])
      local other = found and cjson.decode(found)
      if other and other.endpoint < member.endpoint then
        remove_member(id, ARGV[index], other, counts)
        other = nil
      end
      if not other and redis.call('HEXISTS', key, 'e:' .. whole(member.endpoint)) == 0 then
        put_member(id, ARGV[index], member, counts)
        restored = restored + 1
      end
    end
    grow(id, counts)
    touch(P .. ':rooms')
    note_owner(owner, id)
    return {'restored', restored, conference_reply(id)}`,

  /** owner. Lets go of a share of what a focus had; answers how many conferences, fewer than the share when that was all. */
  releaseOwner: `
    local swept = release_owner(ARGV[2], ${CONFERENCES_PER_SCRIPT_MAX})
    if swept < ${CONFERENCES_PER_SCRIPT_MAX} then
      redis.call('ZREM', P .. ':owners', ARGV[2])
      redis.call('HDEL', P .. ':boots', ARGV[2])
    end
    return swept`,
} as const;
