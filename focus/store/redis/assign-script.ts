/**
 * Takes a place in one step. The focus chose on its own view of bridges and conference, and says for each choice what it relied on;
 * the first choice for which that still holds is carried out. When none does, the answer is what the focus must know to choose again.
 *
 * ARGV: 2 room, 3 SID for a new conference or empty, 4 ID for it, 5 identity, 6 SID, 7 region, 8 owner, 9 most participants,
 * 10 newest change number the focus knows of bridges, then six for each choice: bridge, its boot, its state, the most that
 * may have been assigned to it since its report, the most it may have of this conference, and the conference's bridges,
 * joined by spaces, or '*' for any.
 *
 * Answers: {'unknown-room'}, {'room-full'}, {'id-taken'},
 * {'placed', index of the choice, endpoint ID, placed at, assigned to the bridge since its report, replaced (JSON) or '', conference},
 * {'stale', conference or {} , counts without who would be replaced (JSON), bridges that changed}.
 * An assignment that is repeated, because its answer was lost, is answered as it was carried out ('again', participant, conference).
 */
export const ASSIGN_SCRIPT = `
local room, create_sid, new_id, identity, sid = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local region, owner, limit = ARGV[7], ARGV[8], tonumber(ARGV[9])
local FIRST, WIDTH = 11, 6

local id = open_conference(room)
if not id and create_sid == '' then return {'unknown-room'} end
local counts, replaced, size = {}, nil, 0
if id then
  local found
  found = redis.call('HMGET', conf_key(id), 'm:' .. identity, 'size', 'counts')
  replaced, size, counts = found[1], tonumber(found[2]), cjson.decode(found[3])
end
local old = replaced and cjson.decode(replaced)
if old and old.sid == sid then return {'again', replaced, conference_reply(id)} end
if limit > 0 and size - (old and 1 or 0) >= limit then return {'room-full'} end

local without = {}
for bridge, number in pairs(counts) do without[bridge] = number end
if old then count(without, old.bridge, -1) end
local bridges_present = 0
for _ in pairs(without) do bridges_present = bridges_present + 1 end

-- Not compared as text: the order of names depends on the server's locale.
local function is_present(names)
  if names == '*' then return true end
  local known = 0
  for name in string.gmatch(names, '%S+') do
    if not without[name] then return false end
    known = known + 1
  end
  return known == bridges_present
end

local chosen
for index = FIRST, #ARGV, WIDTH do
  local bridge = redis.call('HMGET', P .. ':bridge:' .. ARGV[index], 'at', 'boot', 'state', 'placed')
  if bridge[1] and NOW - bridge[1] < BRIDGE_EXPIRY_MS and bridge[2] == ARGV[index + 1] and bridge[3] == ARGV[index + 2]
    and tonumber(bridge[4]) <= tonumber(ARGV[index + 3])
    and (without[ARGV[index]] or 0) <= tonumber(ARGV[index + 4])
    and is_present(ARGV[index + 5]) then
    chosen = index
    break
  end
end
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
if old then
  remove_member(id, identity, old, counts)
  if old.owner ~= owner then
    redis.call('RPUSH', P .. ':gone:' .. old.owner, cjson.encode({conference = id, endpoint = old.endpoint, sid = old.sid}))
    touch(P .. ':gone:' .. old.owner)
  end
end
local member = {sid = sid, bridge = bridge, region = region, owner = owner, at = NOW, endpoint = endpoint}
put_member(id, identity, member, counts)
grow(id, counts)
touch(P .. ':rooms')
note_owner(owner, id)
local placed = redis.call('HINCRBY', P .. ':bridge:' .. bridge, 'placed', 1)
bridge_changed(bridge)
return {'placed', (chosen - FIRST) / WIDTH, endpoint, whole(NOW), placed, replaced or '', conference_reply(id)}
`;
