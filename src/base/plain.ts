/** An object as JSON gives it. */
export type Plain = Record<string, unknown>

/** True for an object that is neither a list nor bytes: to read bytes as members would hide what they say. */
export function isPlain(value: unknown): value is Plain {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** A text, a number or a truth value as text; undefined for anything else, which need not be able to become one. */
export function scalarText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** The texts of a list; none of anything else. */
export function listedTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
