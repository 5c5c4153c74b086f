/** Items as callers see them: with their public name, and with the members that a policy projects. */

import { isPlain, type Plain } from '../../base/json/storable.ts'
import { FoldedNames } from '../../base/text/folded-names.ts'
import { type CapabilityType, KEY_OF, type Projection } from '../../model/mcp/capability.ts'

export interface Visible {
  readonly type: CapabilityType
  /** Id of the member. */
  readonly member: string
  /** What the member's server calls the item. */
  readonly key: string
  /** What callers call it: a name, a URI or a URI template. */
  readonly name: string
  /** As of `PublicName`: what callers may call it beside its name. Absent without one. */
  readonly alias?: string
  /** The item as lists have it. */
  readonly shown: Plain
  /** Input schema of a tool as its server lists it: with the arguments that callers must not give. */
  readonly schema: unknown
  /** `execution` of a tool as its server lists it: Postern calls the tool by it, also where callers do not see it. */
  readonly execution: unknown
  /** Arguments that every call has. */
  readonly fixed: Plain
  /** Arguments that callers must not give: those that are fixed or hidden. */
  readonly closed: FoldedNames
}

const NONE = new FoldedNames([])
export const NO_ARGUMENTS: Plain = Object.freeze({})

/** The item under a projection; the item itself where nothing differs. */
export function viewOf(
  { type, member, key, name, execution }: Pick<Visible, 'type' | 'member' | 'key' | 'name' | 'execution'>,
  item: Plain,
  projection: Projection | null,
): Visible {
  const named = item[KEY_OF[type]] === name ? item : { ...item, [KEY_OF[type]]: name }
  const schema = item['inputSchema']
  if (projection === null)
    return { type, member, key, name, shown: named, schema, execution, fixed: NO_ARGUMENTS, closed: NONE }
  const { fixed = NO_ARGUMENTS, hidden = [] } = projection
  const closed = new FoldedNames([...Object.keys(fixed), ...hidden])
  const shown: Plain = { ...named }
  // The name of a tool or prompt is the public name already
  if (projection.name !== undefined && KEY_OF[type] !== 'name') shown['name'] = projection.name
  if (projection.title !== undefined) shown['title'] = projection.title
  if (projection.description !== undefined) shown['description'] = projection.description
  if (projection.annotations !== undefined)
    shown['annotations'] = {
      ...(isPlain(item['annotations']) ? item['annotations'] : {}),
      ...projection.annotations,
    }
  if (closed.size > 0 && type === 'tools')
    shown['inputSchema'] = withoutProperties(item['inputSchema'], closed)
  if (closed.size > 0 && type === 'prompts' && Array.isArray(item['arguments']))
    shown['arguments'] = item['arguments'].filter((one) => {
      const argument = isPlain(one) ? one['name'] : null
      return typeof argument !== 'string' || !closed.has(argument)
    })
  return { type, member, key, name, shown, schema, execution, fixed, closed }
}

/**
 * The tool with the public URI of the page that shows its results (MCP Apps: `_meta.ui.resourceUri`, and `ui/resourceUri` of earlier
 * drafts); the tool itself where that is the same.
 */
export function withPublicApp(tool: Plain, toPublicUri: (uri: string) => string): Plain {
  const { _meta: meta } = tool
  if (!isPlain(meta)) return tool
  const changed: Plain = {}
  const { ui, [FLAT_APP]: flat } = meta
  if (isPlain(ui) && typeof ui['resourceUri'] === 'string') {
    const resourceUri = toPublicUri(ui['resourceUri'])
    if (resourceUri !== ui['resourceUri']) changed['ui'] = { ...ui, resourceUri }
  }
  if (typeof flat === 'string' && toPublicUri(flat) !== flat) changed[FLAT_APP] = toPublicUri(flat)
  return Object.keys(changed).length === 0 ? tool : { ...tool, _meta: { ...meta, ...changed } }
}

const FLAT_APP = 'ui/resourceUri'

/** Keywords of JSON Schema whose schemas are about the same value. */
const SAME_VALUE = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else'] as const
/** Nesting down to which schemas of the same value are looked through. */
const DEPTH_MAX = 16

/** The schema of an object without some of its properties, also where it requires or combines them. */
function withoutProperties(schema: unknown, closed: Pick<FoldedNames, 'has'>, depth: number = 0): unknown {
  if (Array.isArray(schema)) return schema.map((one) => withoutProperties(one, closed, depth))
  if (!isPlain(schema) || depth > DEPTH_MAX) return schema
  const copy: Plain = { ...schema }
  for (const keyword of ['properties', 'dependentRequired', 'dependentSchemas', 'dependencies'])
    if (isPlain(copy[keyword]))
      copy[keyword] = Object.fromEntries(
        Object.entries(copy[keyword])
          .filter(([name]) => !closed.has(name))
          .map(([name, value]) => [name, keyword === 'properties' ? value : withoutNames(value, closed)]),
      )
  if (Array.isArray(copy['required'])) copy['required'] = withoutNames(copy['required'], closed)
  for (const keyword of SAME_VALUE)
    if (copy[keyword] !== undefined) copy[keyword] = withoutProperties(copy[keyword], closed, depth + 1)
  return copy
}

function withoutNames(value: unknown, closed: Pick<FoldedNames, 'has'>): unknown {
  return Array.isArray(value) ? value.filter((name) => typeof name !== 'string' || !closed.has(name)) : value
}
