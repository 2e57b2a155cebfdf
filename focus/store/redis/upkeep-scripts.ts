/**
 * What keeps the shared state true without anybody asking: leases of focuses, expiries, what a focus puts back after the store had
 * lost it, and who is to take over what a dead focus had. Scripts stay short (at most a few hundred conferences each), since Redis runs one at a time.
 */

/** Conferences that one run of a script deals with at most. */
export const CONFERENCES_PER_SCRIPT_MAX = 200;

/** News that one beat tells of at most; the next ones tell the rest. */
const NEWS_MAX = 1_000;

export const UPKEEP_SCRIPTS = {
  /**
   * owner, boot, newest known change number of bridges, newest known number of its news, 1 for a process's first beat, its record (JSON) or empty. Renews the
   * focus's lease and looks for leases that are over. Answers {status, how many conferences of dead focuses ended since nobody took them over, bridges
   * that changed, {newest number, news (JSON), ...}, conferences that this focus is to take over, records of focuses (JSON)}. Status: 'held';
   * 'new' when the lease was over or the store was emptied; 'usurped' when another process had it (an earlier one of this name, as a rule, whose conferences are
   * to be taken over like those of any dead one); 'sweeping' when that one left more than a script deals with: call again.
   *
   * Whose own lease is over, and was not noticed to be, was away together with others: nobody is taken for dead until they could renew theirs.
   */
  beat: `
    local owner, boot, known, heard = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
    local LIMIT = ${CONFERENCES_PER_SCRIPT_MAX}
    local holder = redis.call('HGET', P .. ':boots', owner)
    local lease = redis.call('ZSCORE', P .. ':owners', owner)
    local status, swept, orphans = holder and 'held' or 'new', 0, {}
    if holder and holder ~= boot then
      status = 'usurped'
      if ARGV[6] == '1' and orphan_owner(owner, LIMIT, orphans) == LIMIT then
        return {'sweeping', 0, bridges_since(known), {}, orphans, {}}
      end
    elseif lease and tonumber(lease) <= NOW then
      redis.call('SET', P .. ':calm', whole(NOW + LEASE_MS), 'PX', LEASE_MS)
    end
    redis.call('ZADD', P .. ':owners', whole(NOW + LEASE_MS), owner)
    redis.call('HSET', P .. ':boots', owner, boot)
    if ARGV[7] ~= '' then redis.call('HSET', P .. ':focuses', owner, ARGV[7]) end
    local calm = redis.call('GET', P .. ':calm')
    if not calm or tonumber(calm) <= NOW then
      for _, dead in ipairs(redis.call('ZRANGEBYSCORE', P .. ':owners', '-inf', whole(NOW))) do
        if #orphans >= LIMIT or orphan_owner(dead, LIMIT - #orphans, orphans) >= LIMIT then break end
        forget_focus(dead)
      end
      local soon = whole(NOW + ORPHAN_MS / 2)
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':orphans', '(' .. whole(NOW), soon, 'LIMIT', 0, LIMIT)) do
        if redis.call('EXISTS', conf_key(id)) == 1 and redis.call('HSETNX', conf_key(id), 'told', '1') == 1 then
          orphans[#orphans + 1] = conference_reply(id)
        end
      end
      for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':orphans', '-inf', whole(NOW), 'LIMIT', 0, LIMIT)) do
        if redis.call('EXISTS', conf_key(id)) == 1 then swept = swept + 1 end
        close_conference(id)
      end
    end
    for _, key in ipairs({'owners', 'boots', 'focuses', 'rooms', 'owner:' .. owner}) do touch(P .. ':' .. key) end
    local long_ago = whole((TIME[1] - 2 * BRIDGE_EXPIRY_MS / 1000) * 1000000)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':bridges', '-inf', long_ago)) do
      if redis.call('EXISTS', P .. ':bridge:' .. id) == 0 then redis.call('ZREM', P .. ':bridges', id) end
    end
    redis.call('ZREMRANGEBYSCORE', P .. ':news:' .. owner, '-inf', heard)
    local news, listed = {heard}, redis.call('ZRANGE', P .. ':news:' .. owner, 0, ${NEWS_MAX - 1}, 'WITHSCORES')
    for index = 1, #listed, 2 do
      news[#news + 1] = listed[index]
      news[1] = whole(tonumber(listed[index + 1]))
    end
    return {status, swept, bridges_since(known), news, orphans, live_focuses()}`,

  /**
   * owner, then conference ID, last known version and number of saves for each. Renews their expiries; answers for each 1, 0 when the store has lost it or
   * fell back to an older state, -1 when it was closed, -2 when it is another's.
   */
  renew: `
    local reply = {}
    for index = 3, #ARGV, 3 do
      local id = ARGV[index]
      local found = redis.call('HMGET', conf_key(id), 'version', 'saves', 'owner')
      local state = 0
      if found[1] and found[3] ~= ARGV[2] then
        state = -2
      elseif found[1] then
        touch_conf(id)
        note_owner(ARGV[2], id)
        if tonumber(found[1]) >= tonumber(ARGV[index + 1]) and tonumber(found[2]) >= tonumber(ARGV[index + 2]) then state = 1 end
      elseif redis.call('EXISTS', P .. ':closed:' .. id) == 1 then
        state = -1
      end
      reply[#reply + 1] = state
    end
    return reply`,

  /**
   * owner, conference ID, room, SID, term, version, next endpoint ID, created, how many SIDs are on their way to it, these, then identity and participant (JSON)
   * for each who is in it. Makes the conference have exactly these, whoever is on the way, and whom others assigned just now. Answers {'restored', how many participants were put in, conference, how often its snapshot
   * has been written, identity and participant (JSON) of each whom others assigned}, or {'lost'} when the room was opened anew meanwhile, closed, or is
   * another focus's after a later takeover. Of two with one identity, the one who was placed later stays.
   */
  restore: `
    local owner, id, room, term = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[6])
    local current = open_conference(room)
    if (current and current ~= id) or redis.call('EXISTS', P .. ':closed:' .. id) == 1 then return {'lost'} end
    local key = conf_key(id)
    if not current then
      create_conference(room, id, ARGV[5], owner, ARGV[7], ARGV[8], ARGV[9])
      redis.call('HSET', key, 'term', ARGV[6])
    end
    local there = redis.call('HMGET', key, 'owner', 'term', 'version', 'next')
    if there[1] ~= owner then
      if tonumber(there[2]) >= term then return {'lost'} end
      redis.call('SREM', P .. ':owner:' .. there[1], id)
      redis.call('HSET', key, 'owner', owner, 'term', ARGV[6], 'saves', '0')
    end
    redis.call('ZREM', P .. ':orphans', id)
    redis.call('HDEL', key, 'told')
    if tonumber(there[3]) < tonumber(ARGV[7]) then redis.call('HSET', key, 'version', ARGV[7]) end
    if tonumber(there[4]) < tonumber(ARGV[8]) then redis.call('HSET', key, 'next', ARGV[8]) end
    local counts, restored, sids, strangers = counts_of(id), 0, {}, {}
    local FIRST = 11 + ARGV[10]
    for index = 11, FIRST - 1 do sids[ARGV[index]] = true end
    for index = FIRST, #ARGV, 2 do sids[cjson.decode(ARGV[index + 1]).sid] = true end
    local members = add_members({}, id)
    for index = 1, #members, 2 do
      local member = cjson.decode(members[index + 1])
      if not sids[member.sid] then
        if member.by and NOW - member.at < ADOPTION_MS then
          strangers[members[index]] = members[index + 1]
        else
          remove_member(id, members[index], member, counts)
        end
      end
    end
    for index = FIRST, #ARGV, 2 do
      local identity, member = ARGV[index], cjson.decode(ARGV[index + 1])
      local found = redis.call('HGET', key, 'm:' .. identity)
      local other = found and cjson.decode(found)
      local is_same = other and other.sid == member.sid
      if other and (is_same and (other.endpoint ~= member.endpoint or other.bridge ~= member.bridge)
        or not is_same and other.endpoint < member.endpoint) then
        remove_member(id, identity, other, counts)
        strangers[identity] = nil
        other = nil
      end
      if not other and redis.call('HEXISTS', key, 'e:' .. whole(member.endpoint)) == 0 then
        put_member(id, identity, member, counts)
        restored = restored + 1
      end
    end
    grow(id, counts)
    touch(P .. ':rooms')
    note_owner(owner, id)
    local reply = {'restored', restored, conference_reply(id), redis.call('HGET', key, 'saves')}
    for identity, json in pairs(strangers) do
      reply[#reply + 1] = identity
      reply[#reply + 1] = json
    end
    return reply`,

  /** owner. Closes a share of what a focus had; answers how many conferences, fewer than the share when that was all. */
  releaseOwner: `
    local swept = release_owner(ARGV[2], ${CONFERENCES_PER_SCRIPT_MAX})
    if swept < ${CONFERENCES_PER_SCRIPT_MAX} then forget_focus(ARGV[2]) end
    return swept`,
} as const;
