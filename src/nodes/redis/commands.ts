/**
 * Commands of Redis that a node may send. Each takes one key or several, which all get the prefix of the node. None of them blocks,
 * runs a script, lists keys, or reads or changes the server itself.
 */
export const ONE_KEY = [
  ...['GET', 'SET', 'GETDEL', 'GETEX', 'APPEND', 'STRLEN', 'TYPE'],
  ...['INCR', 'INCRBY', 'INCRBYFLOAT', 'DECR', 'DECRBY'],
  ...['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT', 'PERSIST', 'TTL', 'PTTL'],
  ...['HGET', 'HSET', 'HSETNX', 'HDEL', 'HMGET', 'HGETALL', 'HEXISTS', 'HINCRBY', 'HKEYS', 'HLEN'],
  ...['LPUSH', 'RPUSH', 'LPOP', 'RPOP', 'LRANGE', 'LLEN', 'LTRIM', 'LINDEX'],
  ...['SADD', 'SREM', 'SISMEMBER', 'SMEMBERS', 'SCARD'],
  ...['ZADD', 'ZREM', 'ZSCORE', 'ZRANGE', 'ZRANK', 'ZCARD', 'ZCOUNT', 'ZINCRBY'],
  ...['XADD', 'XLEN', 'PUBLISH'],
] as const

export const SEVERAL_KEYS = ['MGET', 'DEL', 'UNLINK', 'EXISTS'] as const
