import { ownedText } from '../../base/owned-bytes.ts'
import type { CapabilityType } from '../../model/capability.ts'
import type { RelayedAnswer } from '../protocol/relay.ts'

/** The list that each method asks for, and the member of its result (2026-07-28, server). */
export const LISTS: ReadonlyMap<string, readonly [CapabilityType, member: string]> = new Map([
  ['tools/list', ['tools', 'tools']],
  ['prompts/list', ['prompts', 'prompts']],
  ['resources/list', ['resources', 'resources']],
  ['resources/templates/list', ['resource_templates', 'resourceTemplates']],
])

/** Milliseconds for which a client may keep a list (2026-07-28: ttlMs). */
const LIST_TTL_MS = 60_000

/** Text of the result with a list, by the JSON of its array. What a caller sees depends on its permissions, so no list is public. */
function listText({ json }: { readonly json: string }, member: string, isModern: boolean): string {
  return isModern
    ? `{"resultType":"complete","${member}":${json},"ttlMs":${LIST_TTL_MS},"cacheScope":"private"}`
    : `{"${member}":${json}}`
}

/** Answers by list, which is one object as long as nothing changed, and by era. */
const answers = new WeakMap<object, (RelayedAnswer | undefined)[]>()

/** The answer with a list, made once. */
export function listAnswer(
  list: { readonly json: string },
  member: string,
  isModern: boolean,
): RelayedAnswer {
  let known = answers.get(list)
  if (known === undefined) {
    known = []
    answers.set(list, known)
  }
  const era = isModern ? 1 : 0
  const made = known[era]
  if (made !== undefined) return made
  const text = listText(list, member, isModern)
  const answer: RelayedAnswer = { kind: 'result', text, bytes: Buffer.from(ownedText(text).buffer) }
  known[era] = answer
  return answer
}
