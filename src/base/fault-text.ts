import { Refusal } from './refusal.ts'

/** What was thrown, for the process log: with its stack, and with what a refusal does not tell its caller. */
export function faultText(error: unknown): string {
  const inner = error instanceof Refusal && error.facts.inner !== undefined ? ` (${error.facts.inner})` : ''
  return error instanceof Error ? (error.stack ?? error.message) + inner : String(error)
}
