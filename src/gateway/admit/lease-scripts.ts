/**
 * The scripts that count shared limits in Valkey. Each works on one key, in the time of the server, so that nodes need no common clock.
 *
 * A window is kept as its slots: a hash of slot number to units. Units that may be used until t count in the slot of t, and a slot counts
 * until its end plus the window. So what counts is never less than what all nodes have used in any trailing window.
 *
 * After a loss of data, nodes push what they have counted themselves. A slot then counts the larger of what was kept and what all
 * nodes pushed.
 */

/**
 * `now` is milliseconds, or 0 for the time of the server: tests pass theirs. All scripts answer
 * `[units, free, wait, slot]`: what is granted, what is left beyond all grants, milliseconds until more is where nothing was granted, and
 * the slot that counts the grant.
 */
const CLOCK = `
local function time(given)
  if given > 0 then return given end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local n = {}
for i = 1, #ARGV do n[i] = tonumber(ARGV[i]) end
local now = time(n[1])
local function share(free, cost, want, nodes)
  if free < cost then return 0 end
  return math.min(free, want, math.max(cost, math.floor(free / (2 * nodes))))
end
`

/** A window, of which `slotMsOf` in snapshot/find/limit-plan.ts makes 60 slots. Arguments: now, slot ms, window ms, life ms, max, cost, want, nodes, units to take back, their slot. */
const WINDOW = `${CLOCK}
local slotMs, windowMs, lifeMs, max, cost, want, nodes, back, backSlot = unpack(n, 2, 10)
local latest = math.floor((now + lifeMs) / slotMs)
local flat = redis.call('HGETALL', KEYS[1])
local kept, pushed, slots, gone = {}, {}, {}, {}
for i = 1, #flat, 2 do
  local name, units = flat[i], tonumber(flat[i + 1])
  local isPushed = string.sub(name, 1, 1) == 'p'
  local slot = tonumber(isPushed and string.sub(name, 2) or name)
  if (slot + 1) * slotMs + windowMs <= now then
    gone[#gone + 1] = name
  else
    if kept[slot] == nil then
      kept[slot], pushed[slot] = 0, 0
      slots[#slots + 1] = slot
    end
    if isPushed then pushed[slot] = units else kept[slot] = units end
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
local function add(slot, units)
  redis.call('HINCRBY', KEYS[1], slot, units)
  if pushed[slot] ~= nil and pushed[slot] > 0 then redis.call('HINCRBY', KEYS[1], 'p' .. slot, units) end
end
if back > 0 and kept[backSlot] ~= nil then
  local units = math.min(back, kept[backSlot])
  if units > 0 then
    add(backSlot, -units)
    kept[backSlot] = kept[backSlot] - units
    pushed[backSlot] = math.max(0, pushed[backSlot] - units)
  end
end
local total = 0
for _, slot in ipairs(slots) do total = total + math.max(kept[slot], pushed[slot]) end
-- The clock of the server was set back: what counts is taken to have been granted now
for _, slot in ipairs(slots) do
  if slot > latest + 60 then
    local units = math.max(kept[slot], pushed[slot])
    redis.call('HDEL', KEYS[1], slot, 'p' .. slot)
    add(latest, units)
    kept[slot], pushed[slot] = 0, 0
  end
end
local units = share(max - total, cost, want, nodes)
if units > 0 then add(latest, units) end
local free = max - total - units
local wait = 0
if units == 0 then
  table.sort(slots)
  for _, slot in ipairs(slots) do
    free = free + math.max(kept[slot], pushed[slot])
    wait = (slot + 1) * slotMs + windowMs - now
    if free >= cost then break end
  end
  free = math.max(0, max - total)
  wait = math.max(1, wait)
end
local last = latest
for _, slot in ipairs(slots) do if slot > last and slot <= latest + 60 then last = slot end end
redis.call('PEXPIRE', KEYS[1], (last + 1) * slotMs + windowMs - now)
return {units, free, wait, latest}
`

/** What a node has counted in a window. Arguments: now, slot ms, window ms, then pairs of slot and units. */
const WINDOW_PUSH = `${CLOCK}
local slotMs, windowMs = n[2], n[3]
local latest = 0
for i = 4, #n, 2 do
  if (n[i] + 1) * slotMs + windowMs > now then
    redis.call('HINCRBY', KEYS[1], 'p' .. ARGV[i], n[i + 1])
    if n[i] > latest then latest = n[i] end
  end
end
if latest > 0 then
  local left = math.max((latest + 1) * slotMs + windowMs - now, redis.call('PTTL', KEYS[1]))
  redis.call('PEXPIRE', KEYS[1], left)
end
return {0, 0, 0, 0}
`

/**
 * A bucket, as its debt in units of 1 / window of a call. Arguments: now, window ms, max, burst, cost, want, nodes, units to take back,
 * when those were granted. As a slot it answers that time. What may have been refilled since is not taken back: the bucket may have
 * been full meanwhile. Its fields: d and p, the debt that was kept and that nodes pushed; t, when both were brought up to date.
 */
const BUCKET = `${CLOCK}
local windowMs, max, burst, cost, want, nodes, back, grantedAt = unpack(n, 2, 9)
local read = redis.call('HMGET', KEYS[1], 'd', 'p', 't')
local d, p, t = tonumber(read[1] or 0), tonumber(read[2] or 0), tonumber(read[3] or now)
local refill = math.max(0, now - t) * max
if back > 0 then refill = refill + math.max(0, back * windowMs - math.max(0, now - grantedAt) * max) end
d, p = math.max(0, d - refill), math.max(0, p - refill)
local debt = math.max(d, p)
local free = math.floor((burst * windowMs - debt) / windowMs)
local units = share(free, cost, want, nodes)
d, p = d + units * windowMs, p + (p > 0 and units * windowMs or 0)
redis.call('HSET', KEYS[1], 'd', string.format('%.0f', d), 'p', string.format('%.0f', p), 't', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(d, p) / max) + 1000)
local wait = 0
if units == 0 then wait = math.max(1, math.ceil((debt - (burst - cost) * windowMs) / max)) end
return {units, math.max(0, free - units), wait, now}
`

/** The debt that a node has counted of a bucket. Arguments: now, max, debt. */
const BUCKET_PUSH = `${CLOCK}
local max, pushed = n[2], n[3]
local read = redis.call('HMGET', KEYS[1], 'd', 'p', 't')
local d, p, t = tonumber(read[1] or 0), tonumber(read[2] or 0), tonumber(read[3] or now)
local refill = math.max(0, now - t) * max
d, p = math.max(0, d - refill), math.max(0, p - refill) + pushed
redis.call('HSET', KEYS[1], 'd', string.format('%.0f', d), 'p', string.format('%.0f', p), 't', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(d, p) / max) + 1000)
return {0, 0, 0, 0}
`

/**
 * Places of a concurrency limit: a field for each node with its places and until when it has them. Arguments: now, node (a text), life
 * ms, max, cost, places wanted in all, places in use, number of nodes.
 *
 * Places in use always count, since calls hold them already. What is granted may be less: where nodes that could not ask have admitted too
 * many, and where another node waits that has fewer, or as many and has waited longer. Then it admits nothing new until enough of its calls
 * have ended. A node that waits says since when in a field of its own, for a second.
 */
const PLACES = `${CLOCK}
local node = ARGV[2]
local lifeMs, max, cost, want, used, nodes = unpack(n, 3, 8)
local flat = redis.call('HGETALL', KEYS[1])
local places, waits, others, since = {}, {}, 0, now
for i = 1, #flat, 2 do
  local value, untilMs = string.match(flat[i + 1], '^(%d+) (%d+)$')
  value, untilMs = tonumber(value), tonumber(untilMs)
  if untilMs <= now or untilMs > now + 10 * lifeMs then
    redis.call('HDEL', KEYS[1], flat[i])
  elseif flat[i] == 'wait:' .. node then
    since = value
  elseif string.sub(flat[i], 1, 5) == 'wait:' then
    waits[string.sub(flat[i], 6)] = value
  elseif flat[i] ~= node then
    places[flat[i]] = value
    others = others + value
  end
end
local isBehind, yields = false, false
for other, first in pairs(waits) do
  local has = places[other] or 0
  if has + 2 * cost <= used then isBehind, yields = true, true end
  if first < since and has <= used then isBehind = true end
  if first < since and has + cost <= used then yields = true end
end
local free = max - others - used
local more = (want > used and not isBehind) and share(free, cost, want - used, nodes) or 0
local granted = math.max(0, math.min(used + more, max - others))
if yields then granted = math.max(0, math.min(granted, used - cost)) end
if more > 0 then since = now end
local kept = math.max(used, granted)
local isWaiting = want > used and granted < used + cost
local function keep(field, places, ms)
  redis.call('HSET', KEYS[1], field, places .. ' ' .. string.format('%.0f', now + ms))
end
if kept > 0 then keep(node, kept, lifeMs) else redis.call('HDEL', KEYS[1], node) end
if isWaiting then keep('wait:' .. node, string.format('%.0f', since), 1000) else redis.call('HDEL', KEYS[1], 'wait:' .. node) end
redis.call('PEXPIRE', KEYS[1], lifeMs)
return {granted, math.max(0, free - more), isWaiting and 100 or 0, 0}
`

/** By the name under which they are called. */
export const LEASE_SCRIPTS = {
  window: WINDOW,
  window_push: WINDOW_PUSH,
  bucket: BUCKET,
  bucket_push: BUCKET_PUSH,
  places: PLACES,
} as const
export type LeaseScript = keyof typeof LEASE_SCRIPTS
