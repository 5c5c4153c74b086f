import { scalarText } from '../base/json/plain.ts'
import { NodeFailure } from './run.ts'

/** A key stands for one caller, order or tenant, not for a document. */
const KEY_CHARS_MAX = 1024

/** The key that a node counts or keeps values by. @throws NodeFailure for what is none */
export function keyOf(given: unknown): string {
  const key = scalarText(given)
  if (key === undefined || key === '' || key.length > KEY_CHARS_MAX)
    throw new NodeFailure('key', `key is no text of 1 to ${KEY_CHARS_MAX} characters`)
  return key
}
