import type { ProblemBody } from '../client/client.ts'

/** What a command ends with; scripts rely on them. */
export const EXIT = { ok: 0, error: 1, usage: 2, drift: 3, conflict: 4 } as const

/** The command was not written right; nothing was sent. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** All was printed, and tells something that scripts are to see. */
export class Ended extends Error {
  readonly code: number
  constructor(code: number) {
    super('ended')
    this.name = 'Ended'
    this.code = code
  }
}

const USAGE: ReadonlySet<string> = new Set([
  'input_invalid',
  'confirmation_required',
  'deletions_unconfirmed',
])

/** The exit code of a refusal: conflicts are told apart, since a script can read again and repeat. */
export function exitCodeOf(problem: ProblemBody): number {
  if (problem.status === 409 || problem.status === 412) return EXIT.conflict
  if (USAGE.has(problem.code)) return EXIT.usage
  return EXIT.error
}
