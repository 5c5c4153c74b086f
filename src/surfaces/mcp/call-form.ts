import { isDeepStrictEqual } from 'node:util'
import { isPlain, type Plain, pointerTo, tokenText } from '../../base/json/plain.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { inputInvalid } from './arguments.ts'

/** Name, beside the `action` of a grouped tool, of a member `action` that the operation has itself. */
const OWN_ACTION = 'filter_action'

/** Arguments of an operation as one flat object, whatever form they came in. */
export interface ReadForm {
  readonly given: Plain
  /** Where the caller wrote what a pointer into `given` names, or would write it. */
  readonly pointerOf: (pointer: string) => string
}

/**
 * Reads the arguments of an operation. They may stand beside `action`, in `arguments` (an object, or its JSON text, as some
 * models write it), and those of an update in `changes`. Refuses with input_invalid a member that has two different values.
 * @param given what the caller sent, without the `action` of a grouped tool
 * @param isThis of a grouped tool: whether an action names this operation, since models repeat it in `arguments`
 */
export function readForm(
  operation: Operation,
  given: Plain,
  isThis: ((action: unknown) => boolean) | null,
): ReadForm {
  const { shape } = operation.input
  const places = new Map<string, string>()
  const flat = new Map<string, unknown>()
  let base = ''
  const add = (name: string, value: unknown, place: string): void => {
    if (flat.has(name) && !isDeepStrictEqual(flat.get(name), value))
      throw inputInvalid([{ pointer: place, reason: `differs from ${places.get(name)}` }])
    if (!places.has(name)) places.set(name, place)
    flat.set(name, value)
  }
  const addAll = (members: Plain, at: string): void => {
    for (const [name, value] of Object.entries(members)) {
      const place = pointerTo(at, name.slice(0, 64))
      if (name === 'changes' && isPlain(value) && holdsChanges(operation)) addAll(value, place)
      else if (name === 'arguments' && at === '' && !Object.hasOwn(shape, name)) {
        const inside = objectOf(value)
        if (inside === null) throw inputInvalid([{ pointer: place, reason: 'must be an object' }])
        if (Object.keys(inside).length > 0) base = place
        addAll(inside, place)
      } else if (name === 'id' && value === null) continue
      else if (isThis !== null && name === OWN_ACTION && Object.hasOwn(shape, 'action'))
        add('action', value, place)
      else if (isThis !== null && name === 'action' && !Object.hasOwn(shape, 'action') && isThis(value))
        continue
      else add(name, value, place)
    }
  }
  addAll(given, '')
  return {
    given: Object.fromEntries(flat),
    pointerOf(pointer) {
      const [, name = '', rest = ''] = /^\/([^/]*)(.*)$/.exec(pointer) ?? []
      const member = tokenText(name)
      const place = places.get(member)
      return place === undefined ? (member === 'id' ? pointer : base + pointer) : place + rest
    },
  }
}

/** True for an update, unless it has a member `changes` of its own. */
function holdsChanges({ action, input }: Operation): boolean {
  return action === 'update' && !Object.hasOwn(input.shape, 'changes')
}

/** The object that `arguments` holds; null for anything else. */
export function objectOf(value: unknown): Plain | null {
  if (value === null || value === undefined) return {}
  if (isPlain(value)) return value
  if (typeof value !== 'string') return null
  try {
    const parsed: unknown = JSON.parse(value)
    return isPlain(parsed) ? parsed : null
  } catch {
    return null
  }
}
