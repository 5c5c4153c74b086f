/** An object as JSON gives it. */
export type Plain = Record<string, unknown>

/** True for an object that is no list. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** The texts of a list; none of anything else. */
export function listedTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
