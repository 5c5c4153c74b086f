import type { Plain } from '../../../base/json/storable.ts'
import { PROBLEMS, Refusal } from '../../../base/refusal.ts'
import { type ProblemBody, ProblemError } from '../../client/send.ts'

/** Where a document comes from. */
export interface Source {
  /** Such as a file. */
  readonly name: string
  /** The line of what a pointer into the document leads to; null where it is not known. */
  readonly lineOf: (pointer: string) => number | null
}

/** Documents with the place that each comes from. */
export interface ReadonlyDocuments {
  readonly documents: readonly Plain[]
  readonly sources: readonly Source[]
}

/** A pointer into a document, without the colon or the full stop of a sentence behind it. */
const PLACE = /\/documents\/(\d+)((?:\/[^\s/]*[^\s/:;,.?])*)/g

/** The same problem, of the server or of documents that were judged here, with files in the place of numbers. */
export function withSources(error: unknown, sources: readonly Source[]): unknown {
  const problem = problemOf(error)
  if (problem === null) return error
  const named = (text: string): string => withFiles(text, sources)
  return new ProblemError({
    ...problem,
    detail: named(problem.detail),
    errors: problem.errors.map(({ pointer, reason }) => ({ pointer: named(pointer), reason: named(reason) })),
  })
}

/** A text with files and lines in the place of the numbers of documents. */
export function withFiles(text: string, sources: readonly Source[]): string {
  return text.replaceAll(PLACE, (place, index: string, pointer: string) => {
    const source = sources[Number(index)]
    return source === undefined ? place : placeIn(source, pointer)
  })
}

/** `orders.yaml:12 /spec/name`; the pointer is that of the document. */
export function placeIn({ name, lineOf }: Source, pointer: string): string {
  const line = lineOf(pointer)
  const at = line === null ? name : `${name}:${line}`
  return pointer === '' ? at : `${at} ${pointer}`
}

function problemOf(error: unknown): ProblemBody | null {
  if (error instanceof ProblemError) return error.problem
  if (!(error instanceof Refusal)) return null
  const { code, status, message, facts } = error
  const { title } = PROBLEMS[code]
  return { title, status, code, detail: message, request_id: null, errors: facts.errors ?? [] }
}
