import { inWords } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { nameOf } from '../route.ts'
import { argumentProperties } from './arguments.ts'
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

/** Actions that a group understands though another group lists them: what people call the credentials of a client. */
const UNLISTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  manage_credentials: {
    create_client: 'clients.create',
    generate: 'profiles.rotate',
    revoke: 'profiles.revoke',
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
