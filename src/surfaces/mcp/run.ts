import type { Principal } from '../../access/principal.ts'
import { isPlain } from '../../base/plain.ts'
import { refuse } from '../../base/refusal.ts'
import { type Invoke, type Invoked, type Operation, SHOWN_ONCE, type Via } from '../../operations/define.ts'
import { inputInvalid, splitArguments } from './arguments.ts'
import { boundedPage, isPaged } from './bounded.ts'
import { type ManagementTool, OWN_ACTION } from './tools.ts'

export interface RunPorts {
  readonly invoke: Invoke
  /** Whether a principal may use an operation at all. */
  readonly allowed: (principal: Principal, operation: Operation) => boolean
  /** Whether secrets that are shown once may be shown to a model (`profiles:reveal`). */
  readonly reveals: (principal: Principal) => boolean
}

type Arguments = Readonly<Record<string, unknown>>

interface Ran {
  readonly operation: Operation
  readonly invoked: Invoked
  /** What REST answers, too; secrets that are shown once only for those who may show them to a model. */
  readonly content: Readonly<Record<string, unknown>>
}

const WITHHELD =
  'Created, but not shown here: a model would keep it. Rotate over REST or the CLI to get a secret that only you see.'

/** Runs the operation that arguments of a tool mean; throws a Refusal for everything expected. `reads` is told the operation and changes its arguments. */
export async function runTool(
  { invoke, allowed, reveals }: RunPorts,
  tool: ManagementTool,
  given: Arguments,
  principal: Principal,
  via: Via,
  reads: (operation: Operation, given: Arguments) => Arguments = (_, same) => same,
): Promise<Ran> {
  const { operation, given: own } = chooseOperation(tool, given)
  // Permission comes before the form of the input: invoke refuses and audits, whatever was sent.
  if (!allowed(principal, operation)) {
    await invoke(operation, {}, {}, principal, via)
    throw refuse('permission_denied', { detail: `This needs the permission ${operation.permission}.` })
  }
  const { input, options } = splitArguments(operation, reads(operation, own))
  const ask = (asked: Arguments): Promise<Invoked> => invoke(operation, asked, options, principal, via)
  const invoked = isPaged(operation)
    ? await boundedPage((limit) => ask({ ...input, limit }), input['limit'])
    : await ask(input)
  return { operation, invoked, content: contentOf(operation, invoked, reveals(principal)) }
}

/** The operation that a call means: the tool's only one, or the one its `action` names. */
function chooseOperation(
  tool: ManagementTool,
  given: Arguments,
): { readonly operation: Operation; readonly given: Arguments } {
  if (tool.listed.length === 0) return { operation: tool.operations[0]!, given }
  const { action, ...rest } = given
  const operation = typeof action === 'string' ? tool.actions.get(action) : undefined
  if (operation === undefined)
    throw inputInvalid([{ pointer: '/action', reason: `must be one of ${tool.listed.join(', ')}` }])
  if (!Object.hasOwn(operation.input.shape, 'action')) return { operation, given: rest }
  const { [OWN_ACTION]: own, ...others } = rest
  return { operation, given: own === undefined ? others : { ...others, action: own } }
}

function contentOf(operation: Operation, invoked: Invoked, reveals: boolean): Record<string, unknown> {
  const { output, diff, pending } = invoked
  const content = operation.revealsOnce === true && !reveals ? withhold(output) : { ...output }
  if (diff !== null) return { dry_run: true, diff, result: content }
  return pending ? { ...content, pending: true } : content
}

/** The answer without secrets that are shown once, also those of the profiles that a new client came with. */
function withhold(output: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const content: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(output)) {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') content['token_withheld'] = WITHHELD
    else if (name === 'profiles' && Array.isArray(value))
      content[name] = value.map((one: unknown) => (isPlain(one) ? withhold(one) : one))
    else content[name] = value
  }
  return content
}
