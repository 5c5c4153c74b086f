import { isSecretName } from '../base/text/mask.ts'
import { readSecretFile } from './file.ts'
import { type EntrySpec, MARK_VARIABLE } from './file-schema.ts'

/** Shorter texts would blacken every line of the log. */
const SECRET_CHARS_MIN = 4

/** The environment of one process. */
export interface Environment {
  readonly variables: Readonly<Record<string, string>>
  /** Texts that must not appear in the log, longest first. */
  readonly secrets: readonly string[]
}

/**
 * The declared variables alone: nothing of the runner's own environment is inherited. Files are read anew for each
 * process, so that a rotated secret counts from the next start. @throws CannotStart when a file cannot be used.
 * @param mark finds the process and its descendants again
 */
export function environmentOf({ env }: Pick<EntrySpec, 'env'>, mark: string): Environment {
  const variables: Record<string, string> = { [MARK_VARIABLE]: mark }
  const secrets: string[] = []
  for (const [name, given] of Object.entries(env)) {
    const value = typeof given === 'string' ? given : readSecretFile(given.file)
    variables[name] = value
    if (typeof given !== 'string' || isSecretName(name))
      // A log shows line by line what has several
      secrets.push(...value.split(/\r?\n/).filter((line) => line.length >= SECRET_CHARS_MIN))
  }
  return { variables, secrets: secrets.sort((a, b) => b.length - a.length) }
}
