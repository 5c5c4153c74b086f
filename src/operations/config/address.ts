import { NOUNS, type ResourceType } from '../../model/common.ts'
import type { Resource } from '../../store/ports/config.ts'
import type { Kind } from '../kind.ts'
import { ALL_KINDS } from '../kinds.ts'

/** The word of a document for what it describes, such as `proxy`. */
export const KIND_WORDS: readonly string[] = ALL_KINDS.map(({ noun }) => noun)

const BY_WORD: ReadonlyMap<string, Kind> = new Map(
  ALL_KINDS.flatMap((kind) => [
    [kind.noun, kind],
    [kind.type, kind],
  ]),
)

/** The kind that `proxy` or `proxies` is. */
export function kindCalled(word: string): Kind | undefined {
  return BY_WORD.get(word)
}

/** How documents, plans and answers name a resource: `collection/orders`, `proxy/orders:get-order`. */
export function addressOf(type: ResourceType, parent: string | null, slug: string): string {
  return `${NOUNS[type]}/${parent === null ? '' : `${parent}:`}${slug}`
}

/** The address of a stored resource. */
export function addressIn(slugs: ReadonlyMap<string, string>, { type, parent, slug }: Resource): string {
  return addressOf(type, parent === null ? null : (slugs.get(parent) ?? parent), slug)
}

/** All kinds, each after those that it belongs or refers to. */
export const KINDS_IN_ORDER: readonly Kind[] = inOrder()

function inOrder(): readonly Kind[] {
  const done = new Set<Kind>()
  const visit = (kind: Kind): void => {
    if (done.has(kind)) return
    for (const { type } of kind.parent === null ? kind.refs : [kind.parent, ...kind.refs])
      if (type !== kind.type) visit(ALL_KINDS.find((one) => one.type === type)!)
    done.add(kind)
  }
  for (const kind of ALL_KINDS) visit(kind)
  return [...done]
}
