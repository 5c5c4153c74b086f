/** Parts of a request that a node has computed. */
import { isPlain, scalarText } from '../../base/json/plain.ts'
import { isNeverPassed, isOverride } from '../../model/http-names.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { canonicalTarget } from '../../wire/target.ts'

/** Answers are read: they must not be compressed. */
export const CODING = 'accept-encoding'

/** Names that a node may set: as callers may. @param name lower case */
export function isSendable(name: string): boolean {
  return name !== CODING && !isNeverPassed(name) && !isOverride(name)
}

/** A path that a node has computed. @throws NodeFailure for what is no canonical path */
export function toPath(value: unknown): string {
  const target = typeof value === 'string' ? canonicalTarget(value) : null
  if (target === null || target.query !== '')
    throw new NodeFailure(
      'path',
      'path is no canonical path: it starts with /, and has no query and no empty segment',
    )
  return target.path
}

/** A query without `?`. @throws NodeFailure for what is no object of texts, numbers and lists of them */
export function toQuery(value: unknown): string {
  if (value === null) return ''
  if (!isPlain(value)) throw new NodeFailure('query', 'query is no object')
  const query = new URLSearchParams()
  for (const [name, given] of Object.entries(value))
    for (const one of [given].flat()) {
      const text = one === null || one === undefined ? null : scalarText(one)
      if (text === undefined)
        throw new NodeFailure('query', `the parameter ${name} is neither a text nor a number`)
      if (text !== null) query.append(name, text)
    }
  return query.toString()
}
