/** How a generated secret differs from a word, a placeholder and other values. */

/** What stands in examples and templates in the place of a secret. */
const PLACEHOLDER =
  /^(?:[*x.#_-]+|<.*>|\[.*\]|\{.*\}|\$\{?[A-Za-z_].*|%\w+%|(?:your|my|the|some)[-_ ]?.*|(?:changeme|change[-_]me|example|placeholder|redacted|secret|password|token|null|none|undefined|true|false|required|optional|string)\d{0,3})$/i

export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value)
}

/** What stands in examples within the form of a token. Of generated tokens not one in a million has six equal characters in a row. */
const EXAMPLE = /example|placeholder|redacted|your[-_]|changeme|(.)\1{5}|0123456789|1234567890|abcdefghij/i

/** True for a token that was written as an example: `AKIA…EXAMPLE`, `ghp_xxxx…`. @param token at most some hundred characters */
export function isExample(token: string): boolean {
  return EXAMPLE.test(token)
}

const counts = new Uint16Array(128)

/** Shannon entropy in bits for each character; characters beyond ASCII count as one. */
export function entropyOf(value: string): number {
  counts.fill(0)
  for (let at = 0; at < value.length; at++) counts[value.charCodeAt(at) & 127]!++
  let bits = 0
  for (const count of counts) if (count > 0) bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}

/** Dates, paths, host names, addresses of pages: long, and no secret. */
const ORDINARY = /^(?:\d{4}-\d\d-\d\d|https?:|\/|\.{1,2}\/|[a-z]+(?:[-_.][a-z]+)+$|[A-Z]+(?:[-_.][A-Z]+)+$)/

/**
 * True for a value that is rather generated than chosen from words: 16 characters or more of high entropy with a digit. With
 * `isPassword`, 8 characters or more of two classes (letters, digits, others) are enough.
 */
export function isStrong(value: string, isPassword: boolean): boolean {
  if (value.length < 8 || isPlaceholder(value) || ORDINARY.test(value)) return false
  const hasDigit = /\d/.test(value)
  if (isPassword) {
    const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((one) => one.test(value)).length
    return classes >= 2 && entropyOf(value) >= 2.25
  }
  if (value.length < 16 || !hasDigit || !/[A-Za-z]/.test(value) || isExample(value)) return false
  return entropyOf(value) >= 3
}
