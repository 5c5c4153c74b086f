import type { JsonObject } from '../../../build/document.ts'

/** Kinds of places that a guardrail names: one of them, and several. */
const PLACES = [
  ['collections', 'collection', 'collections'],
  ['proxies', 'proxy', 'proxies'],
  ['virtual_mcps', 'virtual MCP', 'virtual MCPs'],
  ['origins', 'origin', 'origins'],
] as const

/** Where a guardrail applies: `virtual MCPs support-desk, shopping`. */
export function scopeWords({ scope }: JsonObject): string {
  const places = (scope ?? {}) as Readonly<Record<string, readonly string[] | boolean>>
  if (places['everywhere'] === true) return 'everywhere'
  return PLACES.flatMap(([member, one, several]) => {
    const slugs = (places[member] ?? []) as readonly string[]
    return slugs.length === 0 ? [] : [`${slugs.length === 1 ? one : several} ${slugs.join(', ')}`]
  }).join('; ')
}
