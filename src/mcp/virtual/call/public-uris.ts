/**
 * Translates URIs of resources in results of origins to public URIs. A result in which no URI changes stays the same object,
 * so it is passed as its origin wrote it.
 */
import { isMembers, type Members } from '../../protocol/message.ts'

/** The public URI for one of the member. @param isQuick leaves out what takes long */
export type ToPublicUri = (uri: string, isQuick: boolean) => string

/** Different URIs of one result for which a short way out is looked for: a result may have very many. */
const LOOKED_FOR_MAX = 1000

/** Lists of content, by the method whose result has them (2026-07-28, server). */
const CONTENT: Readonly<Record<string, (result: Members, change: (uri: string) => string) => Members>> = {
  'tools/call': (result, change) => changedList(result, 'content', (block) => changedBlock(block, change)),
  'prompts/get': (result, change) =>
    changedList(result, 'messages', (message) =>
      changedMember(message, 'content', (block) => changedBlock(block, change)),
    ),
  'resources/read': (result, change) =>
    changedList(result, 'contents', (content) => changedUri(content, change)),
}

/**
 * The result with public URIs.
 * @param asked the URI that was asked for, at the origin and in public; null for other methods than resources/read
 */
export function withPublicUris(
  method: string,
  result: Members,
  toPublicUri: ToPublicUri,
  asked: { readonly own: string; readonly name: string } | null,
): Members {
  const content = CONTENT[method]
  if (content === undefined) return result
  const known = new Map<string, string>()
  // The content of a resource has the URI by which the caller asked for it
  if (asked !== null) known.set(asked.own, asked.name)
  return content(result, (uri) => {
    let name = known.get(uri)
    if (name === undefined) {
      name = toPublicUri(uri, known.size > LOOKED_FOR_MAX)
      known.set(uri, name)
    }
    return name
  })
}

/** A block of content: those of two types name a resource. */
function changedBlock(block: Members, change: (uri: string) => string): Members {
  if (block['type'] === 'resource_link') return changedUri(block, change)
  if (block['type'] !== 'resource') return block
  return changedMember(block, 'resource', (resource) => changedUri(resource, change))
}

function changedUri(value: Members, change: (uri: string) => string): Members {
  const { uri } = value
  if (typeof uri !== 'string') return value
  const name = change(uri)
  return name === uri ? value : { ...value, uri: name }
}

/** The value itself where the member stays the same. */
function changedMember(value: Members, member: string, change: (inner: Members) => Members): Members {
  const inner = value[member]
  if (!isMembers(inner)) return value
  const changed = change(inner)
  return changed === inner ? value : { ...value, [member]: changed }
}

function changedList(value: Members, member: string, change: (one: Members) => Members): Members {
  const list: unknown = value[member]
  if (!Array.isArray(list)) return value
  let isSame = true
  const changed = (list as readonly unknown[]).map((one) => {
    const now = isMembers(one) ? change(one) : one
    isSame &&= now === one
    return now
  })
  return isSame ? value : { ...value, [member]: changed }
}
