import { z } from 'zod'

/** What people with a claim may do. */
export interface RoleRule {
  /** `*` is everybody who signs in, `group` the claim that holds the groups, any other the name of a claim. */
  readonly claim: string
  /** What the claim must be or hold; null for everybody. */
  readonly value: string | null
  /** A grant in its compact form. */
  readonly grant: string
}

const RULES_MAX = 200

/**
 * `rule; rule; …`, each `claim:value=grant` or `*=grant`. The value goes from the first colon to the last `=`, so that it
 * may hold both, as the names of a directory do: `group:cn=devs,dc=example=modifier:proxies@payments`.
 */
export const RoleMap = z.string().transform((text, context): readonly RoleRule[] => {
  const rules: RoleRule[] = []
  for (const part of text.split(';').map((one) => one.trim())) {
    // After the last semicolon, or between two lines
    if (part === '') continue
    const rule = readRule(part)
    if (rule === null || rules.length === RULES_MAX) {
      context.addIssue({
        code: 'custom',
        message: `at most ${RULES_MAX} rules separated by semicolons, each claim:value=grant or *=grant, such as group:platform=admin; "${part}" is not one`,
      })
      return z.NEVER
    }
    rules.push(rule)
  }
  return rules
})

function readRule(text: string): RoleRule | null {
  const end = text.lastIndexOf('=')
  const who = text.slice(0, Math.max(0, end)).trim()
  const grant = text.slice(end + 1).trim()
  if (who === '' || grant === '') return null
  if (who === '*') return { claim: '*', value: null, grant }
  const colon = who.indexOf(':')
  const claim = who.slice(0, Math.max(0, colon)).trim()
  const value = who.slice(colon + 1).trim()
  return claim === '' || claim === '*' || value === '' ? null : { claim, value, grant }
}
