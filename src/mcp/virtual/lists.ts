import type { CapabilityType } from '../../model/capability.ts'
import type { VisibleList } from '../../snapshot/find/capabilities.ts'

/** The list that each method asks for, and the member of its result (2026-07-28, server). */
export const LISTS: Readonly<Record<string, readonly [CapabilityType, member: string]>> = {
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['resource_templates', 'resourceTemplates'],
}

/** Milliseconds for which a client may keep a list (2026-07-28: ttlMs). */
const LIST_TTL_MS = 60_000

/** Text of the result with a list. What a caller sees depends on its permissions, so no list is public. */
export function listText({ json }: VisibleList, member: string, isModern: boolean): string {
  return isModern
    ? `{"resultType":"complete","${member}":${json},"ttlMs":${LIST_TTL_MS},"cacheScope":"private"}`
    : `{"${member}":${json}}`
}
