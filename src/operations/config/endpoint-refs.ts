import { isPlain } from '../../base/json/plain.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'

/**
 * A copy of the spec of a profile with its endpoint ids replaced, which are no references that the kind knows of: by
 * addresses for documents (`proxy/orders:get-order`), and back. Specs of other kinds stay.
 */
export function mapEndpoints(kind: Kind, spec: Fields, change: (entry: string) => string): Fields {
  const endpoints = spec['endpoints']
  if (kind.type !== 'profiles' || !isPlain(endpoints)) return spec
  const mapped = Object.entries(endpoints).map(([list, entries]) => [
    list,
    Array.isArray(entries) ? entries.map((entry) => change(String(entry))) : entries,
  ])
  return { ...spec, endpoints: Object.fromEntries(mapped) }
}
