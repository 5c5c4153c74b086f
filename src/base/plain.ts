/** An object as JSON gives it. */
export type Plain = Record<string, unknown>

/** True for an object that is no list. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
