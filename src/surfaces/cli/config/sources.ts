import type { Plain } from '../../../base/json/storable.ts'
import { PROBLEMS, Refusal } from '../../../base/refusal.ts'
import { type ProblemBody, ProblemError } from '../../client/send.ts'

/** Documents with the place that each comes from. */
export interface ReadonlyDocuments {
  readonly documents: readonly Plain[]
  readonly sources: readonly string[]
}

const PLACE = /\/documents\/(\d+)/g

/** The same problem, of the server or of documents that were judged here, with files in the place of numbers. */
export function withSources(error: unknown, sources: readonly string[]): unknown {
  const problem = problemOf(error)
  if (problem === null) return error
  const named = (text: string): string => withFiles(text, sources)
  return new ProblemError({
    ...problem,
    detail: named(problem.detail),
    errors: problem.errors.map(({ pointer, reason }) => ({ pointer: named(pointer), reason: named(reason) })),
  })
}

/** A text with files in the place of the numbers of documents. */
export function withFiles(text: string, sources: readonly string[]): string {
  return text.replaceAll(PLACE, (place, index: string) => sources[Number(index)] ?? place)
}

function problemOf(error: unknown): ProblemBody | null {
  if (error instanceof ProblemError) return error.problem
  if (!(error instanceof Refusal)) return null
  const { code, status, message, facts } = error
  const { title } = PROBLEMS[code]
  return { title, status, code, detail: message, request_id: null, errors: facts.errors ?? [] }
}
