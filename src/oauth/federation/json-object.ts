import { isPlain, type Plain } from '../../base/plain.ts'

/** The JSON object of a body, which may begin with a byte order mark; null for anything else. */
export function objectIn(body: Buffer): Plain | null {
  try {
    const value: unknown = JSON.parse(body.toString().replace(/^\uFEFF/, ''))
    return isPlain(value) ? value : null
  } catch {
    return null
  }
}
