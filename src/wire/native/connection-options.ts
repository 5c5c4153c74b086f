import { isToken } from './grammar.ts'

/** What a Connection field says (RFC 9110 7.6.1). */
export interface ConnectionOptions {
  readonly close: boolean
  /** Field names to drop, lower case; null for none, which is nearly always. */
  readonly nominated: ReadonlySet<string> | null
}

const KEEP: ConnectionOptions = { close: false, nominated: null }
const CLOSE: ConnectionOptions = { close: true, nominated: null }

/** Reads the value of one Connection field; null when it is no list of tokens. */
export function connectionOptions(value: string): ConnectionOptions | null {
  if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP
  if (value === 'close') return CLOSE
  let close = false
  const nominated = new Set<string>()
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase()
    if (option === '') continue
    if (!isToken(option)) return null
    if (option === 'close') close = true
    else if (option !== 'keep-alive') nominated.add(option)
  }
  return { close, nominated: nominated.size === 0 ? null : nominated }
}
