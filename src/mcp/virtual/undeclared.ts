/**
 * Servers of the official SDKs refuse a call themselves when the client has not declared what it needs. In earlier revisions they have
 * no code for that, and say it in words; a client of 2026-07-28 gets the code of its revision.
 */
import { isMembers, type Members } from '../protocol/message.ts'
import { offers } from './input-requests.ts'

const REFUSALS: readonly (readonly [RegExp, name: string, mode: string | null])[] = [
  [/Client does not support url elicitation/i, 'elicitation', 'url'],
  [/Client does not support (form )?elicitation/i, 'elicitation', 'form'],
  [/Client does not support sampling/i, 'sampling', null],
  [/Client does not support listing roots/i, 'roots', null],
  [/\(elicitation\/create\): the client .{0,60}did not declare/, 'elicitation', 'form'],
  [/\(sampling\/createMessage\): the client .{0,60}did not declare/, 'sampling', null],
  [/\(roots\/list\): the client .{0,60}did not declare/, 'roots', null],
]
/** Longer texts are no such refusal. */
const CHARS_MAX = 512

/** What the client would have to declare, as capabilities have it; null for a failure that has another reason. */
export function undeclaredIn(text: unknown, capabilities: Members): Members | null {
  if (typeof text !== 'string' || text.length > CHARS_MAX) return null
  for (const [pattern, name, mode] of REFUSALS)
    if (pattern.test(text) && !offers(capabilities, name, mode))
      return { [name]: mode === null ? {} : { [mode]: {} } }
  return null
}

/** The text of a failed tool; null where it is not one text alone. */
export function failureText({ isError, content }: Members): string | null {
  if (isError !== true || !Array.isArray(content) || content.length !== 1) return null
  const [first] = content as readonly unknown[]
  return isMembers(first) && typeof first['text'] === 'string' ? first['text'] : null
}
