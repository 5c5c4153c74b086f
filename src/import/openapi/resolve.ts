import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { broken } from '../text/plain-data.ts'
import { localTokens, lookUp } from './pointer.ts'

/** An object of the description and where it stands, after its `$ref`s were followed. */
export interface Found {
  readonly value: Plain
  readonly pointer: string
}

/** References to references; more is a mistake. */
const HOPS_MAX = 32

/**
 * Follows `$ref` of a path item, parameter, request body, response or example to the object itself. What the import
 * needs and cannot find is refused at the reference; other documents are never fetched.
 */
export function resolve(document: Plain, value: unknown, pointer: string, what: string): Found {
  let found: Found = { value: {}, pointer }
  let current = value
  let place = pointer
  for (let hops = 0; hops <= HOPS_MAX; hops++) {
    if (!isPlain(current)) throw broken(place, `${what} must be an object`)
    found = { value: current, pointer: place }
    const reference = current['$ref']
    if (typeof reference !== 'string') {
      if (reference === undefined) return found
      throw broken(pointerTo(place, '$ref'), 'a reference must be text')
    }
    const tokens = localTokens(reference)
    if (tokens === null)
      throw broken(
        pointerTo(place, '$ref'),
        'only references into this document (#/...) are followed; bundle the description first',
      )
    const target = lookUp(document, tokens)
    if (target === undefined)
      throw broken(pointerTo(place, '$ref'), `points at ${reference.slice(0, 200)}, which is not there`)
    current = target
    place = pointerTo('', ...tokens)
  }
  throw broken(pointerTo(pointer, '$ref'), 'a reference leads back to itself')
}
