import type { FieldError } from '../../base/refusal.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Endpoint, JudgedCall } from '../port.ts'
import { isJsonType, isTaken, mediaTypeOf } from './body-rule.ts'
import { compiledFor } from './contracts.ts'
import { readJsonBody } from './json-body.ts'

/**
 * What the check `contract` would find wrong with a call, up to its bound of errors. Empty for an endpoint whose contract is not
 * looked at, or cannot be used.
 */
export function contractFaults(
  snapshot: Snapshot,
  endpoint: Endpoint,
  method: string,
  { target, lines, body }: JudgedCall,
): readonly FieldError[] {
  const collection = snapshot.collections.get(endpoint.collection.id)
  const proxy = collection?.proxies.find(({ id }) => id === endpoint.proxy.id)
  if (collection === undefined || proxy === undefined || proxy.fragment.contract === null) return []
  try {
    const compiled = compiledFor(snapshot, collection, proxy, method)
    if (compiled === null) return []
    const [path = '', query = ''] = target.split(/\?(.*)/s)
    const below = path.slice(collection.fragment.base_path.length)
    const errors: FieldError[] = []
    compiled.parameters?.({ paths: proxy.parameters!(below === '' ? '/' : below), query, lines }, errors)
    if (errors.length > 0 || compiled.body === null) return errors
    const rule = compiled.body
    // An empty form is sent as no body
    if (body === null || body.length === 0)
      return rule.required ? [{ pointer: '', reason: 'is required' }] : []
    const type = mediaTypeOf(/^content-type: (.*)\r$/m.exec(lines)?.[1] ?? '')
    if (type === null || !isTaken(type.essence, rule.types))
      return [{ pointer: '/header/content-type', reason: `must be one of ${rule.types.join(', ')}` }]
    const judge = isJsonType(type.essence) ? rule.judgeFor(type.essence) : null
    if (judge === null) return []
    const read = readJsonBody(body)
    return read.ok ? (judge(read.value, read.inexact) ?? []) : [{ pointer: '', reason: read.reason }]
  } catch (error) {
    if (error instanceof RangeError) return []
    throw error
  }
}
