/** OpenAPI 3.2 in the terms of 3.1, as far as these have the means; the rest is noted. */
import { isPlain, type Plain, pointerTo } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import { localTokens, lookUp } from './pointer.ts'

/** References of media types to media types that are followed. */
const HOPS_MAX = 8

/**
 * Bodies in the terms of 3.1: a reference to a shared Media Type Object (3.2 section 4.7.4) is replaced by that object, and the
 * schema of the items of a stream is noted as not enforced. Methods, places and styles of parameters that 3.2 adds are noted by the
 * readers of path items and parameters.
 */
export function fromThreeTwo(document: Plain, notes: FieldError[]): Plain {
  const bodyOf = (owner: unknown, place: string): unknown => {
    if (!isPlain(owner) || !isPlain(owner['content'])) return owner
    const content = Object.entries(owner['content']).map(([type, value]) => {
      const media = mediaTypeOf(document, value)
      if (isPlain(media) && media['itemSchema'] !== undefined)
        notes.push({
          pointer: pointerTo(place, 'content', type, ...(media === value ? ['itemSchema'] : [])),
          reason: 'itemSchema: the items of a stream are not looked into',
        })
      return [type, media] as const
    })
    return { ...owner, content: Object.fromEntries(content) }
  }
  const bodiesOf = (owner: unknown, place: string): unknown =>
    isPlain(owner) ? mapped(owner, (value, name) => bodyOf(value, pointerTo(place, name))) : owner
  const operationOf = (value: unknown, place: string): unknown =>
    isPlain(value)
      ? mapped(value, (part, member) =>
          member === 'requestBody'
            ? bodyOf(part, pointerTo(place, member))
            : member === 'responses'
              ? bodiesOf(part, pointerTo(place, member))
              : part,
        )
      : value
  const { paths, components } = document
  return {
    ...document,
    ...(isPlain(paths)
      ? {
          paths: mapped(paths, (item, path) =>
            isPlain(item)
              ? mapped(item, (part, member) =>
                  member === 'parameters' ? part : operationOf(part, pointerTo('/paths', path, member)),
                )
              : item,
          ),
        }
      : {}),
    ...(isPlain(components)
      ? {
          components: mapped(components, (section, name) =>
            name === 'requestBodies' || name === 'responses'
              ? bodiesOf(section, pointerTo('/components', name))
              : section,
          ),
        }
      : {}),
  }
}

function mapped(owner: Plain, to: (value: unknown, name: string) => unknown): Plain {
  return Object.fromEntries(Object.entries(owner).map(([name, value]) => [name, to(value, name)]))
}

/** A reference that leads nowhere allows any body, as an absent schema does. */
function mediaTypeOf(document: Plain, value: unknown): unknown {
  let current = value
  for (let hops = 0; hops < HOPS_MAX && isPlain(current) && typeof current['$ref'] === 'string'; hops++) {
    const tokens = localTokens(current['$ref'])
    current = tokens === null ? undefined : lookUp(document, tokens)
  }
  return isPlain(current) ? current : {}
}
