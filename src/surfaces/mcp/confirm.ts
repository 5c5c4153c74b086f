import type { Principal } from '../../access/principal.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { printable } from '../../base/text/visible.ts'
import type { ToolCall, ToolOutcome } from '../../mcp/protocol/tool-call.ts'
import { inWords } from '../../model/resource-types.ts'
import type { Invoked, Via } from '../../operations/engine/call.ts'
import type { Invoke } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import { isDestructive } from './hints.ts'
import type { MeantCall } from './run.ts'

/** What a client brings of the person behind it. */
type Person = Pick<ToolCall, 'canAsk' | 'reply'>

type Question = Extract<ToolOutcome, { kind: 'question' }>

/** Nobody is asked. */
export const NOBODY: Person = { canAsk: false, reply: null }

/** Names of what goes along that a question tells. */
const NAMED_MAX = 10

/**
 * For calls that destroy: the question to the person, while there is no reply to it; else the options with what the
 * person confirmed, whatever the model wrote there. The same options for all other calls, which nobody is asked about.
 * Refuses with confirmation_required what the person does not want, and with all that the call itself would be.
 */
export async function confirmedBy(
  { canAsk, reply }: Person,
  invoke: Invoke,
  { operation, input, options }: Omit<MeantCall, 'explained'>,
  principal: Principal,
  via: Via,
): Promise<{ readonly options: WriteOptions } | { readonly question: Question }> {
  if (!canAsk || !isDestructive(operation, input) || options.dryRun === true) return { options }
  if (reply === null) {
    const { idempotencyKey: _, confirm: __, ...rest } = options
    return { question: await questionAbout(invoke, { operation, input, options: rest }, principal, via) }
  }
  const { confirm } = reply.content
  if (reply.action !== 'accept' || (typeof confirm !== 'string' && confirm !== true))
    throw refuse('confirmation_required', { detail: `Nothing was changed: ${UNCONFIRMED[reply.action]}.` })
  const { confirm: _, ...others } = options
  return { options: typeof confirm === 'string' ? { ...others, confirm } : others }
}

/** Why there is no confirmation, by what came of the question. */
const UNCONFIRMED: Readonly<Record<NonNullable<Person['reply']>['action'], string>> = {
  accept: 'the person did not confirm it',
  decline: 'the person declined it',
  cancel: 'the person closed the question without an answer',
  expired: 'nobody answered the question in time',
  crowded: 'too many questions already wait for an answer; a person must answer those first',
  ended: 'the question ended before a person answered it',
}

/** What the call would do, as a dry run tells it. */
async function questionAbout(
  invoke: Invoke,
  { operation, input, options }: Omit<MeantCall, 'explained'>,
  principal: Principal,
  via: Via,
): Promise<Question> {
  const preview = (confirm?: string): Promise<Invoked> =>
    invoke(
      operation,
      input,
      { ...options, dryRun: true, ...(confirm === undefined ? {} : { confirm }) },
      principal,
      via,
    )
  let slug: string | undefined
  let previewed: Invoked
  try {
    previewed = await preview()
  } catch (error) {
    slug = wantedConfirmation(error)
    if (slug === undefined) throw error
    previewed = await preview(slug)
  }
  const { output } = previewed
  const subject = operation.subject(input, output)
  const name = slug ?? subject.slug ?? subject.id ?? ''
  const message = [
    `An agent asks to ${operation.action} the ${inWords(subject.type)}${name === '' ? '' : ` "${name}"`}. This cannot be undone.`,
    ...namesLine('Also deleted', output['removed']),
    ...namesLine('Changes', doneIn(output['items'])),
    ...namesLine('Detached', output['detached']),
  ].join(' ')
  return {
    kind: 'question',
    message: printable(message),
    form: slug === undefined ? AGREEMENT : repetitionOf(slug),
  }
}

/** The slug that a refusal asks for; undefined for anything else. */
function wantedConfirmation(error: unknown): string | undefined {
  if (!(error instanceof Refusal) || error.code !== 'confirmation_required') return undefined
  const confirm = error.facts.members?.['confirm']
  return typeof confirm === 'string' ? confirm : undefined
}

/** A sentence with the first names of a list; none for an empty list. */
function namesLine(what: string, names: unknown): string[] {
  if (!Array.isArray(names) || names.length === 0) return []
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : ''
  return [`${what}: ${names.slice(0, NAMED_MAX).join(', ')}${more}.`]
}

/** Of a change set: each step, what ends first. */
function doneIn(items: unknown): readonly string[] {
  const steps = (Array.isArray(items) ? items : []).filter(isPlain)
  const ends = ({ action }: Plain): number => (action === 'remove' ? 0 : 1)
  return steps.toSorted((a, b) => ends(a) - ends(b)).map(({ action, item }) => `${action} ${item}`)
}

function repetitionOf(slug: string): Question['form'] {
  const confirm = { type: 'string', title: 'Slug', description: `Enter ${slug} to continue` }
  return { type: 'object', properties: { confirm }, required: ['confirm'] }
}

const AGREEMENT: Question['form'] = {
  type: 'object',
  properties: { confirm: { type: 'boolean', title: 'Continue', default: false } },
  required: ['confirm'],
}
