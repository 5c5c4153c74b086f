import type { Json, JsonObject } from '../../../../build/document.ts'
import type { Fault } from '../../../api/client.ts'
import type { State } from '../../../kit/status.tsx'
import { isObject } from '../../../schema/value.ts'
import { type Era, type Outcome, outcomeOf } from './message.ts'

/** A message that was sent, with what came of it. */
export interface Entry {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly era: Era
  readonly message: Json
  /** Headers that repeat what the message says. */
  readonly headers: Readonly<Record<string, string>>
  /** Null while it is under way. */
  readonly ms: number | null
  readonly status: number
  readonly requestId: string | null
  readonly messages: readonly Json[]
  /** Messages that came before these, and are not kept. */
  readonly left: number
  /** The endpoint refused the message, or no answer came. */
  readonly fault: Fault | null
}

/** Entries that a page keeps. */
export const ENTRIES_MAX = 50

const WORDS: Readonly<Record<Outcome, { readonly state: State; readonly word: string }>> = {
  ok: { state: 'ok', word: 'OK' },
  tool_error: { state: 'bad', word: 'Tool error' },
  input_required: { state: 'pending', word: 'Asks for input' },
  error: { state: 'bad', word: 'Error' },
  refused: { state: 'bad', word: 'Refused' },
  sent: { state: 'ok', word: 'Accepted' },
}

/** The state of an entry, with a word for it. */
export function wordOf({ ms, fault, status, messages }: Entry): {
  readonly state: State
  readonly word: string
} {
  if (fault !== null) return { state: 'bad', word: fault.code ?? fault.title }
  if (ms === null) return { state: 'pending', word: 'Under way' }
  return WORDS[outcomeOf(status, messages)]
}

/** What a message is, for a list: `tools/call read_ticket`. */
export function labelOfMessage(message: Json): string {
  if (!isObject(message)) return 'no message'
  const { method, params, id } = message
  if (typeof method !== 'string') return `response to ${String(id)}`
  const name = isObject(params) ? (params['name'] ?? params['uri']) : undefined
  return typeof name === 'string' ? `${method} ${name}` : method
}

/** Messages of all entries that are kept, characters of their JSON. */
const KEPT_MAX = 64 * 1024 * 1024

/** Entries as far as their messages may be kept. Those of the oldest are left out first, and of the newest never. */
export function bounded(entries: readonly Entry[], max = KEPT_MAX): readonly Entry[] {
  let size = 0
  return entries.map((entry, index) => {
    size += sizeOf(entry.messages)
    if (size <= max || index === 0 || entry.messages.length === 0) return entry
    return { ...entry, messages: [], left: entry.left + entry.messages.length }
  })
}

const sizes = new WeakMap<readonly Json[], number>()

function sizeOf(messages: readonly Json[]): number {
  const size = sizes.get(messages) ?? messages.reduce((sum: number, one) => sum + textOf(one).length, 0)
  sizes.set(messages, size)
  return size
}

/** A value as a person reads it: what is no text as JSON, as far as it can be written. */
export function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value, null, 2) ?? ''
  } catch {
    return 'The value is nested too deeply to be shown.'
  }
}

/** Blocks of the content of a result, as texts: nothing in them is read as markup, and nothing is loaded. */
export function contentOf(
  messages: readonly Json[],
): readonly { readonly kind: string; readonly text: string }[] {
  const last = messages.findLast((one): one is JsonObject => isObject(one) && isObject(one['result']))
  const content = isObject(last?.['result']) ? last['result']['content'] : undefined
  if (!Array.isArray(content)) return []
  return content.flatMap((block) => {
    if (!isObject(block)) return []
    const kind = typeof block['type'] === 'string' ? block['type'] : 'unknown'
    if (kind === 'text' && typeof block['text'] === 'string') return [{ kind, text: block['text'] }]
    const data = block['data']
    if (typeof data !== 'string') return [{ kind, text: textOf(block) }]
    const bytes = Math.floor((data.length * 3) / 4)
    return [
      { kind, text: `${textOf(block['mimeType'] ?? 'bytes')}, about ${bytes.toLocaleString('en')} bytes` },
    ]
  })
}
