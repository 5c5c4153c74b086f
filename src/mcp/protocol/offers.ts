/** Prompts and resources of endpoints that have no servers behind them. */
import { RPC } from './answer.ts'
import type { Completions, Door, ToolDoor } from './door.ts'
import { isMembers, type Members } from './message.ts'
import type { About } from './relay-port.ts'
import type { Said } from './tool-call.ts'

/** What a door answers to a method about prompts and resources. */
export type Offered =
  | {
      readonly kind: 'result'
      readonly result: Members
      /** Lists and contents say how long they may be kept (2026-07-28). */
      readonly isKept: boolean
    }
  | { readonly kind: 'invalid'; readonly message: string; readonly data: Members }
  /** There is no resource of that address, for this caller. */
  | { readonly kind: 'missing'; readonly uri: string }

/** Values in the answer to a completion (2025-11-25, server/utilities/completion). */
const VALUES_MAX = 100
const URI_CHARS_MAX = 2048
/** Of an argument of a prompt; it becomes part of a text. */
const ARGUMENT_CHARS_MAX = 1000

/** What a door says of itself to a caller, as both eras tell it. A door without servers behind it says the same to all. */
export function aboutOf<Caller>(door: Door<Caller>): (caller: Caller, isModern: boolean) => About {
  const { relay } = door
  if (relay !== undefined) return (caller, isModern) => relay.about(caller, isModern)
  const capabilities = {
    tools: {},
    ...(door.prompts === undefined ? {} : { prompts: {} }),
    ...(door.resources === undefined ? {} : { resources: {} }),
    ...(door.complete === undefined ? {} : { completions: {} }),
  }
  const about = { capabilities, instructions: door.instructions }
  return () => about
}

/** Answers a method about prompts and resources; null when this door has no such method. */
export function offer<Caller>(
  door: ToolDoor<Caller>,
  caller: Caller,
  method: string,
  params: Members,
  said: Said,
): Promise<Offered> | null {
  const { prompts, resources } = door
  if (prompts !== undefined) {
    if (method === 'prompts/list') return onePage(params, { prompts: prompts.list(caller) })
    if (method === 'prompts/get') return getPrompt(prompts, caller, params, said)
  }
  if (resources !== undefined) {
    if (method === 'resources/list') return listResources(resources, caller, params, said)
    if (method === 'resources/templates/list')
      return onePage(params, { resourceTemplates: resources.templates(caller) })
    if (method === 'resources/read') return readResource(resources, caller, params, said)
  }
  if (door.complete !== undefined && method === 'completion/complete')
    return complete(door.complete, caller, params, said)
  return null
}

function invalid(pointer: string, message: string): Offered {
  return { kind: 'invalid', message, data: { pointer } }
}

async function onePage({ cursor }: Members, result: Members): Promise<Offered> {
  return cursor === undefined
    ? { kind: 'result', result, isKept: true }
    : invalid('/params/cursor', 'Unknown cursor')
}

async function getPrompt<Caller>(
  prompts: NonNullable<ToolDoor<Caller>['prompts']>,
  caller: Caller,
  params: Members,
  said: Said,
): Promise<Offered> {
  const { name } = params
  const known = prompts.list(caller).find((prompt) => prompt.name === name)
  if (known === undefined) {
    const names = prompts.list(caller).map((prompt) => prompt.name)
    return invalid('/params/name', `Unknown prompt; there are: ${names.join(', ')}`)
  }
  const given = params['arguments'] ?? {}
  if (!isMembers(given)) return invalid('/params/arguments', 'arguments must be an object')
  const values: Record<string, string> = {}
  for (const [argument, value] of Object.entries(given)) {
    if (!known.arguments.some((one) => one.name === argument))
      return invalid('/params/arguments', `Unknown argument: ${argument.slice(0, 64)}`)
    if (typeof value !== 'string' || value.length > ARGUMENT_CHARS_MAX)
      return invalid(
        `/params/arguments/${argument}`,
        `must be a text of at most ${ARGUMENT_CHARS_MAX} characters`,
      )
    values[argument] = value
  }
  const lacking = known.arguments.find((one) => one.required && values[one.name] === undefined)
  if (lacking !== undefined) return invalid(`/params/arguments/${lacking.name}`, `${lacking.name} is missing`)
  const text = await prompts.get(caller, known.name, values, said)
  const messages = [{ role: 'user', content: { type: 'text', text } }]
  return { kind: 'result', result: { description: known.description, messages }, isKept: false }
}

async function listResources<Caller>(
  resources: NonNullable<ToolDoor<Caller>['resources']>,
  caller: Caller,
  { cursor }: Members,
  said: Said,
): Promise<Offered> {
  if (cursor !== undefined && typeof cursor !== 'string')
    return invalid('/params/cursor', 'cursor must be a string')
  const page = await resources.list(caller, cursor ?? null, said)
  if (page === null) return invalid('/params/cursor', 'Unknown cursor')
  const next = page.nextCursor === null ? {} : { nextCursor: page.nextCursor }
  return { kind: 'result', result: { resources: page.resources, ...next }, isKept: true }
}

async function readResource<Caller>(
  resources: NonNullable<ToolDoor<Caller>['resources']>,
  caller: Caller,
  { uri }: Members,
  said: Said,
): Promise<Offered> {
  if (typeof uri !== 'string' || uri.length > URI_CHARS_MAX)
    return invalid('/params/uri', `uri must be a string of at most ${URI_CHARS_MAX} characters`)
  const content = await resources.read(caller, uri, said)
  if (content === null) return { kind: 'missing', uri }
  return { kind: 'result', result: { contents: [content] }, isKept: true }
}

async function complete<Caller>(
  completions: Completions<Caller>,
  caller: Caller,
  params: Members,
  said: Said,
): Promise<Offered> {
  const { ref, argument } = params
  const { name, value: begun } = isMembers(argument) ? argument : {}
  if (typeof name !== 'string' || typeof begun !== 'string')
    return invalid('/params/argument', 'argument must have a name and a value')
  const of =
    isMembers(ref) && ref['type'] === 'ref/prompt'
      ? ref['name']
      : isMembers(ref) && ref['type'] === 'ref/resource'
        ? ref['uri']
        : undefined
  if (typeof of !== 'string') return invalid('/params/ref', 'ref must name a prompt or a resource')
  const all = await completions(caller, of, name, said)
  const fitting = all.filter((value) => value.startsWith(begun))
  const completion = {
    values: fitting.slice(0, VALUES_MAX),
    total: fitting.length,
    hasMore: fitting.length > VALUES_MAX,
  }
  return { kind: 'result', result: { completion }, isKept: false }
}

/** Code and text of the error that an answer is, where the era has a code of its own for what is missing. */
export function errorOf(
  offered: Exclude<Offered, { kind: 'result' }>,
  missingCode: number,
): { readonly code: number; readonly message: string; readonly data: Members } {
  if (offered.kind === 'missing')
    return { code: missingCode, message: `Resource not found: ${offered.uri}`, data: { uri: offered.uri } }
  return { code: RPC.invalidParams, message: offered.message, data: offered.data }
}
