/**
 * The default tool list of Management MCP has fixed bounds, whatever the registry contains: descriptions are
 * shortened, and `describe` answers the schema of an action.
 */
import type { Tool } from '../../mcp/protocol/door.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { ALL_KINDS } from '../../operations/kinds.ts'
import { needsConfirmation } from '../route.ts'
import { hintsOf } from './hints.ts'
import { publishInput } from './published.ts'
import { actionOf, DESCRIBE, inputOf, type ManagementTool, outputOf, titleOf } from './tools.ts'

/** Bytes of JSON of all grouped tools that a caller lists. Models hold the list in their context in every turn. */
export const LIST_BYTES_MAX = 24_000
/** Bytes of JSON of one grouped tool. */
export const TOOL_BYTES_MAX = 5000
/** Characters of a description. Clients cut longer ones. */
export const DESCRIPTION_CHARS_MAX = 1024

/**
 * The tools as a caller lists them who may use these operations. Grouped tools come in a form that fits the bounds of
 * {@link LIST_BYTES_MAX} and its companions; a tool of one operation shows its whole schema.
 */
export function publishTools(
  tools: readonly ManagementTool[],
  isAllowed: (operation: Operation) => boolean,
): Tool[] {
  const shown = tools.flatMap((tool) => {
    const allowed = tool.operations.filter(isAllowed)
    return allowed.length === 0 ? [] : [{ tool, allowed }]
  })
  const groups = shown.filter(({ tool }) => tool.listed.length > 0)
  const published = new Map(publishGroups(groups).map((tool) => [tool.name, tool]))
  return shown.map(({ tool, allowed }) => published.get(tool.name) ?? publishSingle(tool, allowed[0]!))
}

function publishSingle(tool: ManagementTool, operation: Operation): Tool {
  return {
    name: tool.name,
    title: titleOf(tool.name),
    description: operation.summary,
    inputSchema: inputOf(operation),
    outputSchema: outputOf(operation),
    annotations: hintsOf([operation]),
  }
}

/** A grouped tool and those of its operations that a caller may use (at least one). */
interface Shown {
  readonly tool: ManagementTool
  readonly allowed: readonly Operation[]
}

/**
 * Grouped tools within the bounds above. A description says as much about its actions as fits: all summaries, else
 * less and less (see {@link formsOf}). When the list is too large as a whole, the longest
 * descriptions are shortened first. `describe` says the rest.
 */
function publishGroups(shown: readonly Shown[]): Tool[] {
  const forms = shown.map((one) => formsOf(one).map((description) => publish(one, description)))
  const levels = forms.map((tools) => tools.findIndex(isWithin)).map((at) => (at === -1 ? DETAILS - 1 : at))
  const list = (): Tool[] => forms.map((tools, index) => tools[levels[index]!]!)
  while (bytesOf(list()) > LIST_BYTES_MAX) {
    const longest = levels
      .map((level, index) => ({
        index,
        chars: level < DETAILS - 1 ? forms[index]![level]!.description.length : 0,
      }))
      .reduce((a, b) => (b.chars > a.chars ? b : a))
    if (longest.chars === 0) break
    levels[longest.index]! += 1
  }
  return list()
}

/** Forms of a description. */
const DETAILS = 4

/** Actions that say by their name what they do. */
const ROUTINE: ReadonlySet<string> = new Set(['list', 'get', 'create', 'update', 'delete'])

function isWithin(tool: Tool): boolean {
  return tool.description.length <= DESCRIPTION_CHARS_MAX && bytesOf(tool) <= TOOL_BYTES_MAX
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/**
 * The description with a summary of every action, with short ones of actions beyond the routine, with the required arguments
 * alone, and without actions, which the enum names.
 */
function formsOf({ tool, allowed }: Shown): readonly string[] {
  const about = GROUPS[tool.name] ?? titleOf(tool.name)
  const actions = allowed.map((operation) => {
    const required = [...(publishInput(operation.input).required ?? [])]
    if (needsConfirmation(operation) && !required.includes('confirm')) required.push('confirm')
    const name = actionOf(tool, operation)
    return {
      call: required.length === 0 ? name : `${name}(${required.join(', ')})`,
      summary: operation.summary,
      isRoutine: ROUTINE.has(operation.action),
    }
  })
  const routine = actions.filter(({ isRoutine }) => isRoutine)
  const others = actions.filter(({ isRoutine }) => !isRoutine)
  const calls = (some: typeof actions): string => some.map(({ call }) => call).join(', ')
  const lines = (some: typeof actions, shorten = (text: string): string => text): string =>
    some.map(({ call, summary }) => `\n- ${call}: ${shorten(summary)}`).join('')
  return [
    `${about}${lines(actions)}`,
    `${about}\n- ${calls(routine)}${lines(others, firstClause)}`,
    `${about} Actions (required arguments): ${calls(actions)}.`,
    about,
  ]
}

/** A summary without what follows its first colon or semicolon. */
function firstClause(summary: string): string {
  return summary.split(/[:;]/, 1)[0]!
}

function publish({ tool, allowed }: Shown, description: string): Tool {
  return {
    name: tool.name,
    title: titleOf(tool.name),
    description,
    inputSchema: {
      type: 'object',
      properties: {
        action: {
          type: 'string',
          enum: [DESCRIBE, ...allowed.map((operation) => actionOf(tool, operation))],
        },
        id: {
          type: 'string',
          description: `Id or slug of the resource. With ${DESCRIBE}: the action, or none for all.`,
        },
        arguments: {
          type: 'object',
          description: `Arguments of the action. Ask ${DESCRIBE} for their schema and an example.`,
          additionalProperties: true,
        },
      },
      required: ['action'],
    },
    outputSchema: { type: 'object' },
    annotations: hintsOf(allowed),
  }
}

/**
 * One or two sentences about each grouped tool, at most {@link GROUP_CHARS_MAX} characters. A model chooses the tool by
 * them, so they name every kind of resource that the tool has. A kind with a tool of its own says its sentence itself.
 */
export const GROUPS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ALL_KINDS.flatMap(({ group, tools }) => (tools === undefined ? [] : [[group, tools]])),
  ),
  manage_access: 'Users, teams, roles, grants, service identities, trust rules and personal tokens.',
  manage_config:
    'The configuration: revisions, rollback, plan, apply and export of documents, settings, change requests (approvals), your identity.',
  manage_keys: 'The keys that encrypt stored secrets.',
  query_audit: 'The audit log: who changed, read or was denied what, and when.',
  query_metrics: 'Metrics: errors and latency by status, endpoint, time, client or agent.',
  query_logs:
    'Request records: search, show, follow, replay or delete calls, or explain a request or refusal.',
  manage_exports: 'Exports of request records or the audit log to CSV or NDJSON, and sinks that get both.',
}

/** Longest sentence of a group. A longer one would leave too little of a description for the actions. */
export const GROUP_CHARS_MAX = 200
