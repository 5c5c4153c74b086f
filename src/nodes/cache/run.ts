import { toMs } from '../../base/clock.ts'
import { mayFit } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { type Execute, keyOf, NodeFailure, type NodeRun } from '../run.ts'

/** Bytes of a value as JSON. */
const VALUE_BYTES_MAX = 256 * 1024
const TOO_LONG = `the value is longer than ${VALUE_BYTES_MAX} bytes as JSON`

export const cacheRun: NodeRun = {
  name: 'cache_node',
  inTrial: 'runs',
  link(config) {
    switch (config['op']) {
      case 'get':
        return reading(config['allow_stale'] === true)
      case 'set':
        return writing(config)
      default:
        return ({ key }, { values }) => {
          values.delete(keyOf(key))
          return { handle: 'default', outputs: {} }
        }
    }
  },
}

function reading(allowsStale: boolean): Execute {
  return ({ key }, { values }) => {
    const found = values.get(keyOf(key))
    if (found === null || !(found.isFresh || allowsStale)) return { handle: 'miss', outputs: { value: null } }
    return { handle: found.isFresh ? 'hit' : 'stale', outputs: { value: JSON.parse(found.json) } }
  }
}

function writing({ ttl, keep_stale }: Plain): Execute {
  // The definition has parsed the settings
  const freshMs = toMs(String(ttl))
  const staleMs = keep_stale === undefined ? 0 : toMs(String(keep_stale))
  return ({ key, value }, { values }) => {
    const kept = values.set(keyOf(key), jsonOf(value), { freshMs, staleMs })
    return { handle: 'default', outputs: { kept } }
  }
}

/** @throws NodeFailure for what is no JSON, or too long */
function jsonOf(value: unknown): string {
  if (value === undefined) throw new NodeFailure('value', 'the input value is missing')
  if (!mayFit(value, VALUE_BYTES_MAX)) throw new NodeFailure('value', TOO_LONG)
  const json = JSON.stringify(value, (_name, inner: unknown) => {
    if (inner instanceof Uint8Array)
      throw new NodeFailure('value', 'a body that is neither JSON nor text cannot be kept')
    return inner
  })
  if (Buffer.byteLength(json) > VALUE_BYTES_MAX) throw new NodeFailure('value', TOO_LONG)
  return json
}
