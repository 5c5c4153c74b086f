import { isPlain, type Plain } from '../../base/json/plain.ts'
import { toGlob } from '../../base/text/patterns.ts'
import {
  type CapabilityMatch,
  type CapabilityType,
  HINT_DEFAULTS,
  KEY_OF,
  type MatchField,
} from '../../model/mcp/capability.ts'

/** A question to an item as its server lists it. Members that are no text fit nothing. */
export function toMatch(type: CapabilityType, match: CapabilityMatch): (item: Plain) => boolean {
  if ('exact' in match) return (item) => item[KEY_OF[type]] === match.exact
  if ('glob' in match) {
    const { on } = match
    const fits = toGlob(match.glob)
    return (item) => {
      const value = fieldOf(type, item, on)
      return typeof value === 'string' && fits(value)
    }
  }
  const { annotation, is } = match
  return ({ annotations }) => {
    const hint =
      isPlain(annotations) && Object.hasOwn(annotations, annotation) ? annotations[annotation] : null
    return (typeof hint === 'boolean' ? hint : HINT_DEFAULTS[annotation]) === is
  }
}

function fieldOf(type: CapabilityType, item: Plain, on: MatchField | 'key'): unknown {
  if (on === 'key' || on === 'uri') return item[KEY_OF[type]]
  // Tools of older revisions have their title among the annotations
  if (on === 'title' && item['title'] === undefined && isPlain(item['annotations']))
    return item['annotations']['title']
  return item[on]
}
