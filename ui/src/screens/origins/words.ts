import { counted } from '../../schema/value.ts'

/** True for modes in which Postern is a client of an authorization server. */
export function usesOAuth(mode: unknown): boolean {
  return typeof mode === 'string' && mode !== 'static' && mode !== 'user_key'
}

const MODES: Readonly<Record<string, string>> = {
  user_key: 'A key that each person enters at /connect',
  user_oauth: 'The account that each person connects at /connect',
  shared_oauth: 'One account that an administrator connects for all callers',
  token_exchange: 'A token that Postern exchanges for each person (RFC 8693)',
  id_jag: 'A token for each person by an assertion of the identity provider (ID-JAG)',
}

/** What Postern sends to an origin, in words. */
export function authWords(mode: unknown, hasCredential: boolean): string {
  return MODES[String(mode)] ?? (hasCredential ? 'A credential, for every call' : 'None')
}

const TYPES = [
  ['tools', 'tool', 'tools'],
  ['prompts', 'prompt', 'prompts'],
  ['resources', 'resource', 'resources'],
  ['resource_templates', 'resource template', 'resource templates'],
] as const

/** `3 tools, 1 prompt`; types without items are left out. */
export function countWords(counts: Readonly<Record<(typeof TYPES)[number][0], number>>): string {
  const words = TYPES.flatMap(([type, one, many]) =>
    counts[type] === 0 ? [] : [counted(counts[type], one, many)],
  )
  return words.length === 0 ? 'No items' : words.join(', ')
}
