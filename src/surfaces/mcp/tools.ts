import { pointerTo } from '../../base/json/storable.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { visibleJson } from '../../base/text/visible.ts'
import { inWords } from '../../model/resource-types.ts'
import {
  type Invoked,
  toWriteOptions,
  WriteOptionsInput,
  writeOptionNames,
} from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import { nameOf } from '../route.ts'
import { type Property, type PublishedSchema, publishInput, publishOutput } from './published.ts'

/** The action by which a grouped tool tells the schema and an example of any of its actions. */
export const DESCRIBE = 'describe'

/** A tool of either view: operations behind one name. */
export interface ManagementTool {
  readonly name: string
  /** What `action` may say; one entry without asking when the tool is one operation. */
  readonly actions: ReadonlyMap<string, Operation>
  /** Listed names of the actions, in order; empty when the tool is one operation. */
  readonly listed: readonly string[]
  readonly operations: readonly Operation[]
  /** Operations of other groups that an action may mean; see {@link meantByMember}. */
  readonly others: readonly Operation[]
}

export interface ManagementTools {
  readonly full: readonly ManagementTool[]
  readonly grouped: readonly ManagementTool[]
  /** Every name of both views. */
  readonly byName: ReadonlyMap<string, ManagementTool>
}

/** Actions that a group understands and does not list: what people call the credentials of a client, and earlier names. */
const UNLISTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  manage_credentials: {
    create_client: 'clients.create',
    generate: 'profiles.rotate',
    revoke: 'profiles.revoke',
  },
  // They had no other meaning before sinks were in this group
  manage_exports: {
    list: 'exports.list',
    get: 'exports.get',
    create: 'exports.create',
  },
}

/** Actions of a group that mean another operation when a member names what that is about. */
const BY_MEMBER: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  manage_credentials: {
    rotate: { profile: 'profiles.rotate' },
    generate: { profile: 'profiles.rotate' },
    revoke: { profile: 'profiles.revoke' },
  },
}

/** The operation that an action means because a member is given, which then stands for its `id`; null for none. */
export function meantByMember(
  tool: ManagementTool,
  action: unknown,
  given: Readonly<Record<string, unknown>>,
): { readonly member: string; readonly operation: Operation } | null {
  const actions = BY_MEMBER[tool.name] ?? {}
  const members = typeof action === 'string' && Object.hasOwn(actions, action) ? actions[action]! : {}
  for (const [member, name] of Object.entries(members)) {
    const operation = tool.others.find((one) => nameOf(one) === name)
    if (given[member] != null && operation !== undefined) return { member, operation }
  }
  return null
}

function withUnlisted(tool: ManagementTool, operations: readonly Operation[]): ManagementTool {
  const actions = new Map(tool.actions)
  for (const [action, meant] of Object.entries(UNLISTED[tool.name] ?? {})) {
    const operation = operations.find((item) => nameOf(item) === meant)
    if (operation !== undefined && !actions.has(action)) actions.set(action, operation)
  }
  const named = new Set(
    Object.values(BY_MEMBER[tool.name] ?? {}).flatMap((members) => Object.values(members)),
  )
  return { ...tool, actions, others: operations.filter((operation) => named.has(nameOf(operation))) }
}

/** Projects the registry into both views. The order of the registry is the order of the lists. */
export function toTools(operations: readonly Operation[]): ManagementTools {
  const shown = operations.filter((operation) => operation.tool !== null)
  const full = toolsBy(shown, (operation) => operation.tool!).map((tool) =>
    tool.operations.length === 1 ? { ...tool, listed: [] } : tool,
  )
  const grouped = toolsBy(shown, (operation) => operation.group).map((tool) => withUnlisted(tool, shown))
  const byName = new Map<string, ManagementTool>()
  for (const tool of [...full, ...grouped]) {
    if (byName.has(tool.name)) throw new Error(`two tools are named ${tool.name}`)
    byName.set(tool.name, tool)
  }
  return { full, grouped, byName }
}

function toolsBy(
  operations: readonly Operation[],
  toolOf: (operation: Operation) => string,
): ManagementTool[] {
  return [...Map.groupBy(operations, toolOf)].map(([name, members]) => {
    const actions = new Map<string, Operation>()
    const listed: string[] = []
    for (const operation of members) {
      const twins = members.filter((other) => other.action === operation.action)
      const isPlain = twins.length === 1 && UNLISTED[name]?.[operation.action] === undefined
      if (isPlain) actions.set(operation.action, operation)
      // A verb that several resources of the group share, or that people use otherwise, says too little; then the fine-grained name stands.
      const named = members.filter((other) => other.tool === operation.tool)
      if (named.length === 1) actions.set(operation.tool!, operation)
      const action = isPlain ? operation.action : operation.tool!
      if (action === DESCRIBE) throw new Error(`${name}: an operation may not be called ${DESCRIBE}`)
      if (!actions.has(action)) throw new Error(`${name}: no action names ${nameOf(operation)}`)
      listed.push(action)
    }
    return { name, actions, listed, operations: members, others: [] }
  })
}

/** What a tool is called where people read it. */
export function titleOf(name: string): string {
  const words = inWords(name)
  return words[0]!.toUpperCase() + words.slice(1)
}

/** What `action` says for an operation of a tool that has several. */
export function actionOf(tool: ManagementTool, operation: Operation): string {
  return tool.listed[tool.operations.indexOf(operation)]!
}

/** The exact schema of the arguments of an operation, with the options that it takes as a write. */
export function inputOf(operation: Operation): PublishedSchema {
  const input = publishInput(operation.input)
  return {
    ...input,
    properties: argumentProperties(operation),
    additionalProperties: false,
  }
}

/** Members of a problem object (RFC 9457), which an error result has in place of the output's. */
const PROBLEM_PROPERTIES: Readonly<Record<string, Property>> = {
  type: { type: 'string' },
  title: { type: 'string' },
  status: { type: 'integer' },
  detail: { type: 'string' },
  code: { type: 'string' },
  request_id: { type: 'string' },
  errors: { type: 'array', items: { type: 'object' } },
}

/**
 * Clients check error results against the output schema too, so nothing is required, and a member that an output
 * shares with a problem object may be either.
 */
export function outputOf(operation: Operation): PublishedSchema {
  const output = publishOutput(operation.output)
  const properties = Object.entries(output.properties).map(([name, property]) => {
    const problem = PROBLEM_PROPERTIES[name]
    return [name, problem === undefined ? property : { anyOf: [property, problem] }] as const
  })
  return { type: 'object', properties: Object.fromEntries(properties) }
}

/** What a tool of the operation takes: its own input, and the options of a write beside it. */
function argumentProperties(operation: Operation): Readonly<Record<string, Property>> {
  const { properties } = publishInput(operation.input)
  const options = publishInput(WriteOptionsInput).properties
  return {
    ...properties,
    ...(isPaged(operation) ? { limit: { ...properties['limit'], default: LIST_LIMIT } } : {}),
    ...Object.fromEntries(writeOptionNames(operation).map((name) => [name, options[name]!])),
  }
}

/**
 * Tells options from input. Refuses with input_invalid for options of the wrong form, and for names that are
 * neither: a misspelt one must not be dropped silently. An option that is null counts as absent.
 */
export function splitArguments(
  operation: Operation,
  given: Readonly<Record<string, unknown>>,
): { readonly input: Readonly<Record<string, unknown>>; readonly options: WriteOptions } {
  const names: readonly string[] = writeOptionNames(operation)
  const { shape } = operation.input
  const catchall = operation.input.def.catchall
  const open = catchall !== undefined && catchall._zod.def.type !== 'never'
  const entries = Object.entries(given)
  const unknown = entries.filter(([name]) => !names.includes(name) && !open && !Object.hasOwn(shape, name))
  if (unknown.length > 0)
    throw inputInvalid(
      unknown.slice(0, 20).map(([name]) => ({
        pointer: pointerTo('', name.slice(0, 64)),
        reason: `no such argument; there are: ${[...Object.keys(shape), ...names].join(', ')}`,
      })),
    )
  return {
    input: Object.fromEntries(entries.filter(([name]) => !names.includes(name))),
    options: toWriteOptions(
      Object.fromEntries(entries.filter(([name, value]) => names.includes(name) && value !== null)),
    ),
  }
}

/** @param errors at least one; the first is the detail. */
export function inputInvalid(errors: readonly FieldError[]) {
  const [first] = errors
  return refuse('input_invalid', { detail: `${first!.pointer}: ${first!.reason}`, errors })
}

// Lists for models are bounded. A page that is too large is requested again with fewer items, so that its cursor is
// that of the list itself.

/** Bytes of JSON that a list answers to a model, which stands in text and structured content alike. */
export const LIST_BYTES_MAX = 25_000
/** Items on a page when nobody says how many: fewer than over REST, since a model reads all of it. */
export const LIST_LIMIT = 20
/** Of an item that is larger than a whole list may be: members up to this size stay. */
const MEMBER_CHARS_MAX = 200

/** True for lists that can be asked for fewer items. */
export function isPaged({ effect, input, output }: Operation): boolean {
  return effect === 'read' && Object.hasOwn(input.shape, 'limit') && Object.hasOwn(output.shape, 'items')
}

/**
 * A page that fits, cut at whole items, with a `hint` where it was cut. It is asked for anew with fewer items, so that
 * `next_cursor` is that of the list itself and goes on from the last item that is there.
 * @param limit what the caller asked for; of the wrong form it is for the operation to refuse
 */
export async function boundedPage(
  ask: (limit: unknown) => Promise<Invoked>,
  limit: unknown,
): Promise<Invoked> {
  let invoked = await ask(limit ?? LIST_LIMIT)
  const count = itemsOf(invoked.output).length
  for (;;) {
    const { output } = invoked
    const items = itemsOf(output)
    const fitting = countFitting(items)
    if (fitting >= items.length) {
      if (items.length >= count) return invoked
      return hinted(invoked, items, `The first ${items.length} of ${count} items`)
    }
    if (fitting === 0 && items.length === 1)
      return hinted(invoked, items.map(outlined), 'An item without its large members')
    invoked = await ask(Math.max(fitting, 1))
  }
}

function itemsOf({ items }: Invoked['output']): readonly unknown[] {
  return Array.isArray(items) ? items : []
}

function countFitting(items: readonly unknown[]): number {
  let bytes = 0
  for (const [index, item] of items.entries()) {
    bytes += Buffer.byteLength(visibleJson(JSON.stringify(item))) + 1
    if (bytes > LIST_BYTES_MAX) return index
  }
  return items.length
}

function hinted(invoked: Invoked, items: readonly unknown[], what: string): Invoked {
  const more = invoked.output['next_cursor'] === null ? '' : ' Go on with next_cursor as cursor.'
  const hint = `${what}: an answer holds ${LIST_BYTES_MAX} bytes.${more} fields (such as id,slug,name) makes items smaller.`
  return { ...invoked, output: { ...invoked.output, items, hint } }
}

function outlined(item: unknown): unknown {
  if (item === null || typeof item !== 'object') return null
  return Object.fromEntries(
    Object.entries(item).filter(([, value]) => JSON.stringify(value).length <= MEMBER_CHARS_MAX),
  )
}
