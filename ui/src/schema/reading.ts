/** Values with a unit, read as people say them. */

const UNITS: Readonly<Record<string, string>> = {
  ms: 'millisecond',
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
}
const BYTE_UNITS = ['KiB', 'MiB', 'GiB'] as const
const KIB = 1024

/** `minute` of `1m`, `5 minutes` of `5m`; any other text as it is. */
export function durationWords(text: string): string {
  const [, digits, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  const word = unit === undefined ? undefined : UNITS[unit]
  if (digits === undefined || word === undefined) return text
  return digits === '1' ? word : `${digits} ${word}s`
}

/** `10 MiB` of 10485760; numbers below 1024 in bytes. */
function bytesWords(bytes: number): string {
  let size = bytes
  let unit = 'bytes'
  for (const next of BYTE_UNITS) {
    if (size < KIB) break
    size /= KIB
    unit = next
  }
  return `${size.toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`
}

/** How a value of a unit is read; null if it is read as it is written. */
export function readingOf(unit: string | null, value: unknown): string | null {
  if (unit === 'duration' && typeof value === 'string') {
    const words = durationWords(value)
    return words === value ? null : /^\d/.test(words) ? words : `1 ${words}`
  }
  if (unit === 'bytes' && typeof value === 'number' && value >= KIB) return bytesWords(value)
  if (unit === 'fraction' && typeof value === 'number')
    return `${(value * 100).toLocaleString('en', { maximumFractionDigits: 1 })} %`
  return null
}
