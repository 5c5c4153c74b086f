import { parseEscapedNames } from './escaped-names.ts'
import { lookAtNames } from './json-scan.ts'

/**
 * JSON whose objects name no member twice, at any depth. Two readers may pick different ones of a repeated member, and
 * what one of them judged the other would believe.
 * @returns undefined for anything else.
 */
export function parseStrictJson(text: string, depthMax: number): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { doubt, hasEscapes } = lookAtNames(text, depthMax)
  if (doubt !== null) return undefined
  return hasEscapes ? parseEscapedNames(text) : value
}
