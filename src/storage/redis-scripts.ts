// Every change is one script, so that nobody comes between the look and the write. The server's clock counts.
const now = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

// KEYS: record. Gives value, version, and how old it is.
export const readRecord: string = `${now}
local found = redis.call('HMGET', KEYS[1], 'value', 'version', 'at')
if not found[2] then return false end
return {found[1], found[2], string.format('%.0f', now), found[3]}`;

// KEYS: record, names, index. ARGV: expected version after '=', or '-' for none; key; channel; value; version; age; index as JSON, or ''.
export const writeRecord: string = `${now}
local current = redis.call('HGET', KEYS[1], 'version')
if (current and '=' .. current or '-') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'value', ARGV[4], 'version', ARGV[5], 'at', string.format('%.0f', now - tonumber(ARGV[6])))
if ARGV[7] == '' then
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('HDEL', KEYS[3], ARGV[2])
else
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
  redis.call('HSET', KEYS[3], ARGV[2], ARGV[7])
end
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1`;

// KEYS: record, names, index. ARGV: expected version after '='; key; channel.
export const removeRecord: string = `
local current = redis.call('HGET', KEYS[1], 'version')
if not current or '=' .. current ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1`;

// KEYS: names, index. ARGV: where to begin, as ZRANGEBYLEX takes it; how many. Gives names and entries in turn, in the order of names.
export const readIndex: string = `
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
if #names == 0 then return names end
local entries = redis.call('HMGET', KEYS[2], unpack(names))
local rows = {}
for i, name in ipairs(names) do
  rows[#rows + 1] = name
  rows[#rows + 1] = entries[i] or ''
end
return rows`;

// KEYS: lock. ARGV: owner, lease in milliseconds.
export const takeLock: string = `return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0`;
export const extendLock: string = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;
export const releaseLock: string = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;
