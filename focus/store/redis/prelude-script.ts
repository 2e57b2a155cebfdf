/**
 * What all scripts begin with: names of keys, the clock, and the steps that several scripts take. Lua 5.1, run inside Redis.
 *
 * Every key begins with `KEYS[1]`, `{prefix}`, so all of them are in one hash slot: an assignment changes a conference and a bridge
 * in one step, and a Redis Cluster runs a script in one slot only. Every key has an expiry that its owner renews.
 *
 *   P:bridge:ID     hash   report (JSON), boot, state, at (ms), placed            10 s after the report
 *   P:bridges       zset   bridge ID -> change number, removed ones included      10 s after the last report of any
 *   P:rooms         hash   room name -> conference ID                             renewed by every focus
 *   P:conf:ID       hash   room, sid, owner, term (takeovers, from 1), version, next, created, size, saves, told (of an orphan, again),
 *                          counts (JSON: bridge -> participants),
 *                          m:IDENTITY -> participant (JSON), e:ENDPOINT -> identity    renewed by its owner
 *   P:snap:ID       hash   the conference's snapshot: field -> bytes              with the conference
 *   P:closed:ID     string closed on purpose, so that nobody restores it          10 s after that
 *   P:owners        zset   focus -> end of its lease (ms)                         renewed by every focus
 *   P:boots         hash   focus -> the process that holds its lease              renewed by every focus
 *   P:focuses       hash   focus -> what it says of itself (JSON)                 renewed by every focus
 *   P:owner:FOCUS   set    conferences it owns                                    renewed by it
 *   P:news:FOCUS    zset   whom others assigned for it (JSON) -> change number    10 s after the last
 *   P:orphans       zset   conference of a dead focus -> when it ends (ms)        10 s after the last
 *   P:calm          string until when no lease counts as over (ms)                then
 */
import { ADOPTION_MS, ORPHAN_MS, TAKEOVER_VERSIONS } from '../store.ts';

/**
 * A focus that has not renewed its lease for so long has died: another takes its conferences over. They expire 10 s after they were last renewed, at most
 * 3 s before the last renewal of the lease, so there is still something to take.
 */
export const LEASE_MS = 5_000;

export const PRELUDE_SCRIPT = `
local P = KEYS[1]
local SHIFT = tonumber(ARGV[1])
local KEY_EXPIRY_MS = 10000
local BRIDGE_EXPIRY_MS = 10000
local LEASE_MS = ${LEASE_MS}
local ADOPTION_MS = ${ADOPTION_MS}
local ORPHAN_MS = ${ORPHAN_MS}
local TAKEOVER_VERSIONS = ${TAKEOVER_VERSIONS}
local TIME = redis.call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000) + SHIFT

local function whole(number) return string.format('%.0f', number) end
local function conf_key(id) return P .. ':conf:' .. id end
local function snap_key(id) return P .. ':snap:' .. id end
local function touch(key) redis.call('PEXPIRE', key, KEY_EXPIRY_MS) end
local function touch_conf(id)
  touch(conf_key(id))
  touch(snap_key(id))
end

-- Change numbers are the server's microseconds, so that they still grow after the store was emptied or a replica took over.
local function add_numbered(key, member)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  local number = TIME[1] * 1000000 + TIME[2]
  if last and tonumber(last) >= number then number = tonumber(last) + 1 end
  redis.call('ZADD', key, whole(number), member)
  touch(key)
end
local function bridge_changed(id) add_numbered(P .. ':bridges', id) end

-- Bridges that changed after a change number: {now, newest number, id, at, placed, report, ...}; a removed one has no 'at'.
local function bridges_since(known)
  local reply = {whole(NOW), '0'}
  local newest = redis.call('ZREVRANGE', P .. ':bridges', 0, 0, 'WITHSCORES')[2]
  if not newest then return reply end
  reply[2] = whole(tonumber(newest))
  if tonumber(known) > tonumber(newest) then known = '0' end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. ':bridges', '(' .. known, '+inf')) do
    local bridge = redis.call('HMGET', P .. ':bridge:' .. id, 'at', 'placed', 'report')
    reply[#reply + 1] = id
    reply[#reply + 1] = bridge[1] or ''
    reply[#reply + 1] = bridge[2] or '0'
    reply[#reply + 1] = bridge[3] or ''
  end
  return reply
end

-- The ID of the open conference of that room, or nil; a name whose conference has expired is forgotten.
local function open_conference(room)
  local id = redis.call('HGET', P .. ':rooms', room)
  if not id then return nil end
  if redis.call('EXISTS', conf_key(id)) == 1 then return id end
  redis.call('HDEL', P .. ':rooms', room)
  return nil
end

-- A focus has a lease from its first conference on, so that what it has never lacks one.
local function note_owner(owner, id)
  redis.call('ZADD', P .. ':owners', 'NX', whole(NOW + LEASE_MS), owner)
  touch(P .. ':owners')
  redis.call('SADD', P .. ':owner:' .. owner, id)
  touch(P .. ':owner:' .. owner)
end

local function create_conference(room, id, sid, owner, version, next_endpoint, created)
  redis.call('HSET', conf_key(id), 'room', room, 'sid', sid, 'owner', owner, 'term', '1', 'version', version,
    'next', next_endpoint, 'created', created, 'size', '0', 'saves', '0', 'counts', '{}')
  redis.call('HSET', P .. ':rooms', room, id)
  touch_conf(id)
  touch(P .. ':rooms')
  note_owner(owner, id)
end

-- {id, room, sid, owner, version, created, counts, term}
local function conference_reply(id)
  local fields = redis.call('HMGET', conf_key(id), 'room', 'sid', 'owner', 'version', 'created', 'counts', 'term')
  return {id, unpack(fields)}
end

-- Appends identity and participant (JSON) of each who is in it.
local function add_members(reply, id)
  local fields = redis.call('HGETALL', conf_key(id))
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 2) == 'm:' then
      reply[#reply + 1] = string.sub(fields[index], 3)
      reply[#reply + 1] = fields[index + 1]
    end
  end
  return reply
end

local function count(counts, bridge, change)
  local left = (counts[bridge] or 0) + change
  if left > 0 then counts[bridge] = left else counts[bridge] = nil end
end

-- Takes a participant out; the caller counts the conference's version up.
local function remove_member(id, identity, member, counts)
  redis.call('HDEL', conf_key(id), 'm:' .. identity, 'e:' .. whole(member.endpoint))
  count(counts, member.bridge, -1)
  redis.call('HINCRBY', conf_key(id), 'size', -1)
end

local function put_member(id, identity, member, counts)
  redis.call('HSET', conf_key(id), 'm:' .. identity, cjson.encode(member), 'e:' .. whole(member.endpoint), identity)
  count(counts, member.bridge, 1)
  redis.call('HINCRBY', conf_key(id), 'size', 1)
end

local function grow(id, counts)
  redis.call('HSET', conf_key(id), 'counts', cjson.encode(counts))
  redis.call('HINCRBY', conf_key(id), 'version', 1)
  touch_conf(id)
end

local function counts_of(id) return cjson.decode(redis.call('HGET', conf_key(id), 'counts')) end

-- The member at an endpoint if it still is that SID's: its identity and the member, or nil.
local function member_at(id, endpoint, sid)
  local identity = redis.call('HGET', conf_key(id), 'e:' .. endpoint)
  if not identity then return nil end
  local member = cjson.decode(redis.call('HGET', conf_key(id), 'm:' .. identity))
  if member.sid ~= sid then return nil end
  return identity, member
end

-- Leaves no mark: a focus that was taken for dead may put back what it had.
local function close_conference(id)
  local key = conf_key(id)
  local room, owner = unpack(redis.call('HMGET', key, 'room', 'owner'))
  redis.call('DEL', key, snap_key(id))
  redis.call('ZREM', P .. ':orphans', id)
  if room and redis.call('HGET', P .. ':rooms', room) == id then redis.call('HDEL', P .. ':rooms', room) end
  if owner then redis.call('SREM', P .. ':owner:' .. owner, id) end
end

-- Closes up to 'limit' conferences of a focus; answers how many, fewer than the limit when that was all.
local function release_owner(owner, limit)
  local ids = redis.call('SPOP', P .. ':owner:' .. owner, limit)
  for _, id in ipairs(ids) do
    if redis.call('HGET', conf_key(id), 'owner') == owner then close_conference(id) end
  end
  return #ids
end

-- Appends up to 'limit' conferences of a dead focus to 'orphans'; each ends unless it is taken over. Answers how many there were.
local function orphan_owner(owner, limit, orphans)
  local ids = redis.call('SPOP', P .. ':owner:' .. owner, limit)
  for _, id in ipairs(ids) do
    if redis.call('HGET', conf_key(id), 'owner') == owner then
      redis.call('ZADD', P .. ':orphans', whole(NOW + ORPHAN_MS), id)
      touch(P .. ':orphans')
      touch_conf(id)
      orphans[#orphans + 1] = conference_reply(id)
    end
  end
  return #ids
end

-- What the others say of themselves, as JSON, while their leases hold.
local function live_focuses()
  local reply = {}
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', P .. ':owners', '(' .. whole(NOW), '+inf')) do
    local record = redis.call('HGET', P .. ':focuses', owner)
    if record then reply[#reply + 1] = record end
  end
  return reply
end

local function forget_focus(owner)
  redis.call('ZREM', P .. ':owners', owner)
  redis.call('HDEL', P .. ':boots', owner)
  redis.call('HDEL', P .. ':focuses', owner)
end
`;

/**
 * Refuses while the slot of the keys is moving to another node of a cluster: then each of the two has some of the keys, and neither can tell one that
 * is at the other from one that never was. The client tries again until the slot has moved. Where users may not ask, the check is left out.
 */
export const CLUSTER_GUARD_SCRIPT = `
local SLOT = redis.pcall('CLUSTER', 'KEYSLOT', P)
local NODES = redis.pcall('CLUSTER', 'NODES')
if type(NODES) == 'string' and string.find(NODES, '[' .. whole(SLOT) .. '-', 1, true) then
  return redis.error_reply('TRYAGAIN slot ' .. whole(SLOT) .. ' is moving')
end
`;
