import type { FieldError } from '../../base/refusal.ts'
import type { Operation, WriteOptions } from '../../operations/define.ts'
import type { Property } from './published.ts'

/** Arguments that every write takes beside its own input, by their names in tools. */
export const OPTION_PROPERTIES: Readonly<Record<string, Property>> = {
  dry_run: { type: 'boolean', description: 'Validate and return the difference; store nothing' },
  expected_revision: {
    type: 'integer',
    minimum: 1,
    description: 'Refuse unless the resource is at this revision',
  },
  idempotency_key: {
    type: 'string',
    maxLength: 200,
    description: 'Repeating the call with the same key gives the first answer again, for 24 hours',
  },
  reason: { type: 'string', maxLength: 2000, description: 'Why; kept in the audit entry' },
  confirm: { type: 'string', maxLength: 130, description: 'Slug of the resource, for what cannot be undone' },
  mode: {
    type: 'string',
    enum: ['live', 'draft'],
    description: 'draft stages the change of a published resource until it is published',
  },
}

/** Which options an operation takes: none when it reads; its own input wins where it has the same name. */
export function optionNames(operation: Operation): string[] {
  if (operation.effect === 'read') return []
  return Object.keys(OPTION_PROPERTIES).filter((name) => !Object.hasOwn(operation.input.shape, name))
}

export type SplitArguments =
  | { readonly ok: true; readonly input: Readonly<Record<string, unknown>>; readonly options: WriteOptions }
  | { readonly ok: false; readonly errors: readonly FieldError[] }

/** Tells options from input, and refuses names that are neither: a misspelt one must not be dropped silently. */
export function splitArguments(
  operation: Operation,
  given: Readonly<Record<string, unknown>>,
): SplitArguments {
  const taken = new Set(optionNames(operation))
  const catchall = operation.input.def.catchall
  const open = catchall !== undefined && catchall._zod.def.type !== 'never'
  const errors: FieldError[] = []
  const input: [string, unknown][] = []
  const options: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const pointer = `/${name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (taken.has(name)) {
      const fault = value === null ? null : optionFault(name, value)
      if (fault !== null) errors.push({ pointer, reason: fault })
      else if (value !== null) options[name] = value
    } else if (open || Object.hasOwn(operation.input.shape, name)) input.push([name, value])
    else errors.push({ pointer, reason: `no such argument; there are: ${namesOf(operation).join(', ')}` })
  }
  if (errors.length > 0) return { ok: false, errors }
  return { ok: true, input: Object.fromEntries(input), options: toOptions(options) }
}

function namesOf(operation: Operation): string[] {
  return [...Object.keys(operation.input.shape), ...optionNames(operation)]
}

function optionFault(name: string, value: unknown): string | null {
  const { type, maxLength } = OPTION_PROPERTIES[name]!
  if (type === 'boolean') return typeof value === 'boolean' ? null : 'must be true or false'
  if (type === 'integer')
    return Number.isSafeInteger(value) && Number(value) > 0 ? null : 'must be a positive integer'
  if (name === 'mode') return value === 'live' || value === 'draft' ? null : 'must be live or draft'
  return typeof value === 'string' && value.length <= Number(maxLength)
    ? null
    : `must be a string of at most ${maxLength} characters`
}

/** The kinds were checked above. */
function toOptions(given: Readonly<Record<string, unknown>>): WriteOptions {
  const names = {
    dry_run: 'dryRun',
    expected_revision: 'expectedRevision',
    idempotency_key: 'idempotencyKey',
    reason: 'reason',
    confirm: 'confirm',
    mode: 'mode',
  } as const satisfies Record<string, keyof WriteOptions>
  return Object.fromEntries(
    Object.entries(names)
      .filter(([name]) => given[name] !== undefined)
      .map(([name, option]) => [option, given[name]]),
  )
}
