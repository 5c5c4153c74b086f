import type { ProblemBody } from '../client/send.ts'

/**
 * What a command ends with; scripts rely on them. `drift`: what is there differs from what was compared with it.
 * `inexact`: what was made differs from what it was made of.
 */
export const EXIT = { ok: 0, error: 1, usage: 2, drift: 3, inexact: 3, conflict: 4 } as const

/** The command was not written right; nothing was sent. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** The answer was printed, and the command ends with this code. */
export class Failed extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super()
    this.name = 'Failed'
    this.exitCode = exitCode
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
