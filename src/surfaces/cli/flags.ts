import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { parse } from 'yaml'
import { isResourceType, NOUNS } from '../../model/resource-types.ts'
import { type WriteOptionName, WriteOptionsInput, writeOptionNames } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { WriteOptions } from '../../operations/engine/write-options.ts'
import type { Client } from '../client/client.ts'
import { EXPECTED, type Field, fieldsOf, fromText, jsonSchemasOf } from '../fields.ts'
import { needsConfirmation, routeOf } from '../route.ts'
import { kebab } from './common-flags.ts'
import { UsageError } from './exit.ts'
import { limitOptions, limitsIn, quotaJsonIn, takesLimits, withLimits } from './limit-flags.ts'
import type { CliPorts } from './ports.ts'
import { leadIntoLists, setPath, takeLists } from './set.ts'

/**
 * Flags that mean the same on every command. The flag of a member with such a name says what it is of (`--origin-url`), where the
 * command is about a type of resource; elsewhere the member is written with `--set`.
 */
const RESERVED = new Set([
  'output',
  'url',
  'data',
  'context',
  'all',
  'file',
  'json',
  'set',
  'yes',
  'help',
  'version',
  'dry-run',
  'if-revision',
  'expected-revision',
])

/** What a command was given; commander calls flags by their camel-cased names. */
export type Given = Readonly<Record<string, unknown>>

/** True when the command takes the resource as its argument. */
export function takesId(operation: Operation): boolean {
  return routeOf(operation).byId || Object.hasOwn(operation.input.shape, 'id')
}

/** Gives a command the flags of an operation: its input, and the safety of a write. */
export function addFlags(command: Command, operation: Operation): void {
  if (takesId(operation)) {
    const id = fieldsOf(operation).find((field) => field.name === 'id')
    command.argument('<id>', id?.description || 'Id or slug')
  }
  for (const field of flagFields(operation))
    for (const option of toOptions(field, flagOf(operation, field))) command.addOption(option)
  if (takesLimits(operation)) for (const option of limitOptions()) command.addOption(option)
  if (operation.effect === 'read' && operation.posted !== true) return
  command.addOption(repeated(new Option('--set <path=value>', 'Set one member, such as a.b[0].c=text')))
  command.option('-f, --file <file>', 'Input from a YAML or JSON file; - is standard input')
  command.option('--json <json>', 'Input as JSON')
  for (const [flag, description] of optionFlags(operation)) command.option(flag, description)
}

/** What an input is made of, beside flags. */
interface Sources {
  /** The text of `--file`. */
  readonly text?: string | null
  /** What an update changes. It is asked for only if a flag changes one element of a list, as an update replaces lists. */
  readonly current?: (() => Promise<Readonly<Record<string, unknown>>>) | undefined
}

/** The text of `--file`; null without one. */
export async function readFileFlag(ports: CliPorts, given: Given): Promise<string | null> {
  return typeof given['file'] === 'string' ? readText(ports, given['file']) : null
}

/**
 * The input of an operation: the file, then `--json`, then flags, then `--set`; later ones win.
 */
export async function readInput(
  operation: Operation,
  id: string | undefined,
  given: Given,
  { text = null, current }: Sources = {},
): Promise<Record<string, unknown>> {
  const input: Record<string, unknown> = {
    ...(text !== null && toObject(text, String(given['file']))),
    ...(typeof given['json'] === 'string' && toObject(given['json'], '--json')),
  }
  for (const field of flagFields(operation)) {
    const value = valueGiven(operation, field, given)
    if (value !== undefined) input[field.name] = toValue(field, value)
  }
  const assignments = (given['set'] ?? []) as string[]
  const limits = takesLimits(operation) ? limitsIn(given) : []
  const quota = takesLimits(operation) ? quotaJsonIn(given) : undefined
  if (quota !== undefined) input['quota'] = quota
  if (current !== undefined && (leadIntoLists(assignments) || limits.length > 0)) {
    const known = await current()
    takeLists(input, limits.length > 0 ? [...assignments, 'limits[0]='] : assignments, known)
  }
  if (limits.length > 0) input['limits'] = withLimits(input['limits'], limits)
  const schema = jsonSchemasOf(operation.input).input
  for (const assignment of assignments) setPath(input, assignment, schema)
  return id === undefined ? input : { ...input, id }
}

/** The options of a write, but for the confirmation, which may have to be asked for. */
export function readWriteOptions(operation: Operation, given: Given): WriteOptions {
  const names = new Set<string>(writeOptionNames(operation))
  const text = (name: string): string | undefined =>
    names.has(name) && typeof given[camel(name)] === 'string' ? String(given[camel(name)]) : undefined
  const revision = given['expectedRevision']
  const expected = typeof revision === 'string' ? fromText('integer', revision) : null
  if (expected === undefined) throw new UsageError('--expected-revision must be a whole number.')
  const mode = text('mode')
  if (mode !== undefined && mode !== 'live' && mode !== 'draft')
    throw new UsageError('--mode is live or draft.')
  const key = text('idempotency_key')
  const reason = text('reason')
  const confirm = text('confirm')
  return {
    ...(given['dryRun'] === true && { dryRun: true }),
    ...(typeof expected === 'number' && { expectedRevision: expected }),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(reason !== undefined && { reason }),
    ...(confirm !== undefined && { confirm }),
    ...(mode !== undefined && { mode }),
  }
}

/** The text of a file; `-` is standard input. */
export async function readText(ports: CliPorts, file: string): Promise<string> {
  if (file === '-') return ports.readStdin()
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new UsageError(
      code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code}).`,
    )
  }
}

const OPTION_FLAGS: Readonly<Record<WriteOptionName, string>> = {
  dry_run: '--dry-run',
  expected_revision: '--if-revision, --expected-revision <n>',
  idempotency_key: '--idempotency-key <key>',
  reason: '--reason <text>',
  confirm: '--confirm <slug>',
  mode: '--mode <mode>',
}

function optionFlags(operation: Operation): [string, string][] {
  return writeOptionNames(operation)
    .filter((name) => name !== 'confirm' || needsConfirmation(operation))
    .map((name) => [OPTION_FLAGS[name], WriteOptionsInput.shape[name].description ?? ''])
}

function flagFields(operation: Operation): readonly Field[] {
  const options = new Set(writeOptionNames(operation).map(kebab))
  return fieldsOf(operation).filter((field) => {
    const flag = flagOf(operation, field)
    // In the short form of limits
    if (flag === 'quota' && takesLimits(operation)) return false
    return !(field.name === 'id' && takesId(operation)) && !isReserved(operation, flag) && !options.has(flag)
  })
}

function valueGiven(operation: Operation, field: Field, given: Given): unknown {
  return given[camel(flagOf(operation, field).replaceAll('-', '_'))]
}

/** True for a member that has the value of its flag. */
export function isGiven(operation: Operation, field: Field, given: Given): boolean {
  return (
    flagFields(operation).some(({ name }) => name === field.name) &&
    valueGiven(operation, field, given) !== undefined
  )
}

/** The flags of members and of the options of a write, with hyphens, by the names of the API. */
export function flagsOf(operation: Operation): ReadonlyMap<string, string> {
  const members = flagFields(operation).map((field) => [field.name, `--${flagOf(operation, field)}`] as const)
  const options = writeOptionNames(operation).map((name) => [name, `--${kebab(name)}`] as const)
  const short = takesLimits(operation) ? ([['quota', '--quota']] as const) : []
  return new Map<string, string>([...options, ...members, ...short])
}

/** `--all` is a flag of lists alone. */
function isReserved(operation: Operation, flag: string): boolean {
  return RESERVED.has(flag) && (flag !== 'all' || hasPages(operation))
}

/** The flag of a member, without its hyphens. */
function flagOf(operation: Operation, { name }: Field): string {
  const { resource } = operation
  const flag = kebab(name)
  return isReserved(operation, flag) && isResourceType(resource) ? `${kebab(NOUNS[resource])}-${flag}` : flag
}

/**
 * Refuses `--url` where it must be meant as the member `url` of a resource: the URL of an instance has no path, and a token for the
 * instance must not go to another server.
 * @throws UsageError
 */
export function checkUrl(operation: Operation, given: Given): void {
  const url = given['url']
  const field = fieldsOf(operation).find(({ name }) => name === 'url')
  if (typeof url !== 'string' || field === undefined || /^https?:\/\/[^/?#]*\/?$/i.test(url)) return
  throw new UsageError(
    `--url is the URL of the Postern instance, such as https://gateway.example.com. For the member url use --${flagOf(operation, field)}.`,
  )
}

function toOptions(field: Field, flag: string): Option[] {
  const clears = field.nullable ? '; null clears it' : ''
  const choices = field.choices.length > 0 ? ` (${field.choices.join(', ')})` : ''
  const needed = field.required ? ' (required)' : ''
  const text = (field.description || field.name) + choices + clears + needed
  if (field.kind === 'boolean')
    return [new Option(`--${flag}`, text), new Option(`--no-${flag}`, `Sets ${field.name} to false`)]
  if (field.kind === 'list') return [repeated(new Option(`--${flag} <value>`, `${text}; repeat for more`))]
  const word = { text: 'text', integer: 'n', number: 'n', json: 'json' }[field.kind]
  return [new Option(`--${flag} <${word}>`, text)]
}

function repeated(option: Option): Option {
  return option.argParser((value: string, before: unknown) => [
    ...(Array.isArray(before) ? before : []),
    value,
  ])
}

function toValue(field: Field, given: unknown): unknown {
  if (typeof given === 'boolean') return given
  const one = (text: string): unknown => {
    if (field.nullable && text === 'null') return null
    const value = fromText(field.itemKind, text)
    if (value === undefined) {
      const single =
        field.kind === 'json' ? ` To set a single member, use --set ${field.name}.<member>=<value>.` : ''
      throw new UsageError(
        `--${kebab(field.name)} must be ${EXPECTED[field.itemKind]}, not "${text}".${single}`,
      )
    }
    return value
  }
  if (!Array.isArray(given)) return one(String(given))
  // `--tags ''` empties a list, which no value could say
  if (given.length === 1 && given[0] === '') return []
  const values = given.map((text) => one(String(text)))
  return values.length === 1 && values[0] === null ? null : values
}

function toObject(text: string, source: string): Record<string, unknown> {
  let value: unknown
  try {
    // JSON is YAML too, but its own parser is many times faster
    value = /^\s*\{/.test(text) ? parseEither(text) : parse(text)
  } catch (error) {
    // Below the first line the parser draws the place
    const reason = error instanceof Error ? error.message.split('\n')[0]!.replace(/:$/, '') : ''
    throw new UsageError(`${source} is neither YAML nor JSON: ${reason}.`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new UsageError(`${source} must contain one object.`)
  // Both parsers give plain objects
  return value as Record<string, unknown>
}

function parseEither(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return parse(text)
  }
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Items of one page where all are asked for: the most that a list gives. */
const PAGE = 200

/** True for a list that gives one page at a time. */
export function hasPages(operation: Operation): boolean {
  if (operation.follows === true) return false
  return Object.hasOwn(operation.input.shape, 'cursor') && Object.hasOwn(operation.output.shape, 'items')
}

/** All items of a list as one answer; how many there are so far goes to standard error, once there is more than a page. */
export async function everyPage(
  ports: CliPorts,
  client: Client,
  operation: Operation,
  input: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const items: unknown[] = []
  let cursor = input['cursor']
  for (;;) {
    const { body } = await client.call(operation, {
      ...input,
      limit: input['limit'] ?? PAGE,
      ...(cursor !== undefined && { cursor }),
    })
    if (Array.isArray(body['items'])) items.push(...body['items'])
    const next = body['next_cursor']
    if (typeof next !== 'string' || next === cursor) return { ...body, items, next_cursor: null }
    cursor = next
    ports.err(`${items.length} so far ...\n`)
  }
}
