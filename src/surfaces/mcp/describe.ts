import { type Plain, tokenText } from '../../base/json/plain.ts'
import { type FieldError, Refusal, refuse } from '../../base/refusal.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { inputInvalid } from './arguments.ts'
import { objectOf, type ReadForm } from './call-form.ts'
import { exampleOf } from './examples.ts'
import { outlineOf, type Property, publishInput } from './published.ts'
import { actionOf, DESCRIBE, inputOf, type ManagementTool } from './tools.ts'

/** Bytes of JSON of the schema in an argument error. A larger schema is cut to the arguments that are wrong or required. */
const ERROR_SCHEMA_BYTES_MAX = 6000

/** True for arguments of a grouped tool that ask what one of its actions takes. */
export function asksToDescribe(tool: ManagementTool, given: Plain): boolean {
  return tool.listed.length > 0 && given['action'] === DESCRIBE
}

/**
 * The exact schema of the arguments of one action with a call that it accepts; the actions that the caller may use when
 * none is named. The action stands in `id`, or in `arguments` as `action` or `id`. Schemas are no secret, so an action that the caller
 * may not use is described too. Refuses with input_invalid an action that the tool does not have.
 */
export function describe(
  tool: ManagementTool,
  given: Plain,
  isAllowed: (operation: Operation) => boolean,
): Plain {
  const inside = objectOf(given['arguments']) ?? {}
  const named = given['id'] ?? inside['action'] ?? inside['id'] ?? null
  if (named === null || named === '')
    return {
      tool: tool.name,
      actions: tool.operations.filter(isAllowed).map((operation) => ({
        action: actionOf(tool, operation),
        summary: operation.summary,
        required: publishInput(operation.input).required ?? [],
      })),
      example: { action: DESCRIBE, id: tool.listed[0] },
    }
  const operation = typeof named === 'string' ? tool.actions.get(named) : undefined
  if (operation === undefined)
    throw inputInvalid([{ pointer: '/id', reason: `must be one of ${tool.listed.join(', ')}` }])
  return {
    tool: tool.name,
    action: named,
    summary: operation.summary,
    permission: operation.permission,
    schema: inputOf(operation),
    example: exampleCall(operation, String(named)),
  }
}

/** A whole call: of a grouped tool with `action`, `id` and `arguments`, else the arguments alone. */
function exampleCall(operation: Operation, action: string | null): Plain {
  const { id, ...others } = exampleOf(operation)
  if (action === null) return { ...(id === undefined ? {} : { id }), ...others }
  return {
    action,
    ...(id === undefined ? {} : { id }),
    ...(Object.keys(others).length === 0 ? {} : { arguments: others }),
  }
}

/**
 * The refusal of wrong arguments with pointers to where the caller wrote them, and with `schema` and `example` of the
 * action beside it. Other refusals as they are.
 */
export function withUsage(
  error: unknown,
  tool: ManagementTool,
  operation: Operation,
  pointerOf: ReadForm['pointerOf'],
): unknown {
  if (!(error instanceof Refusal) || error.code !== 'input_invalid') return error
  const { detail, errors = [], members } = error.facts
  const placed = errors.map(({ pointer, ...rest }) => ({ ...rest, pointer: pointerOf(pointer) }))
  const [first] = errors
  const isAboutFirst = first !== undefined && detail?.startsWith(`${first.pointer}:`) === true
  const action = tool.listed.length === 0 ? null : actionFor(tool, operation)
  return refuse('input_invalid', {
    ...error.facts,
    ...(isAboutFirst ? { detail: placed[0]!.pointer + detail!.slice(first.pointer.length) } : {}),
    errors: placed,
    members: {
      ...members,
      schema: boundedSchema(operation, errors),
      example: exampleCall(operation, action),
    },
  })
}

/** What `action` says for an operation, also for one that another group lists. */
function actionFor(tool: ManagementTool, operation: Operation): string {
  if (tool.operations.includes(operation)) return actionOf(tool, operation)
  return [...tool.actions].find(([, one]) => one === operation)![0]
}

/** The schema within the bound: whole, else of the wrong and the required arguments, else an outline of these, else their names. */
function boundedSchema(operation: Operation, errors: readonly FieldError[]): Plain {
  const whole = inputOf(operation)
  if (fits(whole)) return whole
  const { required = [], properties } = whole
  const wrong = errors.map(({ pointer }) => tokenText(pointer.split('/')[1] ?? ''))
  const names = Object.keys(properties).filter((name) => wrong.includes(name) || required.includes(name))
  const of = (shape: (property: Property) => Property): Plain => ({
    ...whole,
    properties: Object.fromEntries(names.map((name) => [name, shape(properties[name]!)])),
    description: `Only the wrong and the required arguments of: ${Object.keys(properties).join(', ')}`,
  })
  const named = ({ description }: Property): Property => (description === undefined ? {} : { description })
  return [of((property) => property), of(outlineOf)].find(fits) ?? of(named)
}

function fits(schema: Plain): boolean {
  return Buffer.byteLength(JSON.stringify(schema)) <= ERROR_SCHEMA_BYTES_MAX
}
