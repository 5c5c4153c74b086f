import type { FieldRules } from '../port.ts'
import { type FieldRule, FieldTable, FRAMING_NAMES } from './field-table.ts'

/** {@link FieldRules} made ready for the scan, together with what every request needs. */
export interface RequestRules {
  readonly table: FieldTable
  /** Copied for each request. */
  readonly blank: readonly undefined[]
  readonly identity: ReadonlySet<string>
  /** Names and prefixes that are not passed on. */
  readonly dropped: ReadonlySet<string>
  readonly droppedPrefixes: readonly string[]
  /** Those of them whose lines are kept apart. */
  readonly withheld: ReadonlySet<string>
  readonly withheldPrefixes: readonly string[]
}

/** Framing, routing and expectations: read by the engine, written anew for the upstream. */
const READ = ['host', 'content-length', 'transfer-encoding', 'connection', 'expect']

/** Hop-by-hop fields (RFC 9110 7.6.1) and offers to switch protocols: never passed on. */
const HOP_BY_HOP = [
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
]

/** Compiles the rules of a listener set. Throws a RangeError on rules that cannot hold. */
export function compileRules(rules: FieldRules): RequestRules {
  if (rules.identity.length > 30) throw new RangeError('at most 30 identity names')
  const taken = [...rules.take, ...rules.peek]
  const { withhold = [], withholdPrefixes = [] } = rules
  const stripped = [...rules.strip, ...withhold]
  const prefixes = [...rules.stripPrefixes, ...withholdPrefixes]
  const names = new Set([...READ, ...HOP_BY_HOP, ...taken, ...rules.identity, ...stripped])
  const compiled: FieldRule[] = []
  for (const name of names) {
    const own = READ.includes(name)
    const isOffer = name === 'upgrade'
    if (own && taken.includes(name)) throw new RangeError(`"${name}" belongs to the engine`)
    const identity = rules.identity.indexOf(name)
    const index = taken.indexOf(name)
    compiled.push({
      name,
      bytes: Buffer.from(name, 'latin1'),
      visit: own || isOffer || index >= 0 || identity >= 0,
      keep:
        !own &&
        !HOP_BY_HOP.includes(name) &&
        !stripped.includes(name) &&
        !rules.take.includes(name) &&
        !prefixes.some((prefix) => name.startsWith(prefix)),
      taken: index,
      framing: FRAMING_NAMES.includes(name),
      identity: identity < 0 ? 0 : 1 << identity,
    })
  }
  return {
    table: new FieldTable(compiled, prefixes),
    blank: taken.map(() => undefined),
    identity: new Set(rules.identity),
    dropped: new Set(compiled.filter((rule) => !rule.keep).map((rule) => rule.name)),
    droppedPrefixes: prefixes,
    withheld: new Set(withhold),
    withheldPrefixes: withholdPrefixes,
  }
}
