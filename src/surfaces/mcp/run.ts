import type { Principal } from '../../access/principal.ts'
import { Secret } from '../../base/crypto/token.ts'
import { isPlain } from '../../base/json/storable.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { type Invoked, pendingMembers, type Subject, type Via } from '../../operations/engine/call.ts'
import type { Invoke, Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import { SHOWN_ONCE } from '../../operations/engine/write-options.ts'
import { dryRunOf } from '../waiting.ts'
import { objectOf, type ReadForm, readForm, withUsage } from './describe.ts'
import {
  boundedPage,
  DESCRIBE,
  inputInvalid,
  isPaged,
  type ManagementTool,
  meantByMember,
  splitArguments,
} from './tools.ts'

export interface RunPorts {
  readonly invoke: Invoke
  /** Whether a principal may use an operation at all. */
  readonly allowed: (principal: Principal, operation: Operation) => boolean
  /** Whether secrets that are shown once may be shown to a model (`profiles:reveal`). */
  readonly reveals: (principal: Principal) => boolean
  /** Makes a link that a person opens to read a secret once; null when there is none to be had. */
  readonly link: (
    secret: Secret,
    member: string,
    subject: Subject,
    principal: Principal,
    via: Via,
  ) => Promise<string | null>
}

type Arguments = Readonly<Record<string, unknown>>

interface Ran {
  readonly invoked: Invoked
  /** What REST answers, too; a link in the place of each secret that is shown once, but for those who may show it to a model. */
  readonly content: Readonly<Record<string, unknown>>
}

/** An operation with what it is called with. */
export interface MeantCall {
  readonly operation: Operation
  readonly input: Arguments
  readonly options: WriteOptions
  /** The refusal of wrong arguments with what the operation takes; any other error as it is. */
  readonly explained: (error: unknown) => unknown
}

/**
 * The operation that arguments of a tool mean. Refuses a caller that may not use it, with an entry in the audit, and
 * arguments that it does not have.
 */
export async function meantBy(
  { invoke, allowed }: RunPorts,
  tool: ManagementTool,
  given: Arguments,
  principal: Principal,
  via: Via,
): Promise<MeantCall> {
  const { operation, given: own, isThis } = chooseOperation(tool, given)
  let pointerOf: ReadForm['pointerOf'] = (pointer) => pointer
  const explained = (error: unknown): unknown => withUsage(error, tool, operation, pointerOf)
  const read = (): Asked => {
    const form = readForm(operation, own, isThis)
    pointerOf = form.pointerOf
    return splitArguments(operation, form.given)
  }
  // Permission comes before the form of the input: invoke refuses and audits, whatever was sent.
  if (!allowed(principal, operation)) {
    const { input, options } = ifReadable(read)
    await invoke(operation, input, options, principal, via)
    throw refuse('permission_denied', { detail: `This needs the permission ${operation.permission}.` })
  }
  try {
    return { operation, explained, ...read() }
  } catch (error) {
    throw explained(error)
  }
}

type Asked = Pick<MeantCall, 'input' | 'options'>

/** What was asked, for the entry of its refusal; nothing where that has not the form that it must have. */
function ifReadable(read: () => Asked): Asked {
  try {
    return read()
  } catch (error) {
    if (error instanceof Refusal) return { input: {}, options: {} }
    throw error
  }
}

/** Runs it; throws a Refusal for everything expected. */
export async function runCall(
  { invoke, reveals, link }: RunPorts,
  { operation, input, options }: MeantCall,
  principal: Principal,
  via: Via,
): Promise<Ran> {
  const ask = (asked: Arguments): Promise<Invoked> => invoke(operation, asked, options, principal, via)
  const invoked = isPaged(operation)
    ? await boundedPage((limit) => ask({ ...input, limit }), input['limit'])
    : await ask(input)
  const { output } = invoked
  const shown = reveals(principal)
    ? output
    : await withLinks(operation, output, (secret, member) =>
        link(secret, member, operation.subject(input, output), principal, via),
      )
  return { invoked, content: contentOf(invoked, shown) }
}

/**
 * The operation that a call means, the tool's only one, or the one its `action` names, which models also write into
 * `arguments`; and whether an action names that very operation.
 */
function chooseOperation(
  tool: ManagementTool,
  given: Arguments,
): {
  readonly operation: Operation
  readonly given: Arguments
  readonly isThis: ((action: unknown) => boolean) | null
} {
  if (tool.listed.length === 0) return { operation: tool.operations[0]!, given, isThis: null }
  const { action: beside, ...rest } = given
  const action = beside ?? objectOf(given['arguments'])?.['action']
  const named = (text: unknown): Operation | undefined =>
    typeof text === 'string' ? tool.actions.get(text) : undefined
  const inside = objectOf(given['arguments']) ?? {}
  const other = meantByMember(tool, action, { ...inside, ...rest })
  if (other !== null)
    return {
      operation: other.operation,
      given: asId(rest, inside, other.member),
      isThis: (one) => one === action,
    }
  const operation = named(action)
  if (operation === undefined) throw unknownAction(tool)
  return { operation, given: rest, isThis: (other) => named(other) === operation }
}

/** Arguments in which a member stands for the `id`. Refuses another `id` beside it. */
function asId(beside: Arguments, inside: Arguments, member: string): Arguments {
  const { arguments: _, ...flat } = beside
  const { [member]: id, ...others } = { ...inside, ...flat }
  if (others['id'] != null && others['id'] !== id)
    throw inputInvalid([{ pointer: `/${member}`, reason: 'differs from id; give only one of the two' }])
  return { ...others, id }
}

function unknownAction(tool: ManagementTool): Refusal {
  const reason = `must be one of ${tool.listed.join(', ')}`
  return refuse('input_invalid', {
    detail: `/action: ${reason}`,
    errors: [{ pointer: '/action', reason }],
    members: {
      schema: {
        type: 'object',
        properties: { action: { enum: [DESCRIBE, ...tool.listed] } },
        required: ['action'],
      },
      example: { action: DESCRIBE, id: tool.listed[0] },
    },
  })
}

function contentOf(invoked: Invoked, content: Arguments): Arguments {
  const { diff } = invoked
  if (diff !== null) return { ...dryRunOf(invoked), diff, result: content }
  return invoked.pending ? { ...content, ...pendingMembers(invoked) } : content
}

type Content = Readonly<Record<string, unknown>>

/** Makes a link to a secret that a person opens; null when there is none to be had. */
type LinkTo = (secret: Secret, member: string) => Promise<string | null>

const WITHHELD =
  'The secret was created, but is not shown here, because the model would see it. Rotate it over REST or the CLI to get a secret that only you see.'
const FOR_A_PERSON =
  'Give the link to the person who needs the secret: it opens in a browser, once, within 15 minutes.'

/**
 * The answer with a link in the place of each secret that is shown once, also those of the profiles that a new client
 * came with; all else as it is.
 */
async function withLinks({ revealsOnce }: Operation, output: Content, linkTo: LinkTo): Promise<Content> {
  return revealsOnce === true ? linked(output, linkTo) : output
}

async function linked(output: Content, linkTo: LinkTo): Promise<Content> {
  const content: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(output)) {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') {
      const link = await linkTo(new Secret(value), name)
      content[`${name}_withheld`] = link === null ? WITHHELD : FOR_A_PERSON
      if (link !== null) content[`${name}_link`] = link
    } else if (name === 'profiles' && Array.isArray(value)) {
      const profiles = []
      for (const one of value as unknown[]) profiles.push(isPlain(one) ? await linked(one, linkTo) : one)
      content[name] = profiles
    } else content[name] = value
  }
  return content
}
