import { toGlob } from './glob.ts'
import { listedTexts, type Plain } from './plain.ts'

/** One of `values`, or text that fits `glob`. Of a claim that is a list, one item suffices. */
export interface ClaimRule {
  readonly claim: string
  readonly values: readonly (string | number | boolean)[]
  readonly glob: string | null
}

/** A claim by its name or, where there is none of that name, by its path with dots; undefined when it is absent. */
export function claimOf(claims: Plain, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const part of name.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined
    value = (value as Plain)[part]
  }
  return value
}

/** A rule that is ready to be asked. */
export function toRule({ claim, values, glob }: ClaimRule): (claims: Plain) => boolean {
  const fitsGlob = glob === null ? null : toGlob(glob)
  const fits = (value: unknown): boolean =>
    fitsGlob === null ? values.some((one) => one === value) : typeof value === 'string' && fitsGlob(value)
  return (claims) => {
    const value = claimOf(claims, claim)
    return Array.isArray(value) ? value.some(fits) : fits(value)
  }
}

/** Scopes of a token: `scope` (RFC 8693 section 4.2) or `scp`, as text with spaces or as a list. */
export function scopesOf(claims: Plain): readonly string[] {
  const value = claims['scope'] ?? claims['scp']
  if (typeof value === 'string') return value.split(' ')
  return listedTexts(value)
}
