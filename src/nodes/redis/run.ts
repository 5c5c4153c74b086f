import { isPlain, type Plain, scalarText } from '../../base/json/storable.ts'
import { type OwnedBytes, ownedBytes } from '../../base/memory/bytes.ts'
import { boundJson, boundValues, keyOf, NodeFailure, type NodeRun, placeOf } from '../run.ts'

/** Values after the key. */
const ARGS_MAX = 1000

export const redisRun: NodeRun = {
  name: 'redis_node',
  inTrial: { outputs: { value: null } },
  link(config) {
    const place = placeOf(config)
    const { prefix, database, command: named, encoding } = config
    const command = String(named)
    const takesSeveral = SEVERAL_KEYS.some((one) => one === command)
    const work = {
      service: 'redis',
      database: Number(database),
      command,
      // The definition has parsed the settings
      encoding: encoding as 'text' | 'json' | 'base64',
    } as const
    return async (inputs, { askService }) => {
      const args = [...keysOf(inputs, String(prefix), takesSeveral), ...argsOf(inputs, takesSeveral)]
      boundValues(args)
      return {
        handle: 'default',
        outputs: { value: await askService({ ...place, work: { ...work, args } }) },
      }
    }
  },
}

function keysOf({ key }: Plain, prefix: string, takesSeveral: boolean): string[] {
  if (!takesSeveral || !Array.isArray(key)) return [prefix + keyOf(key)]
  if (key.length === 0 || key.length > ARGS_MAX)
    throw new NodeFailure('key', `key is no list of 1 to ${ARGS_MAX} keys`)
  return key.map((one) => prefix + keyOf(one))
}

/** @param takesSeveral The command reads what follows its key as further keys, which have no prefix. */
function argsOf({ args = [] }: Plain, takesSeveral: boolean): (string | OwnedBytes)[] {
  if (takesSeveral && Array.isArray(args) && args.length > 0)
    throw new NodeFailure('args', 'the command takes no args: give key a list of keys')
  if (!Array.isArray(args) || args.length > ARGS_MAX)
    throw new NodeFailure('args', `args is no list of at most ${ARGS_MAX} values`)
  return args.map((value, index) => {
    if (value instanceof Uint8Array) return ownedBytes(value)
    if (isPlain(value) || Array.isArray(value)) return boundJson(value)
    const text = scalarText(value)
    if (text === undefined) throw new NodeFailure('args', `value ${index} of args is null`)
    return text
  })
}

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
