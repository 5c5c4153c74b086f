import type { CapabilityType } from '../../model/catalogue.ts'
import type { Capability } from '../../snapshot/find/capabilities.ts'

/** The list that each method asks for, and the member of its result (2026-07-28, server). */
export const LISTS: Readonly<Record<string, readonly [CapabilityType, member: string]>> = {
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['resource_templates', 'resourceTemplates'],
}

/** Milliseconds for which a client may keep a list (2026-07-28: ttlMs). */
const LIST_TTL_MS = 60_000

interface Texts {
  readonly modern: string
  readonly legacy: string
}

/** What a list costs to write is paid once for all who see the same. */
const texts = new WeakMap<readonly Capability[], Texts>()

/** Text of the result that lists these. What a caller sees depends on its permissions, so no list is public. */
export function listText(list: readonly Capability[], member: string, isModern: boolean): string {
  let known = texts.get(list)
  if (known === undefined) {
    const items = JSON.stringify(list.map(({ item }) => item))
    known = {
      modern: `{"resultType":"complete","${member}":${items},"ttlMs":${LIST_TTL_MS},"cacheScope":"private"}`,
      legacy: `{"${member}":${items}}`,
    }
    texts.set(list, known)
  }
  return isModern ? known.modern : known.legacy
}
