/**
 * Take a place in one step. The focus chose on its own view of bridges and conference, and says for each choice what it relied on;
 * the first choice for which that still holds is carried out. When none does, the answer is what the focus must know to choose again.
 */

/**
 * Six arguments for each choice: bridge, its boot, its state, the most that may have been assigned to it since its report, the most it may have of this
 * conference, and the conference's bridges, joined by spaces, or '*' for any.
 */
const FIRST_THAT_HOLDS = `
local WIDTH = 6

-- Not compared as text: the order of names depends on the server's locale.
local function is_present(names, counts)
  if names == '*' then return true end
  local known, present = 0, 0
  for name in string.gmatch(names, '%S+') do
    if not counts[name] then return false end
    known = known + 1
  end
  for _ in pairs(counts) do present = present + 1 end
  return known == present
end

-- 'counts' is without whoever is replaced or moved.
local function first_that_holds(first, counts)
  for index = first, #ARGV, WIDTH do
    local bridge = redis.call('HMGET', P .. ':bridge:' .. ARGV[index], 'at', 'boot', 'state', 'placed')
    if bridge[1] and NOW - bridge[1] < BRIDGE_EXPIRY_MS and bridge[2] == ARGV[index + 1] and bridge[3] == ARGV[index + 2]
      and tonumber(bridge[4]) <= tonumber(ARGV[index + 3])
      and (counts[ARGV[index]] or 0) <= tonumber(ARGV[index + 4])
      and is_present(ARGV[index + 5], counts) then
      return index
    end
  end
  return nil
end

local function counts_without(counts, member)
  local without = {}
  for bridge, number in pairs(counts) do without[bridge] = number end
  if member then count(without, member.bridge, -1) end
  return without
end

local function count_placed(bridge)
  local placed = redis.call('HINCRBY', P .. ':bridge:' .. bridge, 'placed', 1)
  bridge_changed(bridge)
  return placed
end
`;

/**
 * ARGV: 2 room, 3 SID for a new conference or empty, 4 ID for it, 5 identity, 6 SID, 7 region, 8 the focus that asks, 9 most participants,
 * 10 newest change number the focus knows of bridges, then the choices.
 *
 * Answers: {'unknown-room'}, {'room-full'}, {'id-taken'},
 * {'placed', index of the choice, endpoint ID, placed at, assigned to the bridge since its report, replaced (JSON) or '', conference},
 * {'stale', conference or {} , counts without who would be replaced (JSON), bridges that changed}.
 * An assignment that is repeated, because its answer was lost, is answered as it was carried out ('again', participant, conference).
 * The owner of the conference, when that is another focus, finds it among its news.
 */
const ASSIGN = `
local room, create_sid, new_id, identity, sid = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local region, asker, limit = ARGV[7], ARGV[8], tonumber(ARGV[9])
local FIRST = 11

local id = open_conference(room)
if not id and create_sid == '' then return {'unknown-room'} end
local counts, replaced, size, owner = {}, nil, 0, asker
if id then
  local found
  found = redis.call('HMGET', conf_key(id), 'm:' .. identity, 'size', 'counts', 'owner')
  replaced, size, counts, owner = found[1], tonumber(found[2]), cjson.decode(found[3]), found[4]
end
local old = replaced and cjson.decode(replaced)
if old and old.sid == sid then return {'again', replaced, conference_reply(id)} end
if limit > 0 and size - (old and 1 or 0) >= limit then return {'room-full'} end

local without = counts_without(counts, old)
local chosen = first_that_holds(FIRST, without)
if not chosen then
  return {'stale', id and conference_reply(id) or {}, cjson.encode(without), bridges_since(ARGV[10])}
end

if not id then
  if redis.call('EXISTS', conf_key(new_id), P .. ':closed:' .. new_id) > 0 then return {'id-taken'} end
  create_conference(room, new_id, create_sid, owner, '1', '1', whole(NOW))
  id = new_id
end
local bridge = ARGV[chosen]
local endpoint = redis.call('HINCRBY', conf_key(id), 'next', 1) - 1
if old then remove_member(id, identity, old, counts) end
local member = {sid = sid, bridge = bridge, region = region, at = NOW, endpoint = endpoint}
if asker ~= owner then
  member.by = asker
  local news = {conference = id, identity = identity, member = member}
  add_numbered(P .. ':news:' .. owner, cjson.encode(news))
end
put_member(id, identity, member, counts)
grow(id, counts)
touch(P .. ':rooms')
local placed = count_placed(bridge)
return {'placed', (chosen - FIRST) / WIDTH, endpoint, whole(NOW), placed, replaced or '', conference_reply(id)}
`;

/**
 * ARGV: 2 conference ID, 3 endpoint ID, 4 SID, 5 newest change number the focus knows of bridges, then the choices.
 *
 * Answers: {'unknown'}, {'stale', conference, counts without who is moved (JSON), bridges that changed},
 * {'moved', index of the choice, assigned to the bridge since its report, identity, participant (JSON), conference}.
 */
const MOVE = `
local id, FIRST = ARGV[2], 6
local identity, member = member_at(id, ARGV[3], ARGV[4])
if not identity then return {'unknown'} end
local counts = counts_of(id)
local without = counts_without(counts, member)
local chosen = first_that_holds(FIRST, without)
if not chosen then return {'stale', conference_reply(id), cjson.encode(without), bridges_since(ARGV[5])} end
local bridge, placed = ARGV[chosen], nil
if bridge == member.bridge then
  placed = redis.call('HGET', P .. ':bridge:' .. bridge, 'placed')
else
  remove_member(id, identity, member, counts)
  member.bridge = bridge
  put_member(id, identity, member, counts)
  grow(id, counts)
  placed = count_placed(bridge)
end
return {'moved', (chosen - FIRST) / WIDTH, placed, identity, cjson.encode(member), conference_reply(id)}
`;

export const ASSIGN_SCRIPTS = {
  assign: `${FIRST_THAT_HOLDS}${ASSIGN}`,
  move: `${FIRST_THAT_HOLDS}${MOVE}`,
} as const;
