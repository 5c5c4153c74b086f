import type { Plain } from '../../base/plain.ts'
import type { Warn } from './warnings.ts'

/** Member of a description that was made of another format: sentences about what has no place in it. */
const LEFT_OUT = 'x-left-out'

/** The member to write into such a description. */
export function leftOut(sentences: Iterable<string>): Plain {
  return { [LEFT_OUT]: [...new Set(sentences)] }
}

/** Tells what a conversion has left out of a document. */
export function warnOfLeftOut(document: Plain, warn: Warn): void {
  const sentences = document[LEFT_OUT]
  if (!Array.isArray(sentences)) return
  for (const sentence of sentences) if (typeof sentence === 'string') warn('', sentence)
}
